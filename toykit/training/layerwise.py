"""GPTQ and SparseGPT as methods: quantize or prune layer by layer, so that outputs change least.

The mathematics is in `toykit.training.gptq`; here are the inputs of the layers that it needs, collected
while a calibration set runs through the network, and what is stored in the end. Every layer is
calibrated with the inputs it has in the uncompressed network. Not here: layers calibrated one after
another, each with the inputs that the compressed ones before it produce.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import bits as packing
from .. import pruning
from ..compressed import check_fraction, check_int, check_number, shown
from ..quantization import Quantized
from .common import NEVER, NEVER_CALLED, Method, check_scope, find_layers
from .gptq import prune_columns, quantize_columns
from .pruning import SMALLEST


@dataclass(frozen=True)
class GPTQConfig:
    """How to quantize, or prune, with second-order information.

    Parameters
    ----------
    bits : {2, ..., 8} or None
        Of symmetric codes with a scale for each output channel; None with `sparsity`.
    sparsity : float in [0, 1] or None
        Prune this share instead (SparseGPT).
    damping : float
        Added to the diagonal, relative to its mean. More for fewer samples.
    max_columns : int
        A layer with more inputs to each output is cut into independent pieces of at most this many:
        a matrix of columns x columns has to be stored and inverted.
    max_rows : int
        Of the inputs of each batch at most this many are used, evenly spread: a convolution has one
        for each position.
    skip, min_size
        As in `PruningConfig`.
    """

    bits: int | None = 4
    sparsity: float | None = None
    damping: float = 0.01
    max_columns: int = 2048
    max_rows: int = 4096
    skip: tuple = ()
    min_size: int = 0

    def __post_init__(self):
        if (self.bits is None) == (self.sparsity is None):
            raise ValueError(
                f"give either bits or sparsity, and None for the other; got "
                f"bits={shown(self.bits)}, sparsity={shown(self.sparsity)}"
            )
        if self.bits is not None:
            check_int("bits", self.bits, range(2, 9))
        else:
            check_fraction("sparsity", self.sparsity, "the share of weights to set to zero")
        check_number("damping", self.damping, above=0)
        for name in ("max_columns", "max_rows"):
            check_int(name, getattr(self, name), range(1, NEVER))
        check_scope(self)


class GPTQ(Method[GPTQConfig]):
    """Quantize or prune layer by layer so that outputs change least. See `calibrate` for how to use it.

    A layer whose weight is used without calling it, such as `out_proj` of torch's attention, has no inputs
    to be seen: it stays as it is, and `skipped` names it. Layers that share a weight share their inputs.
    """

    config_type = GPTQConfig

    def choose(self, model):
        layers = find_layers(model, self.config.skip, self.config.min_size)
        for name, layer in layers.items():
            if getattr(layer, "groups", 1) != 1 or isinstance(layer, nn.Conv3d):
                raise ValueError(
                    f"{name!r} is a grouped or 3-D convolution, which GPTQ here does not know: skip it"
                )
        return layers

    def parametrization(self, name, weight):
        return None

    def begin(self, layers):
        self.model.eval()
        self.hessians, self.rows = {}, {}
        owners = {id(layer.weight): name for name, layer in self.layers.items()}

        def see(layer, inputs):
            self._see(owners[id(layer.weight)], layer, inputs[0])

        self._hooks = [layer.register_forward_pre_hook(see) for layer in layers.values()]

    @torch.no_grad()
    def _see(self, name, layer, x):
        rows = input_rows(layer, x)
        rows = rows[:: -(-len(rows) // self.config.max_rows)]
        if name not in self.hessians:
            pieces = -(-rows.shape[1] // self.config.max_columns)
            self.hessians[name] = [torch.zeros(n, n) for n in _sizes(rows.shape[1], pieces)]
            self.rows[name] = 0
        start = 0
        for hessian in self.hessians[name]:
            piece = rows[:, start : start + len(hessian)]
            hessian.addmm_(piece.T, piece)
            start += len(hessian)
        self.rows[name] += len(rows)

    def check_complete(self):
        if not self.hessians:
            raise RuntimeError(
                f"no input of {next(iter(self.layers))!r} was seen, nor of any other layer: run a "
                "calibration set through the model, training.calibrate(method, samples). If it "
                "ran, it uses the weights without calling the layers: GPTQ cannot compress it"
            )
        self.leave_out(
            [name for name in self.layers if name not in self.hessians], f"{NEVER_CALLED}; it stays as it is"
        )

    def end(self):
        for hook in self._hooks:
            hook.remove()
        self.hessians = {}  # they can be many times larger than the model

    def compress(self, name, layer, weight):
        matrix, config = weight.detach().flatten(1), self.config
        pieces = matrix.split([len(hessian) for hessian in self.hessians[name]], dim=1)
        hessians = [hessian / self.rows[name] for hessian in self.hessians[name]]
        if config.bits is None:
            kept = torch.cat(
                [
                    prune_columns(piece, hessian, config.sparsity, config.damping)
                    for piece, hessian in zip(pieces, hessians, strict=True)
                ],
                dim=1,
            )
            kept = (kept * (kept.abs() > SMALLEST)).half().reshape(weight.shape)
            return pruning.prune(kept.numpy(), threshold=0)
        high = 2 ** (config.bits - 1) - 1
        scale = (matrix.abs().amax(1, keepdim=True) / high).half().float().clamp_min(2.0**-24)
        codes = (
            torch.cat(
                [
                    quantize_columns(piece, hessian, scale, -high, high, config.damping)
                    for piece, hessian in zip(pieces, hessians, strict=True)
                ],
                dim=1,
            )
            .reshape(weight.shape)
            .numpy()
        )
        return Quantized(
            codes=codes if config.bits == 8 else packing.pack(codes, config.bits, signed=True),
            scale=scale.numpy().astype(np.float16).reshape(-1, *[1] * (weight.dim() - 1)),
            zero_point=None,
            shape=codes.shape,
            bits=config.bits,
            signed=True,
        )


def input_rows(layer, x):
    """The inputs of a layer as rows, one for each time that its weights are applied: (rows, columns).

    The columns are those of ``layer.weight.flatten(1)``: a convolution sees one patch a position.
    """
    if isinstance(layer, nn.Linear):
        return x.reshape(-1, x.shape[-1])
    weight = layer.weight
    if isinstance(layer, nn.Conv1d):
        x, weight = x[:, :, None], weight[:, :, None]

    def pair(value):
        return (0, value[0]) if isinstance(layer, nn.Conv1d) else tuple(value)

    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        left, right, top, bottom = (*layer._reversed_padding_repeated_twice, 0, 0)[:4]
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x, padding = functional.pad(x, (left, right, top, bottom), mode=mode), (0, 0)
    else:
        padding = pair(layer.padding)
    stride, dilation = (tuple(max(v, 1) for v in pair(value)) for value in (layer.stride, layer.dilation))
    patches = functional.unfold(x, weight.shape[2:], dilation=dilation, padding=padding, stride=stride)
    return patches.transpose(1, 2).reshape(-1, patches.shape[1])


def _sizes(total, pieces):
    """`total` in `pieces` parts whose sizes differ by at most 1."""
    return [total // pieces + (i < total % pieces) for i in range(pieces)]
