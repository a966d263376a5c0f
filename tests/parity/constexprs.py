"""Every form of compressed constant that Core ML's operators allow, built by hand with coremltools.

The post-training functions of coremltools write a few of these; converters and other tools may write
any. Each form is a function that builds the operators inside a program and returns the weight.
"""

import numpy as np

from toykit._quiet import coremltools, quiet

ct = coremltools()
with quiet():
    from coremltools.converters.mil.mil import Builder as mb
    from coremltools.converters.mil.mil import types
    from coremltools.optimize.coreml._quantization_passes import WeightDecompressor


def random(seed=0):
    return np.random.default_rng(seed)


def codes(dtype, shape, seed=0):
    """Whole numbers over the whole range of a type, as coremltools' builder takes them."""
    kind = types.string_to_builtin(dtype)
    bits, signed = kind.get_bitwidth(), dtype.startswith("int")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    return random(seed).integers(low, high, shape).astype(types.nptype_from_builtin(kind))


def floats(dtype, shape, seed=1):
    return random(seed).normal(0, 0.1, shape).astype(dtype)


def mask(shape, seed=2):
    return (random(seed).random(shape) < 0.4).astype(types.np_uint1_dtype)


def pack(values, bits):
    """Bits in plain bytes, as iOS 16 has them; by way of text, to owe nothing to toykit."""
    row = "".join(f"{int(value):0{bits}b}"[::-1] for value in values.ravel())
    return np.uint8([int(row[start : start + 8][::-1], 2) for start in range(0, len(row), 8)])


def affine(data="int8", zero="int8", scale="float16", zeros=(6,), scales=(6,), axis=0, shape=(6, 5)):
    zero_point = floats(zero, zeros, 3) if zero == "float32" else codes(zero, zeros, 3)
    return mb.constexpr_affine_dequantize(
        quantized_data=codes(data, shape),
        zero_point=zero_point if zeros else zero_point[()],
        scale=floats(scale, scales) if scales else floats(scale, (1,))[0],
        axis=np.int32(axis),
    )


def old_palette(dtype="float16", bits=2, shape=(5, 3)):
    lut = codes(dtype, 2**bits, 4) if dtype.endswith("int8") else floats(dtype, 2**bits, 4)
    indices = random().integers(0, 2**bits, shape)
    return mb.constexpr_lut_to_dense(indices=pack(indices, bits), lut=lut, shape=np.uint32(shape))


def old_sparse(dtype="float16", shape=(5, 7)):
    kept = mask(shape)
    values = (codes if dtype.endswith("int8") else floats)(dtype, int(kept.sum()))
    return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=pack(kept, 1), shape=np.uint32(shape))


def scaled(data="int8", scale="float16", offset=None, scales=(3, 1), shape=(6, 8)):
    offsets = {}
    if offset is not None:
        offsets["offset"] = (floats if offset.startswith("float") else codes)(offset, scales, 5)
    if not isinstance(data, str):
        return mb.constexpr_blockwise_shift_scale(data=data, scale=floats(scale, scales), **offsets)
    data = (floats if data.startswith("float") else codes)(data, shape)
    return mb.constexpr_blockwise_shift_scale(data=data, scale=floats(scale, scales), **offsets)


def palette(bits=2, lut="float16", tables=(1, 1), length=1, axis=None, shape=(6, 8)):
    if isinstance(lut, str):
        lut = (floats if lut.startswith("float") else codes)(lut, (*tables, 2**bits, length), 6)
    vectors = {} if axis is None else {"vector_axis": np.int32(axis)}
    return mb.constexpr_lut_to_dense(indices=codes(f"uint{bits}", shape), lut=lut, **vectors)


def scaled_tables(shape=(6, 8), bits=3, tables=(6, 1)):
    """What coremltools makes of `enable_per_channel_scale`: a table times a scale for each channel."""
    lut = np.broadcast_to(floats("float16", (1, 1, 2**bits, 1)), (*tables, 2**bits, 1)).copy()
    scale = floats("float16", (*tables, 1, 1), 7)
    return palette(bits, mb.constexpr_blockwise_shift_scale(data=lut, scale=scale), shape=shape)


def sparse(values=None, dtype="float16", shape=(6, 8)):
    kept = mask(shape)
    if values is None:
        values = (floats if dtype.startswith("float") else codes)(dtype, int(kept.sum()))
    return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=kept)


def sparse_scaled(data="int8", offset=None, scales=(3, 1), shape=(6, 8), values=None):
    kept = mask(shape)
    offsets = {}
    if offset is not None:
        offsets["offset"] = (floats if offset.startswith("float") else codes)(offset, scales, 5)
    if values is None:
        values = (floats if data.startswith("float") else codes)(data, int(kept.sum()))
    result = mb.constexpr_sparse_blockwise_shift_scale(
        data_mask=kept, nonzero_data=values, scale=floats("float16", scales), **offsets
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=result[1], mask=result[0])


def sparse_palette(bits=2, lut="float16", tables=(1, 1), length=1, axis=None, shape=(6, 8), finish=True):
    kept = mask(shape)
    if isinstance(lut, str):
        lut = (floats if lut.startswith("float") else codes)(lut, (*tables, 2**bits, length), 6)
    vectors = {} if axis is None else {"vector_axis": np.int32(axis)}
    result = mb.constexpr_lut_to_sparse(
        indices_mask=kept,
        indices_nonzero_data=codes(f"uint{bits}", int(kept.sum())),
        lut=lut,
        **vectors,
    )
    return mb.constexpr_sparse_to_dense(nonzero_data=result[1], mask=result[0]) if finish else result[1]


def quantized_tables(tables=(2, 1), bits=4, length=1, offset=None):
    data = codes("int8", (*tables, 2**bits, length), 8)
    offsets = {} if offset is None else {"offset": codes(offset, (*tables, 1, 1), 9)}
    return mb.constexpr_blockwise_shift_scale(data=data, scale=floats("float16", (*tables, 1, 1)), **offsets)


def cast():
    return mb.constexpr_cast(source_val=floats("float16", (4, 5)), output_dtype="fp32")


# Name -> (builder of the weight, class that toykit reads it as).
IOS16 = {
    "int8, scale and zero point a channel": (affine, "Quantized"),
    "uint8, one scale": (lambda: affine("uint8", "uint8", zeros=(), scales=()), "Quantized"),
    "int8, axis from the end": (lambda: affine(zeros=(5,), scales=(5,), axis=-1), "Quantized"),
    "int8, scales in float32": (
        lambda: affine(scale="float32", axis=1, zeros=(5,), scales=(5,)),
        "Quantized",
    ),
    "uint8, zero points in int8": (lambda: affine("uint8", "int8"), "Quantized"),
    "int8, zero points in float32": (lambda: affine("int8", "float32"), "Quantized"),
    "int8, one zero point for all": (lambda: affine(zeros=()), "Quantized"),
    "int8, one scale for all": (lambda: affine(scales=()), "Quantized"),
    "1-bit palette": (lambda: old_palette(bits=1), "Palettized"),
    "6-bit palette in float32": (lambda: old_palette("float32", 6), "Palettized"),
    "palette of five axes": (lambda: old_palette(bits=4, shape=(2, 3, 2, 1, 3)), "Palettized"),
    "palette of int8": (lambda: old_palette("int8"), "Palettized"),
    "sparse": (old_sparse, "Sparse"),
    "sparse in float32": (lambda: old_sparse("float32"), "Sparse"),
    "sparse int8": (lambda: old_sparse("int8"), "Sparse"),
    "float16 cast to float32": (cast, "Cast"),
}
IOS18 = {
    "int8, blocks": (scaled, "Quantized"),
    "int4, zero points, blocks on two axes": (
        lambda: scaled("int4", offset="int4", scales=(3, 2)),
        "Quantized",
    ),
    "uint4, zero points, float32": (lambda: scaled("uint4", "float32", "uint4", (6, 4)), "Quantized"),
    "uint8, zero points in float16": (lambda: scaled("uint8", offset="float16"), "Quantized"),
    "int4, zero points in float32": (lambda: scaled("int4", "float32", "float32"), "Quantized"),
    "float16 that is scaled": (lambda: scaled("float16"), "Quantized"),
    "float32 that is scaled to float16": (lambda: scaled("float32", offset="float16"), "Quantized"),
    "3-bit palette": (lambda: palette(3), "Palettized"),
    "palettes in groups": (lambda: palette(2, tables=(1, 4)), "Palettized"),
    "palettes in blocks of two axes": (lambda: palette(2, tables=(3, 2)), "Palettized"),
    "vectors": (lambda: palette(4, length=3, axis=0), "Palettized"),
    "vectors along the groups": (lambda: palette(2, tables=(1, 4), length=2, axis=-1), "Palettized"),
    "vectors across the groups": (lambda: palette(2, tables=(3, 1), length=2, axis=1), "Palettized"),
    "vectors in blocks of three axes": (
        lambda: palette(1, "float32", (2, 3, 2), 2, 1, shape=(4, 3, 6)),
        "Palettized",
    ),
    "a palette, scaled a channel": (lambda: scaled(palette(3), scales=(6, 1)), "Palettized"),
    "a palette, scaled in blocks": (lambda: scaled(palette(3), scales=(3, 4)), "Quantized"),
    "a palette of int8, scaled": (lambda: scaled(palette(3, "int8"), scales=(6, 1)), "Quantized"),
    "a table for each scale": (scaled_tables, "Palettized"),
    "int8 tables": (lambda: palette(4, quantized_tables()), "Palettized"),
    "int8 tables with zero points, scaled": (
        lambda: scaled(palette(4, quantized_tables(offset="int8")), scales=(1, 8)),
        "Palettized",
    ),
    "int8 tables in blocks of two axes": (lambda: palette(4, quantized_tables((2, 4))), "Palettized"),
    "int8 tables of vectors": (
        lambda: palette(2, quantized_tables((1, 1), 2, 2), axis=0),
        "Palettized",
    ),
    "sparse": (sparse, "Sparse"),
    "sparse int8, not scaled": (lambda: sparse(dtype="int8"), "Sparse"),
    "sparse uint4, scaled": (lambda: scaled(sparse(dtype="uint4"), offset="uint4"), "Quantized"),
    "sparse, int8": (sparse_scaled, "Quantized"),
    "sparse, uint4 with zero points": (lambda: sparse_scaled("uint4", "uint4", (6, 4)), "Quantized"),
    "sparse, zero points in float16": (lambda: sparse_scaled("int8", "float16"), "Quantized"),
    "sparse, float16 that is scaled": (lambda: sparse_scaled("float16"), "Quantized"),
    "sparse palette": (sparse_palette, "Palettized"),
    "sparse palettes in groups": (lambda: sparse_palette(3, tables=(2, 1)), "Palettized"),
    "sparse palettes in blocks": (lambda: sparse_palette(1, tables=(2, 4)), "Palettized"),
    "sparse palette of int8": (lambda: scaled(sparse_palette(2, "uint8")), "Quantized"),
    "sparse vectors": (lambda: sparse_palette(2, length=2, axis=1), "Palettized"),
    "sparse, int8 tables": (lambda: sparse_palette(4, quantized_tables()), "Palettized"),
    "sparse palette, scaled": (
        lambda: sparse_scaled(scales=(6, 1), values=sparse_palette(2, finish=False)),
        "Quantized",
    ),
}


def program(forms):
    """A program of coremltools with a weight of each form, used by operations "weight_0", "weight_1", ..."""
    opset = ct.target.iOS17 if forms is IOS16 else ct.target.iOS18

    @mb.program(input_specs=[mb.TensorSpec(shape=(1,))], opset_version=opset)
    def made(x):
        used = []
        for number, (build, _) in enumerate(forms.values()):
            weight, name = build(), f"weight_{number}"
            if weight.dtype in (types.fp16, types.fp32):
                used.append(mb.cast(x=weight, dtype="fp32", name=name))
            else:
                used.append(mb.dequantize(input=weight, scale=np.float32(1), name=name))
        return mb.identity(x=x), *used

    return made


def model(forms):
    """The program as a package, in an MLModel."""
    with quiet():
        return ct.convert(
            program(forms),
            minimum_deployment_target=ct.target.iOS17 if forms is IOS16 else ct.target.iOS18,
            compute_precision=ct.precision.FLOAT32,
            pass_pipeline=ct.PassPipeline.EMPTY,
        )


def decompressed(forms):
    """Form -> the weight as coremltools decompresses it, in the type that the operator declares."""
    with quiet():
        made = program(forms)
        kinds = [types.nptype_from_builtin(weight.dtype) for weight in _weights(made, forms)]
        WeightDecompressor(op_selector=lambda op: True).apply(made)
    weights = (weight.val for weight in _weights(made, forms))
    return {form: weight.astype(kind) for form, weight, kind in zip(forms, weights, kinds, strict=True)}


def _weights(made, forms):
    operations = {operation.name: operation for operation in made.functions["main"].operations}
    for number in range(len(forms)):
        user = operations[f"weight_{number}"]
        yield user.x if user.op_type == "cast" else user.input
