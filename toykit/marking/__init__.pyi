from toykit.marking.marks import Mark as Mark
from toykit.marking.marks import Marks as Marks
from toykit.marking.marks import mark as mark
