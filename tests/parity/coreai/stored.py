"""Arrays through coreai-opt: a program that holds them, a pass over it, and what it then stores."""

import logging
from functools import cache

import numpy as np
import torch
from torch import nn

import toykit as tk
from toykit._quiet import quiet
from toykit.coreai.names import write_names


@cache
def passes():
    """coreai-opt's passes over programs: quantize_weights, palettize_weights, sparsify_weights."""
    with quiet():
        from coreai_opt import coreai_utils
        from coreai_opt.coreai_utils._utils import palettize_utils
    # Its k-means runs in four processes, forked from one that has threads already: some machines wait for ever.
    palettize_utils._compress_pool = _OneProcess()
    return coreai_utils


class _OneProcess:
    def starmap(self, function, arguments):
        return [function(*each) for each in arguments]

    def terminate(self):
        pass


class _Layers(nn.Module):
    """A linear layer for each array of two dimensions, a convolution for each of four."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(torch.from_numpy(weight.copy()), False) for weight in weights
        )

    def forward(self, *inputs):
        calls = {2: nn.functional.linear, 4: nn.functional.conv2d}
        return tuple(calls[w.ndim](x, w) for x, w in zip(inputs, self.weights, strict=True))


def program(weights):
    """A program with a layer for each of some arrays, whose answers to `identity` are the arrays.

    `tk.coreai.convert` has one precision for all of them; here each keeps its own.
    """
    examples = tuple(torch.from_numpy(identity(weight)) for weight in weights)
    with quiet():
        import coreai_torch

        exported = torch.export.export(_Layers(weights).eval(), examples)
        exported = exported.run_decompositions(coreai_torch.get_decomp_table())
        made = coreai_torch.TorchConverter().add_exported_program(exported).to_coreai()
        write_names(made, exported)
    return made


def identity(weight):
    """What a layer answers with its weights: one at a time is 1."""
    count = weight[0].size
    return np.eye(count, dtype=weight.dtype).reshape(count, *weight.shape[1:])


def run(program, weights):
    """What a program's weights are when Apple's runtime uses them."""
    model = tk.coreai.load(program)
    given = dict(zip(model.inputs, map(identity, weights), strict=True))
    found = model.predict(given).values()
    return [
        answer.reshape(answer.shape[:2]).T.reshape(w.shape) for answer, w in zip(found, weights, strict=True)
    ]


# The options that are words of coreai-opt's own, and the enumerations that these are from.
_WORDS = dict.fromkeys(("dtype", "lut_dtype", "quantize_dtype", "scale_dtype"), "DType")
_WORDS |= {"qscheme": "QScheme", "granularity": "CompressionGranularity"}


def compressed(program, name, threshold=0, **options):
    """The program after one of the passes; weights of at most `threshold` elements stay as they are."""
    words = passes().common
    options = {
        key: getattr(words, _WORDS[key])[value] if key in _WORDS and value else value
        for key, value in options.items()
    }
    logger = logging.getLogger("coreai_opt")
    before, logger.level = (
        logger.level,
        logging.ERROR,
    )  # it says of each weight that does not divide that it does not
    try:
        with quiet(), np.errstate(all="ignore"):
            return getattr(passes(), name)(program, weight_num_threshold=threshold, **options)
    finally:
        logger.level = before


def parts(form):
    """The stored arrays of a form by name, unpacked; a zero point that is left out is 0."""
    if isinstance(form, np.ndarray):
        return {"values": form}
    if isinstance(form, tk.Quantized):
        zero = form.zero_points
        found = {"codes": form.integers, "scale": form.scale}
        found["zero point"] = np.zeros(form.scale.shape, form.integers.dtype) if zero is None else zero
    elif isinstance(form, tk.SmallFloats):
        codes = form.codes if form.codes.shape == form.shape else tk.bits.unpack(form.codes, 4, form.size)
        found = {"codes": codes.reshape(form.shape), "scale": form.scale}
    elif isinstance(form, tk.Palettized):
        found = {"indices": form.codes} | {f"table {name}": part for name, part in parts(form.lut).items()}
        found |= {} if form.scale is None else {"scale": form.scale}
    else:
        found = {f"survivors' {name}": part for name, part in parts(form.values).items()}
    mask = getattr(form, "mask", None)
    return found if mask is None else found | {"mask": np.packbits(form.kept)}
