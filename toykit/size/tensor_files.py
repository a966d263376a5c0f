"""The tensors of a safetensors file or of a state dict that torch saved, without running anything of the file.

A safetensors file is eight bytes for the length of its header, the header in JSON (name, type, shape and place of
each tensor) and the tensors. That is read here, each tensor when its values are asked for. The format is described
at https://github.com/huggingface/safetensors.

A state dict is a pickle, and a pickle can name any function to be called. `torch.load(weights_only=True)` reads
those that hold tensors and plain containers, and refuses all others; before torch 2.6 it could be misled
(CVE-2025-32434), so an older torch is not asked. Exported programs (.pt2), TorchScript and other pickles are
refused unread.

Not here: what the ledger makes of the tensors (`toykit.size.sources`).
"""

import json
import math
import re
import zipfile
from functools import partial

import numpy as np

from .._optional import require
from .._quiet import quiet
from .._text import printable
from ..compressed import as_array
from ..stored.parts import BITS, Weight

STATE_DICTS = (".pt", ".pth", ".bin", ".ckpt")
_PICKLES = (".pickle", ".pkl", ".joblib", ".pt2")
SUFFIXES = (".safetensors", *STATE_DICTS, *_PICKLES)
_LONGEST_HEADER = 100_000_000  # that of the format's own library
# The format's name of a type -> toykit's.
_TYPES = {
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
} | {
    f"{sign}{bits}": f"{kind}{bits}"
    for bits in (8, 16, 32, 64)
    for sign, kind in (("I", "int"), ("U", "uint"))
}
# Where the weights of a training checkpoint are, beside what else was saved.
_NESTED = ("state_dict", "model_state_dict", "model")
_SAVE = "save the weights alone, with torch.save(model.state_dict(), ...) or as safetensors"


def read(path):
    """The tensors of a file, and the bytes that are none of theirs.

    Parameters
    ----------
    path : Path
        With a suffix of `SUFFIXES`.

    Returns
    -------
    (list of (name, operation, Weight), dict of str to int)
        As a ledger takes them. Operations are unknown: "". A tensor that a state dict has under several names is
        listed under the first.

    Raises
    ------
    FileNotFoundError, ImportError
        If there is no such file, or no torch to read a state dict with.
    ValueError
        If the file is not sound, or could run code of its author when it is loaded.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    if not path.is_file():
        raise ValueError(f"{path.name} is no file; weights are in a file, or in the folder of an .mlpackage")
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise ValueError(
            f"{path.name} is not opened: loading a {suffix} file can run code of its author; {_SAVE}"
        )
    tensors = _safetensors(path) if suffix == ".safetensors" else _state_dict(path)
    count = sum(-(-weight.size * BITS.get(weight.dtype, 0) // 8) for _, _, weight in tensors)
    return tensors, {"header" if suffix == ".safetensors" else "pickle": max(0, path.stat().st_size - count)}


# --- safetensors ---


def _safetensors(path):
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, _LONGEST_HEADER):
            raise _unsound(path, "it does not begin with the length of its header")
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _unsound(path, f"its header cannot be read: {error}") from None
    if not isinstance(header, dict):
        raise _unsound(path, "its header is no list of names")
    header.pop("__metadata__", None)
    tensors, end = [], 0
    spans = {}
    for name, entry in header.items():
        dtype, shape, (start, stop) = _entry(path, name, entry)
        spans[name] = (start, stop)
        values = partial(_values, path, dtype, shape, 8 + length + start)
        tensors.append((name, "", Weight(shape, dtype, values if dtype in _READ else None)))
    for name, (start, stop) in sorted(spans.items(), key=lambda item: item[1]):
        if start != end:
            raise _unsound(path, f"{name!r} begins at {start:,}, and what is before it ends at {end:,}")
        end = stop
    if end != size - 8 - length:
        raise _unsound(path, f"its tensors take {end:,} bytes of {size - 8 - length:,}")
    return tensors


def _once(pairs):
    """A JSON object none of whose names comes twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _entry(path, name, entry):
    """Type, shape and place of a tensor, checked."""
    try:
        dtype, shape, span = _TYPES[entry["dtype"]], tuple(entry["shape"]), tuple(entry["data_offsets"])
    except (KeyError, TypeError):
        raise _unsound(path, f"{name!r} lacks a dtype, shape or data_offsets that is known") from None
    if not all(type(number) is int and number >= 0 for number in (*shape, *span)) or len(span) != 2:
        raise _unsound(path, f"the shape and the offsets of {name!r} must be whole numbers from 0 up")
    needed = math.prod(shape) * BITS[dtype] // 8
    if span[1] - span[0] != needed:
        raise _unsound(path, f"{name!r} takes {span[1] - span[0]:,} bytes, and its shape {needed:,}")
    return dtype, shape, span


# Types of which the values can be read; float8 is weighed alone.
_READ = {
    name: np.dtype(name).newbyteorder("<")
    for name in _TYPES.values()
    if not name.startswith(("float8", "bf"))
}
_READ["bfloat16"] = np.dtype("<u2")


def _values(path, dtype, shape, start):
    count = math.prod(shape)
    found = np.fromfile(path, _READ[dtype], count, offset=start)
    if found.size != count:
        raise _unsound(path, "it has become shorter")
    if dtype == "bfloat16":  # the upper half of a float32
        found = (found.astype(np.uint32) << 16).view(np.float32)
    return found.reshape(shape)


def _unsound(path, why):
    return ValueError(printable(f"{path.name} is not a sound safetensors file: {why}"))


# --- state dicts ---


def _state_dict(path):
    _refuse_programs(path)
    torch = require(
        "torch", f"reading a state dict ({path.suffix}) needs torch; a .safetensors file does not"
    )
    if tuple(map(int, re.findall(r"\d+", torch.__version__)[:2])) < (2, 6):
        raise ValueError(
            f"{path.name} is not opened: torch {torch.__version__} can be made to run code by it (CVE-2025-32434); "
            "torch 2.6 or newer cannot"
        )
    found = _load(torch, path)
    if isinstance(found, dict):
        found = next((found[key] for key in _NESTED if isinstance(found.get(key), dict)), found)
    tensors, places = [], set()
    for name, tensor in _flat(torch, found):
        if tensor.layout is not torch.strided:
            raise ValueError(f"{path.name}: {name!r} is a sparse tensor, which is not weighed")
        storage = tensor.untyped_storage()
        if tensor.numel() * tensor.element_size() > storage.nbytes():
            raise ValueError(f"{path.name}: {name!r} has fewer numbers than its shape {tuple(tensor.shape)}")
        place = (storage.data_ptr(), tensor.storage_offset(), tensor.shape, tensor.stride())
        if tensor.numel() and place in places:
            continue
        places.add(place)
        dtype = str(tensor.dtype).removeprefix("torch.")
        values = partial(as_array, name, tensor)
        tensors.append((name, "", Weight(tuple(tensor.shape), dtype, values)))
    return tensors


def _refuse_programs(path):
    """Stop at an archive of torch that holds a program, not weights."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(printable(f"{path.name} cannot be read: {error}")) from None
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError(
            f"{path.name} is not opened: it is a compressed archive, which torch does not write; {_SAVE}"
        )
    inside = {entry.filename.partition("/")[2] for entry in entries}
    if "data.pkl" in inside and not any(
        name.startswith("code/") or name == "constants.pkl" for name in inside
    ):
        return
    raise ValueError(
        f"{path.name} is not opened: it holds a program (TorchScript or exported), or no weights; {_SAVE}"
    )


def _load(torch, path):
    # Old files cannot be mapped into memory, only read.
    options = {"map_location": "cpu", "weights_only": True, "mmap": zipfile.is_zipfile(path)}
    try:
        with quiet():
            return torch.load(path, **options)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # whatever a broken or hostile file makes of the reader
        # Torch's own words advise to load it all the same.
        raise ValueError(
            f"{path.name} is not opened: it is no state dict, or holds more than weights, and loading it could run "
            f"code of its author ({type(error).__name__}); {_SAVE}"
        ) from None


def _flat(torch, found):
    """Yield (name, tensor) of nested dictionaries and lists; each of these once, however often it is named."""
    seen, todo = set(), [("", found)]
    while todo:
        name, value = todo.pop()
        if isinstance(value, torch.Tensor):
            yield name or "tensor", value
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            todo += reversed([(f"{name}.{key}" if name else str(key), inner) for key, inner in items])
