"""What goes into a model and what comes out, as an app sees it.

The description at the start of `model.mlmodel` names each input and output and says whether it is an
image, a multi-array or something else, and which sizes it may have. Types *inside* the program can
differ: an image enters the program as a float tensor.
"""

import math
from dataclasses import dataclass

import numpy as np

from .protobuf import PackageError
from .schema import ARRAY_DTYPES, COLOR_SPACES

_DEFAULTS = ("intDefaultValue", "floatDefaultValue", "doubleDefaultValue")
_MOST_ELEMENTS = 2**40


@dataclass(frozen=True)
class Feature:
    """One input, output or state.

    Attributes
    ----------
    name : str
    kind : str
        "multiArray", "image", "state", "dictionary", "sequence", "int64", "double" or "string".
    dtype : str
        Element type of a multi-array or state; "" for others.
    shape : tuple of int
        The default shape: of an image (height, width); () for others.
    ranges : tuple of (int, int) or None
        Lowest and highest size of each axis, -1 for no highest; None if the shape is not a range.
    shapes : tuple of tuple of int or None
        The only shapes allowed; None if they are not listed.
    color : str
        "RGB", "BGR", "GRAYSCALE" or "GRAYSCALE_FLOAT16" for an image; "" for others.
    optional : bool
    about : str
        The author's sentence.
    default : float or int
        What fills an optional multi-array that is not given.
    """

    name: str
    kind: str
    dtype: str = ""
    shape: tuple = ()
    ranges: tuple | None = None
    shapes: tuple | None = None
    color: str = ""
    optional: bool = False
    about: str = ""
    default: float = 0


@dataclass(frozen=True)
class Description:
    """Inputs, outputs and states by name, in order, and the metadata of the model.

    `functions` holds the same for each function of a package that has several.
    """

    inputs: dict
    outputs: dict
    states: dict
    metadata: dict
    predicted_feature: str = ""
    default_function: str = "main"
    functions: dict | None = None


def read_description(message):
    """Build a `Description` from a decoded "ModelDescription" (or "FunctionDescription").

    Raises
    ------
    PackageError
        If a feature has no type, or sizes that no array has; or two have one name.
    """
    functions = message.get("functions", [])
    return Description(
        *(_features(message.get(part, []), part) for part in ("input", "output", "state")),
        metadata=message.get("metadata", {}),
        predicted_feature=message.get("predictedFeatureName", ""),
        default_function=message.get("defaultFunctionName", "") or "main",
        functions={part.get("name", ""): read_description(part) for part in functions} or None,
    )


def _features(messages, part):
    found = {}
    for message in messages:
        name = message.get("name", "")
        if name in found:
            raise PackageError(f"two {part}s are called {name!r}")
        try:
            found[name] = _feature(name, message)
        except PackageError as error:
            raise PackageError(f"{part} {name!r} {error}") from error
    return found


def _feature(name, message):
    content = dict(message.get("type", {}))
    common = {"optional": content.pop("isOptional", False), "about": message.get("shortDescription", "")}
    # Of kinds that exclude each other the last one holds.
    key, details = next(reversed(content.items()), ("", {}))
    kind = key.removesuffix("Type")
    if not kind:
        raise PackageError("has no type")
    if kind == "image":
        details = _image(details)
    elif kind == "multiArray":
        details = _array(details)
    elif kind == "state":
        details = _array(details.get("arrayType", {}))
    else:
        details = {}
    feature = Feature(name, kind, **details, **common)
    for shape in (feature.shape, *(feature.shapes or ())):
        if min(shape, default=0) < 0 or math.prod(shape) > _MOST_ELEMENTS:
            raise PackageError(f"has shape {shape}")
    if feature.ranges is not None and feature.shape and len(feature.ranges) != len(feature.shape):
        raise PackageError(f"has {len(feature.ranges)} ranges of sizes for shape {feature.shape}")
    if feature.dtype.startswith("int"):
        allowed = np.iinfo(feature.dtype)
        if not allowed.min <= feature.default <= allowed.max:
            raise PackageError(f"has {feature.default} for a default, which {feature.dtype} does not hold")
    return feature


def _array(message):
    ranges = message.get("shapeRange", {}).get("sizeRanges")
    shapes = message.get("enumeratedShapes", {}).get("shapes")
    return {
        "dtype": ARRAY_DTYPES.get(message.get("dataType", 0), ""),
        "shape": tuple(message.get("shape", ())),
        "ranges": None if ranges is None else tuple(map(_range, ranges)),
        "shapes": None if shapes is None else tuple(tuple(shape.get("shape", ())) for shape in shapes),
        "default": next((message[name] for name in _DEFAULTS if name in message), 0),
    }


def _image(message):
    ranges = message.get("imageSizeRange")
    sizes = message.get("enumeratedSizes", {}).get("sizes")
    if ranges is not None:
        ranges = tuple(_range(ranges.get(axis, {})) for axis in ("heightRange", "widthRange"))
    if sizes is not None:
        sizes = tuple((size.get("height", 0), size.get("width", 0)) for size in sizes)
    return {
        "shape": (message.get("height", 0), message.get("width", 0)),
        "ranges": ranges,
        "shapes": sizes,
        "color": COLOR_SPACES.get(message.get("colorSpace", 0), ""),
    }


def _range(message):
    return message.get("lowerBound", 0), message.get("upperBound", 0)
