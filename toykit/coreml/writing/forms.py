"""How Core ML writes a compressed constant: operators that decompress, and what they are given.

A constant that is compressed is no longer a `const` in the program. In its place stands an operator
whose name starts with `constexpr_`, with the stored arrays as inputs; where techniques are joined, two
or three of them stand in a row. iOS 16 and 17 know three operators and pack bits into plain bytes; iOS
18 has element types of 1, 2, 3, 4 and 6 bits, more operators, and scales and tables for groups.

`write` turns the parts of a weight (`toykit.stored`) into these operations, as coremltools 9 names and
orders them.
"""

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from ...settings import INDEX_BITS, STORED_CODE_BITS
from ...stored.parts import Part
from ..format.program import Type

# Versions of the specification, by the oldest system that reads them.
VERSIONS = {"iOS15": 6, "iOS16": 7, "iOS17": 8, "iOS18": 9, "iOS26": 10}
IOS16, IOS17, IOS18, IOS26 = 7, 8, 9, 10
IN_PROGRAM = 10  # arrays of fewer elements lie in the program, others in the weight file
# Operators whose inputs a version of the specification has defined anew.
_REDEFINED = {
    IOS17: ("crop_resize", "non_maximum_suppression"),
    IOS18: (
        "constexpr_affine_dequantize",
        "constexpr_cast",
        "constexpr_lut_to_dense",
        "constexpr_sparse_to_dense",
    ),
}
_GATHERS = ("gather", "gather_along_axis", "gather_nd")
STORED_ONCE = 100  # equal arrays of at least this many elements are stored once


def check(package, steps, version=IOS16):
    """Raise if a package, raised to a version, cannot hold what the steps store: before any work."""
    asked = needs(package, steps)
    if asked and version < IOS18:
        oldest = min(part.spec_version for part in package.programs)
        raise ValueError(
            f"for {' and '.join(asked)} you need a package for iOS 18: convert with target='iOS18', or "
            f"compress with it. This one has version {oldest} of the specification, for an older system"
        )


def needs(package, steps):
    """What the steps store that a package of an older system than iOS 18 cannot hold, in words.

    Raises
    ------
    ValueError
        If no package can hold it.
    """
    if package.number is not None:
        raise ValueError(
            f"{package} is compressed with the others: compress the pipeline. A plan for each layer can "
            "name the "
            f"weights of one model: {package.number}/..., as the ledger does"
        )
    for technique, options in steps:
        if technique == "quantize" and options.get("format"):
            raise ValueError(f"Core ML stores no weights as small floats; got format={options['format']!r}")
        if technique == "quantize" and options["bits"] not in STORED_CODE_BITS:
            raise ValueError(f"Core ML quantizes to 4 or 8 bits; got bits={options['bits']}")
    if min(part.spec_version for part in package.programs) >= IOS18:
        return []
    asked = ["joint compression"] * (len(steps) > 1)
    for technique, options in steps:
        if technique == "quantize":
            asked += ["4-bit quantization"] * (options["bits"] == 4)
            asked += ["granularity='per_block'"] * (options["granularity"] == "per_block")
        elif technique == "palettize":
            asked += ["3-bit palettes"] * (options["bits"] == 3)
            asked += [name for name in ("group_size", "per_channel_scale") if options[name]]
            asked += ["cluster_dim"] * (options["cluster_dim"] > 1)
    return asked


def raised(package, target):
    """What a package becomes if it is to need a newer system: the version, and what changes, in sentences.

    The operators of a program mean the same in a newer operator set, but for those below. Core ML Tools' own
    definitions say so (tests/parity/test_raising.py).

    Parameters
    ----------
    package : Package
    target : str
        A key of `VERSIONS`.

    Raises
    ------
    ValueError
        If the package needs a newer system already, or holds an operator that the new one defines otherwise.
    """
    version = VERSIONS[target]
    newest = max(part.spec_version for part in package.programs)
    if newest > version:
        raise ValueError(
            f"target must not be older than the package, which has version {newest} of the specification; got "
            f"{target!r}, version {version}"
        )
    kinds = Counter()
    for part in package.programs:
        for operation in part.program.walk():
            for since, gone in _REDEFINED.items():
                if part.spec_version < since <= version and operation.op in gone:
                    raise ValueError(
                        f"target={target!r}: {operation.name!r} is {operation.op}, which newer systems define "
                        f"otherwise; convert the network anew, with target={target!r}"
                    )
            if part.spec_version < IOS17 <= version and operation.op in _GATHERS:
                indices = operation.inputs.get("indices", [""])[0]
                kinds[operation.op] += isinstance(indices, str)
    said = [f"the package needs {target} or newer: version {version} of the specification, was {newest}"]
    computed = sum(kinds.values())
    if computed:
        said.append(
            f"indices below zero no longer count from the end: {computed} of its operators "
            f"({', '.join(sorted(kinds))}) are given indices that are computed or come from the input"
        )
    return version, said


def widths(spec_version):
    """Bits that an index of a palette may have."""
    return INDEX_BITS if spec_version >= IOS18 else tuple(bits for bits in INDEX_BITS if bits != 3)


def write(name, kind, parts, spec_version, add):
    """Write the operations that stand for a compressed constant.

    Parameters
    ----------
    name : str
        Of the constant's operation.
    kind : Type
        Of the constant.
    parts : dict of str to Part
    spec_version : int
    add : callable (op, name, given, *kinds, once=False) -> list of str
        Appends an operation and returns the names of its outputs, which have the types `kinds`. It is
        given arrays and the names of earlier results, in the order in which they are stored. With `once`,
        an equal operation that is there already serves.

    Returns
    -------
    str
        The name under which the weights can be used now.
    """
    if spec_version < IOS18:
        return _write_ios16(name, kind, parts, add)

    def scaled(prefix=""):
        """The inputs that scale: an offset is there only if it is not 0."""
        offset = parts.get(f"{prefix}zero_point")
        return {"scale": parts[f"{prefix}scale"], **({"offset": offset} if offset else {})}

    def table(name):
        """The table as an input; a quantized one is the result of an operation of its own."""
        lut = parts["lut"]
        if "lut_scale" not in parts:
            return lut
        dense = Type("tensor", parts["lut_scale"].dtype, lut.shape)
        given = {"data": lut, **scaled("lut_")}
        return add("constexpr_blockwise_shift_scale", f"{name}_lut_0_quantized", given, dense, once=True)[0]

    if "mask" in parts:
        return _write_sparse(f"{name}_sparsified", kind, parts, add, scaled, table)
    if "codes" in parts:
        given = {"data": parts["codes"], **scaled()}
        return add("constexpr_blockwise_shift_scale", f"{name}_quantized", given, kind)[0]
    if "scale" in parts:
        return _write_scaled_palette(name, kind, parts, spec_version, add)
    name = f"{name}_palettized"
    given = {"indices": parts["indices"], "lut": table(name)}
    if parts["lut"].shape[-1] > 1:
        given["vector_axis"] = _vector_axis(parts, kind)
    return add("constexpr_lut_to_dense", name, given, kind)[0]


def _write_sparse(name, kind, parts, add, scaled, table):
    """A mask, and what is kept: values, or an operation that gives mask and values."""
    mask, values = parts["mask"], parts.get("values")
    if values is None:
        floats = next(parts[key] for key in ("scale", "lut_scale", "lut") if key in parts).dtype
        survivors = parts["codes" if "codes" in parts else "indices"]
        kinds = Type("tensor", "uint1", mask.shape), Type("tensor", floats, survivors.shape)
        if "codes" in parts:
            inner = f"{name}_nonzero_data_0_quantized"
            given = {"data_mask": mask, "nonzero_data": survivors, **scaled()}
            values = add("constexpr_sparse_blockwise_shift_scale", inner, given, *kinds)[1]
        else:
            inner = f"{name}_nonzero_data_0_palettized"
            given = {"indices_mask": mask, "indices_nonzero_data": survivors, "lut": table(inner)}
            mask, values = add("constexpr_lut_to_sparse", inner, given, *kinds)
    return add("constexpr_sparse_to_dense", name, {"nonzero_data": values, "mask": mask}, kind)[0]


def _vector_axis(parts, kind):
    """The axis on which an index stands for several weights."""
    return _number(next(i for i, size in enumerate(parts["indices"].shape) if size != kind.shape[i]))


def _number(value):
    """A whole number as an array."""
    return Part("int32", (), np.int32(value).tobytes())


def _write_scaled_palette(name, kind, parts, spec_version, add):
    """A palette with scales. Before iOS 26 it is the table that is scaled, repeated for each scale."""
    indices, lut, scale = parts["indices"], parts["lut"], parts["scale"]
    names = f"{name}_palettized", f"{name}_palettized_pcs"
    axis = {"vector_axis": _vector_axis(parts, kind)} if lut.shape[-1] > 1 else {}
    if spec_version >= IOS26:
        (palette,) = add("constexpr_lut_to_dense", names[0], {"indices": indices, "lut": lut, **axis}, kind)
        return add("constexpr_blockwise_shift_scale", names[1], {"data": palette, "scale": scale}, kind)[0]
    shape = tuple(map(max, (*scale.shape, 1, 1), lut.shape))
    tables = replace(lut, shape=shape)
    if lut.content is not None:
        once = np.frombuffer(lut.content, lut.dtype).reshape(lut.shape)
        tables = replace(tables, content=np.ascontiguousarray(np.broadcast_to(once, shape)))
    given = {"data": tables, "scale": scale.in_shape((*scale.shape, 1, 1))}
    (scaled,) = add("constexpr_blockwise_shift_scale", names[0], given, Type("tensor", lut.dtype, shape))
    return add("constexpr_lut_to_dense", names[1], {"indices": indices, "lut": scaled, **axis}, kind)[0]


def _write_ios16(name, kind, parts, add):
    """The three operators of iOS 16: bits are packed into bytes."""
    dimensions = Part("uint32", (len(kind.shape),), np.array(kind.shape, np.uint32).tobytes())
    if "mask" in parts:
        mask = parts["mask"]
        given = {
            "nonzero_data": parts["values"],
            "mask": mask.in_shape((mask.nbytes,), "uint8"),
            "shape": dimensions,
        }
        return add("constexpr_sparse_to_dense", f"{name}_sparsified", given, kind)[0]
    if "codes" in parts:
        codes, scale = parts["codes"], parts["scale"]
        channels = tuple(size for size in scale.shape if size > 1)
        # A zero point is always there; where it is 0, layers of as many channels share the zeros.
        zero_point = parts.get("zero_point", Part(codes.dtype, channels, bytes(math.prod(channels))))
        given = {
            "quantized_data": codes,
            "zero_point": zero_point.in_shape(channels),
            "scale": scale.in_shape(channels),
            "axis": _number(scale.shape.index(channels[0]) if channels else 0),
        }
        return add("constexpr_affine_dequantize", f"{name}_quantized", given, kind)[0]
    indices, lut = parts["indices"], parts["lut"]
    given = {
        "indices": indices.in_shape((indices.nbytes,), "uint8"),
        "lut": lut.in_shape((lut.count,)),
        "shape": dimensions,
    }
    return add("constexpr_lut_to_dense", f"{name}_palettized", given, kind)[0]
