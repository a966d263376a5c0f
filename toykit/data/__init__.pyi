from . import digits1d as digits1d
from . import pitch as pitch
from . import sentences as sentences
from . import tones as tones
from . import word_pieces as word_pieces
from . import words as words
