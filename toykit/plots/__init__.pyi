from .programs import program as program
from .style import COLORS as COLORS
from .style import INK as INK
from .style import PAPER as PAPER
from .style import diverging as diverging
from .style import label_line as label_line
from .style import matrix as matrix
from .style import use_style as use_style
