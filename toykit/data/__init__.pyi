from . import digits1d as digits1d
from . import pitch as pitch
from . import tones as tones
