from toykit.size.ledgers import Ledger as Ledger
from toykit.size.ledgers import Row as Row
from toykit.size.sources import ledger as ledger
