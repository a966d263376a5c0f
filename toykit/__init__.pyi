from toykit._quiet import quiet as quiet
from toykit.compressed import Compressed as Compressed
from toykit.compressed import error as error
from toykit.exploration.exploring import explore as explore
from toykit.palettization import Palettized as Palettized
from toykit.palettization import palettize as palettize
from toykit.pruning import Sparse as Sparse
from toykit.pruning import prune as prune
from toykit.quantization import Quantized as Quantized
from toykit.quantization import quantize as quantize
from toykit.verification.differences import diff as diff
from toykit.verification.places import where as where
from toykit.verification.verdicts import verify as verify

from . import bits as bits
from . import capstone as capstone
from . import compressed as compressed
from . import coreml as coreml
from . import data as data
from . import exercises as exercises
from . import joint as joint
from . import kernels as kernels
from . import kmeans as kmeans
from . import latency as latency
from . import marking as marking
from . import models as models
from . import palettization as palettization
from . import plots as plots
from . import pruning as pruning
from . import quantization as quantization
from . import quiz as quiz
from . import size as size
from . import sweep as sweep
from . import training as training
from . import widgets as widgets

__version__: str
