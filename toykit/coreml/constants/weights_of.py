"""The weights of a package, each as toykit's own object."""

from ..format.package import open_package
from ..format.protobuf import PackageError
from .reading import CONSTEXPR, read_constant

# What is appended to the name of a constant that was compressed.
_SUFFIXES = ("_sparsified", "_quantized", "_palettized_pcs", "_palettized")


def weights(package):
    """The weights of an ML program: what each is stored as.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel

    Returns
    -------
    dict of str to Compressed or ndarray
        The constants that lie in the package's weight file, by the names that the ledger
        (`toykit.size.ledger`) gives them. A compressed one is a `Compressed`: its `parts` are the
        arrays of the file and `dense()` the weights that run. One that is stored as it is, is an
        array. All are mapped from the file, so only what is looked at is loaded (a file of at most
        1 MiB is read at once), and read-only.

        coremltools stores equal arrays once, such as the zero points of layers with as many channels;
        each weight that uses such an array has it among its parts.

    Raises
    ------
    FileNotFoundError
        If there is no package at the path.
    PackageError
        If the package is not sound.
    TypeError
        If `package` is something else.

    Examples
    --------
    >>> stored = weights("ResNet50-4bit.mlpackage")                         # doctest: +SKIP
    >>> stored["layer1_0_conv1_weight"]                                     # doctest: +SKIP
    Palettized(64x64x1x1, a table of 16 values, 4.1 bits a weight)
    """
    return {
        part.full_name(label, name): value
        for part in open_package(package).programs
        for label, function in part.program.functions.items()
        for name, value in _weights_of(function.block).items()
    }


def _weights_of(block):
    """The constants in a function's block that lie in a weight file."""
    operations = list(block.walk())
    # Results that are decompressed only to decompress something else.
    stages = {
        argument
        for operation in operations
        if operation.op in CONSTEXPR
        for argument in _arguments(operation)
        if isinstance(argument, str)
    }
    earlier, on_file, found = {}, set(), {}

    def lookup(name):
        if name not in earlier:
            raise PackageError(f"{name!r} is no constant that comes before")
        return earlier[name]

    for operation in operations:
        lies_on_file = any(
            argument in on_file if isinstance(argument, str) else argument.blob is not None
            for argument in _arguments(operation)
        )
        if operation.op in CONSTEXPR:
            results = read_constant(operation, lookup)
            *_, name = results
            plain = plain_name(name)
            plain, value = name if plain in found else plain, results[name]
        elif operation.op == "const":
            name = plain = next(iter(operation.outputs))
            value = operation.attributes["val"]
            lies_on_file = value.blob is not None
            results = {name: value}
            if lies_on_file and name not in stages:
                value = _read_only(value.numpy())
        else:
            continue
        earlier |= results
        if lies_on_file:
            on_file |= results.keys()
            if not stages & results.keys():
                found[plain] = value
    return found


def _arguments(operation):
    """The constants of an operation, and the names of the results that it uses."""
    yield from operation.attributes.values()
    for arguments in operation.inputs.values():
        yield from arguments


def plain_name(name):
    """The name that a weight had before coremltools or toykit compressed it."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _read_only(array):
    array = array.view()
    array.flags.writeable = False
    return array
