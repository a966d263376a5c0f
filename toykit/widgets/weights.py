"""`explore`: a layer beside its compressed self, under every technique.

Each setting is compressed once, in Python, over the whole array: bytes and error are those of the
whole. The picture is an excerpt of at most 32 by 32 weights with a byte for each, so that a page can
carry all settings in about 100 kB and answer without a kernel.
"""

import math

import numpy as np
import traitlets

from .. import compressed, joint, palettization, pruning, quantization
from ..settings import INDEX_BITS
from . import grid
from .base import Instrument, table

SIDE = 32  # rows and columns of the excerpt
SHARES = (*(s / 10 for s in range(10)), 0.95)


def _divisor(size, most):
    """The largest divisor of `size` from 2 to `most`, or None: not every axis splits into 16 or 32."""
    return next((d for d in range(min(most, size // 2), 1, -1) if size % d == 0), None)


def _techniques(shape):
    """The techniques and the options that an array of this shape can take."""
    channels, inputs = shape[:2]
    block, group = _divisor(inputs, 32), _divisor(channels, 16)
    structure = {"weight": "single weights"}
    if channels >= 8:
        structure["block"] = "blocks of 4 channels"
    granularity = {"per_tensor": "tensor", "per_channel": "channel"}
    if block:
        granularity["per_block"] = f"block of {block}"
    tables = {"all": "tensor"}
    if group:
        tables["group"] = f"{group} channels"
    return (
        grid.Technique(
            "prune",
            "Pruning",
            "pruning",
            (
                grid.Axis.share("sparsity", "Sparsity", SHARES),
                grid.Axis.choice("structure", "Drop", **structure),
            ),
        ),
        grid.Technique(
            "quantize",
            "Quantization",
            "quantization",
            (
                grid.Axis.bits((2, 4, 6, 8)),
                grid.Axis.choice("mode", "Mode", symmetric="symmetric", affine="affine"),
                grid.Axis.choice("granularity", "A scale for each", **granularity),
            ),
        ),
        grid.Technique(
            "floats",
            "Small floats",
            "quantization",
            (
                grid.Axis.choice("format", "Numbers", fp4_e2m1="FP4 E2M1", fp8_e4m3="FP8 E4M3"),
                grid.Axis.choice("scale_format", "Scales", float="float16", e8m0="E8M0"),
                grid.Axis.choice("granularity", "A scale for each", **granularity),
            ),
        ),
        grid.Technique(
            "palettize",
            "Palettization",
            "palettization",
            (
                grid.Axis.bits(INDEX_BITS),
                grid.Axis.choice("table", "Table", kmeans="k-means", uniform="uniform"),
                grid.Axis.choice("tables", "A table for each", **tables),
            ),
        ),
        grid.Technique(
            "joint",
            "Pruning and palettization",
            "joint",
            (grid.Axis.share("sparsity", "Sparsity", (0.5, 0.7, 0.9)), grid.Axis.bits((2, 4, 8))),
        ),
    )


def _compress(w, technique, s):
    """The weights under one setting."""
    if technique == "prune":
        return pruning.prune(w, sparsity=s["sparsity"], block_size=4 if s["structure"] == "block" else None)
    if technique in ("quantize", "floats"):
        block = _divisor(w.shape[1], 32) if s["granularity"] == "per_block" else None
        return quantization.quantize(w, **s, block_size=block)
    if technique == "palettize":
        group = _divisor(w.shape[0], 16) if s["tables"] == "group" else None
        return palettization.palettize(w, s["bits"], s["table"], group_size=group)
    return joint.palettize(pruning.prune(w, sparsity=s["sparsity"]), s["bits"])


def _levels(technique, setting, w, dense):
    """What to draw into the histogram: the threshold, or the values that weights of one kind can take.

    Where each channel or group has its own values they are those of the first. Only values in use are
    known from `dense`, which is all that a reader sees.
    """
    if technique == "prune":
        dropped = np.abs(w[(dense == 0) & (w != 0)])
        return np.zeros(0) if setting["structure"] == "block" or not dropped.size else dropped.max()[None]
    first = dense
    if setting.get("granularity") == "per_channel":
        first = dense[:1]
    elif setting.get("granularity") == "per_block":
        first = dense[:1, : _divisor(w.shape[1], 32)]
    elif setting.get("tables") == "group":
        first = dense[: _divisor(w.shape[0], 16)]
    # In float32: NumPy 2.4's sort of float16 leaves some out of order on processors with AVX-512.
    return np.unique(first.astype(np.float32))


class Explorer(Instrument, js="explore"):
    """The widget; its options are traits, set by its controls or from Python."""

    techniques = traitlets.List().tag(sync=True)
    technique = traitlets.Unicode("palettize").tag(sync=True)
    sparsity = traitlets.Float(0.5).tag(sync=True)
    structure = traitlets.Unicode("weight").tag(sync=True)
    bits = traitlets.Int(4).tag(sync=True)
    mode = traitlets.Unicode("symmetric").tag(sync=True)
    granularity = traitlets.Unicode("per_channel").tag(sync=True)
    format = traitlets.Unicode("fp4_e2m1").tag(sync=True)
    scale_format = traitlets.Unicode("float").tag(sync=True)
    table = traitlets.Unicode("kmeans").tag(sync=True)
    tables = traitlets.Unicode("all").tag(sync=True)
    shape = traitlets.List().tag(sync=True)
    excerpt = traitlets.List().tag(sync=True)
    limit = traitlets.Float().tag(sync=True)
    original = traitlets.Bytes().tag(sync=True)
    frames = traitlets.Bytes().tag(sync=True)
    histogram = traitlets.List().tag(sync=True)
    levels = traitlets.Bytes().tag(sync=True)
    level_counts = traitlets.List().tag(sync=True)
    figures = traitlets.List().tag(sync=True)

    @traitlets.validate(
        "technique",
        "sparsity",
        "structure",
        "bits",
        "mode",
        "granularity",
        "format",
        "scale_format",
        "table",
        "tables",
    )
    def _check(self, proposal):
        return grid.check_setting(self.techniques, proposal)

    def _digested(self):
        # The picture's bytes may differ by one step on another CPU. The sizes and errors may not.
        return {name: value for name, value in self._data().items() if name not in ("frames", "levels")}

    def rows(self):
        """Return (technique, options in words, bytes, bits a weight, SNR in dB) for each setting."""
        found, size = [], math.prod(self.shape)
        for technique in _techniques(tuple(self.shape)):
            words = [dict(zip(axis.values, axis.words)) for axis in technique.axes]
            for setting in technique.settings():
                nbytes, snr, _ = self.figures[len(found)]
                snr = math.inf if snr is None else snr
                said = ", ".join(w[v] for w, v in zip(words, setting.values()))
                found.append((technique.label, said, nbytes, 8 * nbytes / size, snr))
        return found

    def fallback(self):
        rows = [
            (label, said, f"{nbytes:,}", f"{bits:.2f}", "lossless" if math.isinf(snr) else f"{snr:.1f} dB")
            for label, said, nbytes, bits, snr in self.rows()
        ]
        return table(self.label, ["Technique", "Setting", "Bytes", "Bits a weight", "Signal to noise"], rows)


def explore(w, name="a layer", technique="palettize"):
    """See an array of weights beside its compressed self, with its histogram, its error and its bytes.

    Parameters
    ----------
    w : array of float, 1 to 5 dimensions, or torch tensor
        Taken in float16, as Core ML stores weights. Output channels first. The picture shows the
        first 32 of them, and 32 weights of each; bytes and errors are those of the whole array.
    name : str
        What it is, for the headline.
    technique : {"prune", "quantize", "floats", "palettize", "joint"}
        What to show first; "floats" are FP8 and FP4, which `quantize` makes with its option `format`.

    Returns
    -------
    Explorer
        Its options, such as `technique`, `bits` and `sparsity`, follow the controls in a live notebook,
        and may be set.

    Raises
    ------
    TypeError, ValueError
        If the weights are not finite floating-point numbers, or too large for float16.

    Notes
    -----
    Some ninety settings are compressed in advance: a second for 100,000 weights, half a minute for
    two million.

    Examples
    --------
    >>> w = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float16)
    >>> technique, setting, nbytes, bits_per_weight, snr_db = explore(w).rows()[10]
    >>> technique, setting, nbytes, bits_per_weight
    ('Pruning', '50 %, single weights', 2304, 9.0)
    """
    w = compressed.check_weights(w, "w")
    compressed.check_type("name", name, str, "a text")
    compressed.check_choice("technique", technique, ("prune", "quantize", "floats", "palettize", "joint"))
    if not np.abs(w).max() <= np.finfo(np.float16).max:
        raise ValueError(
            f"w must fit into float16, up to 65,504; its largest magnitude is {np.abs(w).max():.6g}"
        )
    w = w.astype(np.float16)
    w = w[None] if w.ndim == 1 else w
    techniques = _techniques(w.shape)
    limit = float(np.abs(w).max()) or 1.0
    # A single outlier would turn the picture pale: the strongest colour is for the largest 0.5 %.
    strongest = float(np.quantile(np.abs(w), 0.995)) or limit
    rows, columns = min(SIDE, w.shape[0]), min(SIDE, math.prod(w.shape[1:]))

    def picture(weights):
        # A byte a weight: 0 for an exact zero, which a mask leaves blank, and 1 to 255 for the rest.
        part = weights.reshape(w.shape[0], -1)[:rows, :columns].astype(np.float64)
        steps = np.rint(np.clip(part / strongest, -1, 1) * 127) + 128
        return np.where(part == 0, 0, steps).astype(np.uint8).tobytes()

    frames, levels, figures = [], [], []
    for chosen in techniques:
        for setting in chosen.settings():
            c = _compress(w, chosen.name, setting)
            dense, lost = c.dense(), compressed.error(w, c)
            frames.append(picture(dense))
            at = _levels(chosen.name, setting, w, dense).astype(np.float64)
            levels.append(np.rint(np.clip(at / limit, -1, 1) * 32767).astype(np.int16))
            snr = round(lost.snr_db, 2) if math.isfinite(lost.snr_db) else None
            figures.append([c.nbytes, snr, float(f"{lost.max_abs:.3g}")])
    bins = 2 * int(np.clip(math.sqrt(w.size), 6, 48))
    counts, _ = np.histogram(w.astype(np.float64), bins=bins, range=(-limit, limit))
    return Explorer(
        label=f"Weights of {name}, compressed",
        techniques=grid.to_json(techniques),
        technique=technique,
        shape=list(w.shape),
        excerpt=[rows, columns],
        limit=limit,
        original=picture(w),
        frames=b"".join(frames),
        histogram=counts.tolist(),
        levels=np.concatenate(levels).tobytes(),
        level_counts=[len(at) for at in levels],
        figures=figures,
    )
