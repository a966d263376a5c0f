from toykit.size.ledgers import Ledger as Ledger
from toykit.size.ledgers import Row as Row
from toykit.size.reports import Report as Report
from toykit.size.reports import report as report
from toykit.size.sources import ledger as ledger
