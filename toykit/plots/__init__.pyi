from toykit.plots.programs import program as program
from toykit.plots.style import COLORS as COLORS
from toykit.plots.style import INK as INK
from toykit.plots.style import PAPER as PAPER
from toykit.plots.style import diverging as diverging
from toykit.plots.style import label_line as label_line
from toykit.plots.style import matrix as matrix
from toykit.plots.style import use_style as use_style
