from toykit.coreai.asset import Asset as Asset
from toykit.coreai.comparison import compare as compare
from toykit.coreai.conversion import convert as convert
from toykit.coreai.model import Model as Model
from toykit.coreai.model import load as load
from toykit.coreai.model import run as run
from toykit.coreai.saving import save as save
from toykit.coreai.weights_of import weights as weights
