"""The weights of a Core AI program, each as toykit's own object."""

from .._quiet import working
from .asset import open_program
from .constants import read_weight
from .names import Namer
from .program import weights_in_use


def weights(source):
    """The weights of a Core AI program: what each is stored as.

    Parameters
    ----------
    source : str, Path, Asset or coreai.authoring.AIProgram

    Returns
    -------
    dict of str to Compressed or ndarray
        In the order in which the program uses them: every constant of floating-point numbers but single ones, and
        every other that is large enough to lie apart from the program. A compressed one is a `Compressed`, whose
        `dense()` are the weights that run; one that is stored as it is, is an array. (coreai-opt's
        passes give codes of FP4 a byte each; in a `SmallFloats` they are packed. bfloat16 is given as float32.)

        The names are those of the torch module ("layer1.0.conv1.weight") in programs that `toykit.coreai.convert`
        made. In others they say which module or operator uses the weight first: "Linear_2.weight",
        "conv2d_0.weight". Compression keeps them.

    Raises
    ------
    ImportError
        Where Apple's packages are missing.
    FileNotFoundError
        If there is no asset at the path.
    PackageError
        If the asset is not sound, or a weight is compressed in a way that toykit has no object for.
    TypeError
        If `source` is something else.

    Examples
    --------
    >>> stored = weights("ResNet50-4bit.aimodel")                           # doctest: +SKIP
    >>> stored["layer1.0.conv1.weight"]                                     # doctest: +SKIP
    Palettized(64x64x1x1, a table of 16 values, 4.1 bits a weight)
    """
    program = open_program(source)
    with working():
        return {name: value for name, value, _ in found(program)}


def found(program):
    """The weights of a program: (name, value, the operator that results in it)."""
    namer = Namer(program)
    for value, operation, user in weights_in_use(program):
        weight = read_weight(value)
        if weight is not None:
            yield namer.name(operation, user), weight, operation
