"""Constants of a program in words: what a compressed one is a part of, and small ones as text."""

import math

import numpy as np

from ..format.protobuf import PackageError

_LONGEST = 60  # characters


def form_of(operation, types):
    """What an operator that decompresses is given, in words.

    Parameters
    ----------
    operation : toykit.coreml.format.program.Operation
    types : dict of str to Type
        Of its parameters.

    Raises
    ------
    PackageError
        If the parts do not have shapes that can be told.
    """
    try:
        return _form(operation, types)
    except (AttributeError, IndexError, StopIteration, TypeError, ValueError) as error:
        problem = "its parts are not tensors of known shapes"
        raise PackageError(f"{operation.op} {operation.name!r}: {problem}") from error


def _form(operation, types):
    whole = next(iter(operation.outputs.values())).shape
    lut, scale = types.get("lut"), types.get("scale")
    if lut is not None:
        old = len(lut.shape) == 1
        entries, length = (lut.shape[0], 1) if old else lut.shape[-2:]
        tables = 1 if old else math.prod(lut.shape[:-2])
        vectors = f" of vectors of {length}" if length > 1 else ""
        return f"{max(1, (entries - 1).bit_length())}-bit palette, {_count(tables, 'table')}{vectors}"
    if scale is not None:
        codes = next(types[name] for name in ("quantized_data", "data", "nonzero_data") if types.get(name))
        scales = math.prod(scale.shape)
        # One for each slice along a whole axis; iOS 16 and 17 write that axis alone.
        if len(scale.shape) == len(whole):
            wide = [(size, along) for size, along in zip(scale.shape, whole) if size > 1]
        else:
            wide = [(size, size if size in whole else 0) for size in scale.shape]
        if len(wide) == 1 and wide[0][0] == wide[0][1]:
            return f"{codes.dtype}, a scale for each of {scales:,} channels"
        return f"{codes.dtype}, {_count(scales, 'scale')}"
    if types.get("nonzero_data") is not None:
        kept = math.prod(types["nonzero_data"].shape)
        return f"{100 - 100 * kept / max(1, math.prod(whole)):.1f} % zero, {types['nonzero_data'].dtype}"
    runs_as = next(iter(operation.outputs.values())).dtype
    return f"{types['source_val'].dtype} that runs as {runs_as}" if "source_val" in types else operation.op


def _count(number, noun):
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _text(value):
    """A small constant as text, with as many digits as its type has."""
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return _text(value[()])
        return f"[{', '.join(_text(item) for item in value.ravel()[:40])}]"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value[:40]))}]"
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, np.floating):
        return f"{float(value):.4g}"
    return str(value)[: _LONGEST + 1]


def setting_of(value, before=""):
    """A small constant as text of at most 60 characters, after the text of those `before` it."""
    text = f"{before}, {_text(value)}" if before else _text(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
