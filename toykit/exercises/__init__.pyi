from toykit.exercises.checks import check as check
from toykit.exercises.framework import Case as Case
from toykit.exercises.framework import Exercise as Exercise
from toykit.exercises.framework import Hint as Hint
from toykit.exercises.report import Report as Report
