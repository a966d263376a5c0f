"""How Core ML writes a compressed constant: operators that decompress, and what they are given.

A constant that is compressed is no longer a `const` in the program. In its place stands an operator
whose name starts with `constexpr_`, with the stored arrays as inputs; where techniques are joined, two
or three of them stand in a row. iOS 16 and 17 know three operators and pack bits into plain bytes; iOS
18 has element types of 1, 2, 3, 4 and 6 bits, more operators, and scales and tables for groups.

`write` turns the parts of a weight (`toykit.stored`) into these operations, as coremltools 9 names and
orders them. The operations are messages, as `protobuf.decode` returns them.
"""

from ..parts import Part
from .schema import DTYPES

IOS17, IOS18 = 8, 9  # versions of the specification
IN_PROGRAM = 10  # arrays of fewer elements lie in the program, others in the weight file
STORED_ONCE = 100  # equal arrays of at least this many elements are stored once
SUFFIXES = ("_sparsified", "_quantized", "_palettized_pcs", "_palettized")

_CODES = {name: code for code, (name, _) in DTYPES.items()}
# Element types that a message holds as bytes; int32 and float32 have fields of their own.
_FIELDS = {"int32": "ints", "float32": "floats"}


def tensor_type(dtype, shape):
    """A "ValueType" message. Zeros are left out, as protobuf does."""
    sizes = [{"constant": {"size": size} if size else {}} for size in shape]
    rank = {"rank": len(shape), "dimensions": sizes} if shape else {}
    return {"tensorType": {"dataType": _CODES[dtype], **rank}}


def immediate(part, values=None):
    """A "Value" message with the elements in it (zeros, unless given: they weigh the same)."""
    field = _FIELDS.get(part.dtype, "bytes")
    if field == "bytes":
        content = {"values": bytes(part.nbytes)} if part.count else {}
    else:
        content = {"values": [0] * part.count if values is None else values}
    return {"type": tensor_type(part.dtype, part.shape), "immediateValue": {"tensor": {field: content}}}


def text(string):
    """A "Value" message of a string."""
    tensor = {"strings": {"values": [string]}}
    return {"type": tensor_type("string", ()), "immediateValue": {"tensor": tensor}}


def operation(op, name, inputs, *kinds):
    """An "Operation" message. An input is a name or a "Value"; `kinds` are the types of the outputs."""
    names = [name] if len(kinds) == 1 else [f"{name}_{number}" for number in range(len(kinds))]
    bound = {
        parameter: {"arguments": [{"name": value} if isinstance(value, str) else {"value": value}]}
        for parameter, value in inputs.items()
    }
    outputs = [{"name": output, "type": kind} for output, kind in zip(names, kinds, strict=True)]
    return {"type": op, "inputs": bound, "outputs": outputs, "attributes": {"name": text(name)}}


def constant(name, value):
    """A "const" operation."""
    outputs = [{"name": name, "type": value["type"]}]
    return {"type": "const", "outputs": outputs, "attributes": {"name": text(name), "val": value}}


def check(steps, spec_version):
    """Raise if a package of this version cannot hold what the steps store."""
    for technique, options in steps:
        if technique == "quantize" and options["bits"] not in (4, 8):
            raise ValueError(f"Core ML quantizes to 4 or 8 bits; got bits={options['bits']}")
    if spec_version >= IOS18:
        return
    asked = ["joint compression"] * (len(steps) > 1)
    for technique, options in steps:
        if technique == "quantize":
            asked += ["4-bit quantization"] * (options["bits"] == 4)
            asked += ["granularity='per_block'"] * (options["granularity"] == "per_block")
        elif technique == "palettize":
            asked += ["3-bit palettes"] * (options["bits"] == 3)
            asked += [name for name in ("group_size", "per_channel_scale") if options[name]]
            asked += ["cluster_dim"] * (options["cluster_dim"] > 1)
    if asked:
        raise ValueError(
            f"{' and '.join(asked)} need a package for iOS 18: convert with target='iOS18'. "
            f"This one has version {spec_version} of the specification, for an older system"
        )


def write(name, kind, parts, spec_version, store, tables):
    """The operations that stand for a compressed constant.

    Parameters
    ----------
    name : str
        Of the constant.
    kind : dict
        The constant's type, a "ValueType" message.
    parts : dict of str to Part
    spec_version : int
    store : callable (Part) -> dict
        Gives the part a place, in the order of the calls, and returns the "Value" message.
    tables : dict
        Quantized tables that were written before, so that equal ones are written once; changed here.

    Returns
    -------
    operations : list of dict
    output : str
        The name under which the weights can be used now.
    """
    if spec_version < IOS18:
        return _write_ios16(name, kind, parts, store)
    operations = []

    def add(op, name, inputs, *outputs):
        """One operation. An input is a part, a message, or the name of an earlier result."""
        inputs = {key: store(value) if isinstance(value, Part) else value for key, value in inputs.items()}
        operations.append(operation(op, name, inputs, *outputs))
        return [output["name"] for output in operations[-1]["outputs"]]

    def scaled(prefix=""):
        """The inputs that scale: an offset is there only if it is not 0."""
        offset = parts.get(f"{prefix}zero_point")
        return {"scale": parts[f"{prefix}scale"], **({"offset": offset} if offset else {})}

    def table(name):
        """The table as an input; a quantized one is the result of an operation of its own."""
        lut = parts["lut"]
        if "lut_scale" not in parts:
            return lut
        inputs = {"data": lut, **scaled("lut_")}
        # Weights whose quantized tables are equal, values and scale, share the operation, too.
        key = tuple((part.dtype, part.shape, part.content) for part in inputs.values())
        if lut.content is not None and key in tables:
            return tables[key]
        dense = tensor_type(parts["lut_scale"].dtype, lut.shape)
        tables[key] = add("constexpr_blockwise_shift_scale", f"{name}_lut_0_quantized", inputs, dense)[0]
        return tables[key]

    if "mask" in parts:
        name = f"{name}_sparsified"
        mask, values = parts["mask"], parts.get("values")
        if values is None:
            floats = next(parts[key] for key in ("scale", "lut_scale", "lut") if key in parts).dtype
            survivors = parts["codes" if "codes" in parts else "indices"]
            kinds = tensor_type("uint1", mask.shape), tensor_type(floats, survivors.shape)
            if "codes" in parts:
                shared = store(mask)  # two operations refer to it, and it is stored once
                inputs = {"data_mask": shared, "nonzero_data": survivors, **scaled()}
                inner = f"{name}_nonzero_data_0_quantized"
                values = add("constexpr_sparse_blockwise_shift_scale", inner, inputs, *kinds)[1]
                mask = shared
            else:
                inner = f"{name}_nonzero_data_0_palettized"
                lut = table(inner)
                inputs = {"indices_mask": mask, "indices_nonzero_data": survivors, "lut": lut}
                mask, values = add("constexpr_lut_to_sparse", inner, inputs, *kinds)
        add("constexpr_sparse_to_dense", name, {"nonzero_data": values, "mask": mask}, kind)
    elif "codes" in parts:
        name = f"{name}_quantized"
        add("constexpr_blockwise_shift_scale", name, {"data": parts["codes"], **scaled()}, kind)
    elif "scale" in parts:
        name = _write_scaled_palette(name, kind, parts, add)
    else:
        name = f"{name}_palettized"
        inputs = {"indices": parts["indices"], "lut": table(name)}
        if parts["lut"].shape[-1] > 1:
            axis = next(i for i, size in enumerate(parts["indices"].shape) if size != _shape(kind)[i])
            inputs["vector_axis"] = immediate(Part("int32", ()), [axis])
        add("constexpr_lut_to_dense", name, inputs, kind)
    return operations, name


def _shape(kind):
    return tuple(size["constant"].get("size", 0) for size in kind["tensorType"].get("dimensions", []))


def _write_scaled_palette(name, kind, parts, add):
    """A palette with scales. coremltools scales the table, so it repeats the table for each scale."""
    lut, scale = parts["lut"], parts["scale"]
    names = f"{name}_palettized", f"{name}_palettized_pcs"
    repeated = tuple(map(max, (*scale.shape, 1, 1), lut.shape))
    if all(size % tables == 0 for size, tables in zip(repeated, lut.shape, strict=True)):
        tables = Part(lut.dtype, repeated, lut.content)
        inputs = {"data": tables, "scale": Part(scale.dtype, (*scale.shape, 1, 1))}
        scaled = add("constexpr_blockwise_shift_scale", names[0], inputs, tensor_type(lut.dtype, repeated))
        add("constexpr_lut_to_dense", names[1], {"indices": parts["indices"], "lut": scaled[0]}, kind)
    else:
        palette = add("constexpr_lut_to_dense", names[0], {"indices": parts["indices"], "lut": lut}, kind)
        add("constexpr_blockwise_shift_scale", names[1], {"data": palette[0], "scale": scale}, kind)
    return names[1]


def _write_ios16(name, kind, parts, store):
    """The three operators of iOS 16: arrays are attributes, bits are packed into bytes."""
    shape = _shape(kind)
    dimensions = immediate(Part("uint32", (len(shape),)))
    if "mask" in parts:
        op, name = "constexpr_sparse_to_dense", f"{name}_sparsified"
        mask = parts["mask"]
        packed = Part("uint8", (mask.nbytes,), mask.content)
        attributes = {"nonzero_data": store(parts["values"]), "mask": store(packed), "shape": dimensions}
    elif "codes" in parts:
        op, name = "constexpr_affine_dequantize", f"{name}_quantized"
        codes, scale = parts["codes"], parts["scale"]
        channels = tuple(size for size in scale.shape if size > 1)
        axis = scale.shape.index(channels[0]) if channels else 0
        # A zero point is always there; where it is 0, layers of as many channels share the zeros.
        zero_point = parts.get("zero_point", Part(codes.dtype, (), b"zeros"))
        attributes = {
            "quantized_data": store(codes),
            "zero_point": store(Part(codes.dtype, channels, zero_point.content)),
            "scale": store(Part(scale.dtype, channels)),
            "axis": immediate(Part("int32", ()), [axis]),
        }
    else:
        op, name = "constexpr_lut_to_dense", f"{name}_palettized"
        indices, lut = parts["indices"], parts["lut"]
        attributes = {
            "indices": store(Part("uint8", (indices.nbytes,))),
            "lut": store(Part(lut.dtype, (lut.count,), lut.content)),
            "shape": dimensions,
        }
    output = [{"name": name, "type": kind}]
    return [{"type": op, "outputs": output, "attributes": {"name": text(name), **attributes}}], name


def guard(indices, kind, step):
    """What coremltools puts before a `gather` each time it compresses a package for iOS 17 or later.

    The operator does not take negative indices, so the length of the axis is added to them: even if an
    earlier conversion or compression did so already. Nothing is stored, but the program grows.

    Parameters
    ----------
    indices : str
    kind : dict
        Their type, a "ValueType" message.
    step : int
        Number of the compression, from 1.

    Returns
    -------
    list of dict
        Operations, of which the last gives the new indices.
    """
    shape, added = _shape(kind), []
    whole = tensor_type("int32", shape)
    if DTYPES[kind["tensorType"]["dataType"]][0] != "int32":
        added.append(constant("cast_0_dtype_0", text("int32")))
        added.append(operation("cast", "cast_0", {"x": indices, "dtype": "cast_0_dtype_0"}, whole))
        indices = "cast_0"
    names = ("greater_equal_0_y_0", "slice_by_index_0", "greater_equal_0", "add_0", "select_0")
    zero, size, test, moved, chosen = (f"{name}_{step}" for name in names)
    number = Part("int32", ())
    return [
        *added,
        constant(zero, immediate(number)),
        operation("greater_equal", test, {"x": indices, "y": zero}, tensor_type("bool", shape)),
        constant(size, immediate(number, [2**14])),
        operation("add", moved, {"x": indices, "y": size}, whole),
        operation("select", chosen, {"cond": test, "a": indices, "b": moved}, whole),
    ]
