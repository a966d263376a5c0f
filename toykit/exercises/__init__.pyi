from .checks import check as check
from .framework import Case as Case
from .framework import Exercise as Exercise
from .framework import Hint as Hint
from .framework import Report as Report
