"""Which system a package needs, by what is in it: not by the version that it claims."""

from ..coreml.writing.forms import VERSIONS

_SINCE_18 = (
    "constexpr_blockwise_shift_scale",
    "constexpr_lut_to_sparse",
    "constexpr_sparse_blockwise_shift_scale",
)
_PLAIN = ("float", "bool", "string", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def needs(package):
    """The version of the specification that a package needs.

    The highest of the one that it claims, those of its functions' operator sets, and those of the compressed forms and
    of the types that are in it.

    Parameters
    ----------
    package : Package

    Returns
    -------
    int
        7 is iOS 16, 8 iOS 17, 9 iOS 18, 10 iOS 26.
    """
    found = package.spec_version
    for part in package.programs:
        for function in part.program.functions.values():
            # 5 came with iOS 15, and version 6 of the specification.
            found = max(found, 1 + int("".join(sign for sign in function.opset if sign.isdigit()) or 0))
            for operation in function.block.walk():
                kinds = [*operation.outputs.values(), *(value.type for _, value in operation.constants)]
                packed = any(kind.kind == "tensor" and not kind.dtype.startswith(_PLAIN) for kind in kinds)
                if packed or operation.op in _SINCE_18:
                    found = max(found, VERSIONS["iOS18"])
    return found


def system(version):
    """The oldest system that reads a version of the specification.

    Examples
    --------
    >>> system(9), system(11)
    ('iOS18', 'newer than iOS26')
    """
    names = [name for name, needed in VERSIONS.items() if version <= needed]
    return names[0] if names else f"newer than {list(VERSIONS)[-1]}"
