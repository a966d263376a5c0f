"""What a prediction is given, checked against the model's description; and what it gives back.

The types are those of `MLModel.predict`: multi-arrays are NumPy arrays, images are PIL images (or
arrays of bytes), a classifier's probabilities are a dictionary.
"""

import numpy as np

from .operators import check_result

_CHANNELS = {"RGB": "RGB", "BGR": "BGR", "GRAYSCALE": "L", "GRAYSCALE_FLOAT16": "F"}


def check_inputs(inputs, features):
    """Arrays for a program's inputs.

    Parameters
    ----------
    inputs : dict of str to array or image
    features : dict of str to toykit.coreml.format.features.Feature

    Returns
    -------
    dict of str to ndarray
        Multi-arrays in float32, int32 or int8; images as (1, channels, height, width) in float32.

    Raises
    ------
    TypeError
        If `inputs` is no dictionary, or an input holds something else than numbers.
    ValueError
        If an input is missing, unknown, or has a shape that the model does not take.
    """
    if not isinstance(inputs, dict):
        raise TypeError(f"inputs must be a dictionary of input names to arrays; got {type(inputs).__name__}")
    unknown = [name for name in inputs if name not in features]
    if unknown:
        raise ValueError(f"the model has no input {unknown[0]!r}; its inputs are {_names(features)}")
    arrays = {}
    for name, feature in features.items():
        if inputs.get(name) is not None:
            check = _image if feature.kind == "image" else _multi_array
            arrays[name] = check(name, inputs[name], feature)
        elif feature.optional:
            arrays[name] = np.full(check_result(feature.shape), feature.default, _element_type(feature))
        else:
            raise ValueError(f"input {name!r} is missing; the model's inputs are {_names(features)}")
    return arrays


def convert_output(values, feature, rounded):
    """A result as an app would see it.

    Parameters
    ----------
    values : ndarray, str, int or dict
    feature : toykit.coreml.format.features.Feature
    rounded : bool
        Whether a multi-array of float16 is given as float16; otherwise as float32, unrounded.
    """
    if not isinstance(values, np.ndarray):
        return values
    if feature.kind == "image":
        return _to_image(values, feature)
    if feature.kind == "int64":
        return int(values.reshape(()))
    dtype = feature.dtype
    if dtype == "float16" and not rounded:
        dtype = "float32"
    # A copy: what the caller does with an answer must not reach a constant or a state.
    return values.astype(dtype or values.dtype)


def _names(features):
    return ", ".join(map(repr, features)) or "none"


def _element_type(feature) -> np.dtype:
    return np.dtype(feature.dtype if feature.dtype.startswith("int") else "float32")


def _multi_array(name, values, feature):
    try:
        # Tensors of torch on another device or with a gradient say by themselves what is wrong.
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"input {name!r} must be an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise TypeError(f"input {name!r} must be an array of numbers; got {array.dtype}")
    wanted = _element_type(feature)
    if wanted.kind == "i":
        if array.dtype.kind == "f" and not np.array_equal(array, np.trunc(array)):
            raise TypeError(f"input {name!r} must hold whole numbers ({wanted}); got {array.dtype}")
        allowed = np.iinfo(wanted)
        if array.size and not (allowed.min <= array.min() and array.max() <= allowed.max):
            raise ValueError(
                f"input {name!r} must hold numbers from {allowed.min} to {allowed.max} ({wanted}); "
                f"got {array.min()} to {array.max()}"
            )
    _check_shape(name, array.shape, feature)
    return np.ascontiguousarray(array, wanted) if array.ndim else array.astype(wanted)


def _check_shape(name, shape, feature):
    if feature.shapes is not None:
        # The default shape belongs to the list, and is not always repeated in it.
        allowed = (feature.shape, *feature.shapes)
        fits, said = tuple(shape) in allowed, " or ".join(map(str, dict.fromkeys(allowed)))
    elif feature.ranges is not None:
        fits = len(shape) == len(feature.ranges) and all(
            low <= size and (high < 0 or size <= high) for size, (low, high) in zip(shape, feature.ranges)
        )
        said = "(" + ", ".join(_range(low, high) for low, high in feature.ranges) + ")"
    else:
        fits, said = tuple(shape) == feature.shape or not feature.shape, str(feature.shape)
    if not fits:
        raise ValueError(f"input {name!r} must have shape {said}; got {tuple(shape)}")


def _range(low, high):
    if low == high:
        return str(low)
    return f"{low} or more" if high < 0 else f"{low} to {high}"


def _image(name, image, feature):
    """(1, channels, height, width), channels in the order that the model asks for."""
    mode = _CHANNELS.get(feature.color)
    if mode is None:
        raise ValueError(f"input {name!r} is an image of an unknown colour space")
    if hasattr(image, "convert"):  # a PIL image
        pixels = np.asarray(image.convert("RGB" if mode == "BGR" else mode))
    else:
        pixels = np.asarray(image)
    gray = mode in ("L", "F")
    if (
        pixels.dtype.kind not in "fu"
        or pixels.ndim != (2 if gray else 3)
        or (not gray and pixels.shape[2] != 3)
    ):
        layout = "(height, width)" if gray else "(height, width, 3), red first"
        raise TypeError(
            f"input {name!r} must be a PIL image or an array of bytes of shape {layout}; "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    _check_shape(name, pixels.shape[:2], feature)
    pixels = pixels.astype(np.float32)
    if gray:
        return pixels[None, None]
    if mode == "BGR":
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0)[None])


def _to_image(values, feature):
    """A PIL image, or an array of bytes where Pillow is missing."""
    pixels = np.moveaxis(values.reshape(values.shape[-3:]), 0, -1)
    if feature.color == "GRAYSCALE_FLOAT16":
        pixels = pixels[..., 0].astype(np.float32)
    else:
        # Core ML cuts to bytes; it does not wrap around.
        pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        pixels = pixels[..., 0] if feature.color == "GRAYSCALE" else pixels
        pixels = pixels[..., ::-1] if feature.color == "BGR" else pixels
    try:
        from PIL import Image
    except ImportError:
        return np.ascontiguousarray(pixels)
    return Image.fromarray(np.ascontiguousarray(pixels))
