from .ledgers import Ledger as Ledger
from .ledgers import Row as Row
from .sources import ledger as ledger
