"""Constants of a program in words: what a compressed one is a part of, and small ones as text."""

import math

import numpy as np

from .protobuf import PackageError

_LONGEST = 60  # characters


def form_of(operation, types):
    """What an operator that decompresses is given, in words.

    Parameters
    ----------
    operation : toykit.coreml.program.Operation
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
        codes = next((types[name] for name in ("quantized_data", "data", "nonzero_data") if types.get(name)), None)
        dtype = codes.dtype if codes is not None else "codes"
        scales = math.prod(scale.shape)
        # A scale for each slice along one axis of the weight, and that axis whole: channels.
        along = [size for size in scale.shape if size > 1]
        channels = len(along) == 1 and along[0] in whole
        return f"{dtype}, a scale for each of {scales} channels" if channels else f"{dtype}, {_count(scales, 'scale')}"
    if types.get("nonzero_data") is not None:
        kept = math.prod(types["nonzero_data"].shape)
        return f"{100 - 100 * kept / max(1, math.prod(whole)):.1f} % zero, {types['nonzero_data'].dtype}"
    source = types.get("source_val")
    return f"{source.dtype} that runs as {next(iter(operation.outputs.values())).dtype}" if source else operation.op


def _count(number, noun):
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _text(value):
    """A small constant as text, with as many digits as its type has."""
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return _text(value[()])
        return f"[{', '.join(_text(item) for item in value.ravel()[:40])}]"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, np.floating):
        return f"{float(value):.4g}"
    return str(value)


def setting_of(value, before=""):
    """A small constant as text of at most 60 characters, after the text of those `before` it."""
    text = f"{before}, {_text(value)}" if before else _text(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
