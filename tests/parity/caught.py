"""Faults that `tk.verify` catches: each makes a package, and the one that it should have come from.

The page of known failures has the table: `python -m tests.parity.caught` prints it. `test_caught.py` tries each.
"""

import copy

import numpy as np
import torch
from torch import nn

import toykit as tk
from tests import handmade
from tests.parity.faults import Flattened, noise, quantized
from tests.parity.running import ct
from tests.strategies import trained
from tests.verification import nets
from toykit._quiet import quiet
from toykit.coreml.tools.opening import open_mlmodel

IOS17 = {"minimum_deployment_target": ct.target.iOS17}
CAUGHT = {}
HALF = "are more than half a step away from what their codes say"


def caught(what, said, report="", **options):
    """Note a fault, by what makes it, with the beginning of what verify says of it."""

    def note(make):
        CAUGHT[make.__name__.replace("_", " ")] = what, said, report, options, make
        return make

    return note


def written(folder, *layers):
    return handmade.write(folder / "Model.mlpackage", list(layers))


def by_coremltools(function, path, **config):
    """A package that coremltools alone compressed."""
    import coremltools.optimize.coreml as cto

    name = {"palettize_weights": "OpPalettizerConfig", "linear_quantize_weights": "OpLinearQuantizerConfig"}
    chosen = getattr(cto, name[function])(**config)
    with quiet(), np.errstate(all="ignore"):
        return getattr(cto, function)(open_mlmodel(path), cto.OptimizationConfig(chosen))


def damaged(path, form="int8"):
    """A right compressed package beside the original, to be changed."""
    return nets.compress(path, form, path.with_name("Small.mlpackage"))


@caught(
    "Core ML Tools divides a weight by its scales, finds that it cannot be palettized, and leaves it divided",
    "2,304 of 2,304 numbers are not what they were",
    "https://github.com/apple/coremltools/pull/2777",
)
def a_skipped_weight_that_is_left_divided(folder):
    path = written(folder, ("linear", trained((48, 48))))
    grouped = {"granularity": "per_grouped_channel", "group_size": 32, "enable_per_channel_scale": True}
    return by_coremltools("palettize_weights", path, nbits=4, **grouped), path


@caught(
    "Core ML Tools stores constants that differ a little as one",
    "1 of 2,304 numbers are not what they were",
)
def nearly_equal_constants(folder):
    weight = trained((48, 48))
    weight[-1, -1], other = 0, weight.copy()
    other[-1, -1] = np.finfo(np.float16).smallest_subnormal
    path = written(folder, ("linear", weight), ("linear", other), ("linear", trained((64, 64), 5)))
    import coremltools.optimize.coreml as cto

    config = cto.OptimizationConfig(op_name_configs={"w2": cto.OpLinearQuantizerConfig()})
    with quiet():
        return cto.linear_quantize_weights(open_mlmodel(path), config), path


@caught(
    "Core ML Tools reads the codes of 8-bit activations with another scale behind `x.flatten` (the pass "
    "`int_op_canonicalization`)",
    "where 20 dB are needed",
    tables="given",
)
def activations_with_another_scale(folder):
    return activations(Flattened())


class Right(Flattened):
    """The same network, in a form that Core ML Tools converts as it should."""

    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()

    def forward(self, x):
        return self.linear(self.flatten(self.relu(self.conv(x))))


def activations(network):
    """W8A8 by LinearQuantizer, and the network with float weights that it was made from."""
    example = noise(8, 3, 8, 8)
    plain = copy.deepcopy(network).eval()
    found = []
    for model in (quantized(network, example), plain):
        with quiet(), torch.no_grad():
            traced = torch.jit.trace(model.eval(), example)
            inputs = [ct.TensorType(name="x", shape=example.shape)]
            found.append(ct.convert(traced, inputs=inputs, outputs=[ct.TensorType(name="y")], **IOS17))
    return tuple(found)


@caught(
    "Core ML Tools' linear mode loses the zero point of weights that span more than 511: float16 cannot hold "
    "the product that it is made of",
    HALF,
)
def a_zero_point_beyond_511(folder):
    weight = np.float16(trained((48, 48)).astype(np.float32) * 1500)
    assert np.ptp(weight.astype(np.float32)) > 511
    return by_coremltools(
        "linear_quantize_weights",
        written(folder, ("linear", weight)),
        mode="linear",
        granularity="per_tensor",
    ), folder / "Model.mlpackage"


@caught(
    "Core ML Tools' symmetric int8 of float16 weights above 32,752: twice the largest is infinite",
    "are infinite or no number",
)
def weights_above_32752(folder):
    weight = trained((48, 48))
    weight[0, 0] = 40000
    path = written(folder, ("linear", weight))
    return by_coremltools("linear_quantize_weights", path, granularity="per_tensor"), path


@caught(
    "The arrays of two weights of one shape are swapped in weight.bin",
    HALF,
)
def swapped_records(folder):
    path = written(folder, ("linear", trained((48, 64), 1)), ("linear", trained((48, 64), 2)))
    return nets.swap(damaged(path), "w0_quantized", "w1_quantized"), path


@caught("weight.bin was cut, as by a full disk or a broken download", "reach past the end of the file")
def a_cut_weight_file(folder):
    small = damaged(path := written(folder, ("linear", trained((48, 64)))))
    file = small / nets.WEIGHTS
    file.write_bytes(file.read_bytes()[:-9])
    return small, path


@caught(
    "One byte of weight.bin is another: a code",
    HALF,
)
def an_edited_code(folder):
    path = written(folder, ("linear", trained((48, 64))))
    return nets.flip(damaged(path), "w0_quantized", "data", 100, by=64), path


@caught(
    "One byte of weight.bin is another: the last bit of a scale",
    "not those of the scale that the original asks for",
)
def an_edited_scale(folder):
    path = written(folder, ("linear", trained((48, 64))))
    return nets.flip(damaged(path), "w0_quantized", "scale", 0), path


@caught("An entry of a table is another", "are not those of the table that toykit finds, and the others are")
def a_wrong_table(folder):
    path = written(folder, ("linear", trained((48, 64))))
    return nets.flip(damaged(path, "palette"), "w0_palettized", "lut", 4), path


@caught(
    "A table of one's own for every weight, where the best one was asked for",
    "are not those of the table that the original asks for",
)
def another_table(folder):
    weight = trained((128, 96))
    path = written(folder, ("linear", weight))
    table = np.linspace(-0.2, 0.2, 16, dtype=np.float16)
    right = tk.coreml.weights(damaged(path, "palette"))["w0"]
    own = tk.palettize(weight, lut=table)
    small = folder / "Small.mlpackage"
    content = (small / nets.WEIGHTS).read_bytes()
    for part in ("lut", "indices"):
        content = content.replace(right.parts[part].tobytes(), own.parts[part].tobytes())
    (small / nets.WEIGHTS).write_bytes(content)
    return small, path


@caught(
    "Pruning dropped weights that are not the smallest", "were dropped that are larger than one that was kept"
)
def the_wrong_weights_pruned(folder):
    weight = trained((48, 64))
    path = written(folder, ("linear", weight))
    small = damaged(path, "pruned")
    right = tk.coreml.weights(small)["w0"]
    mask = np.packbits(np.roll(right.kept, 1), bitorder="little")
    kept = weight[np.roll(right.kept, 1)]
    content = (small / nets.WEIGHTS).read_bytes()
    content = content.replace(right.mask.tobytes(), mask.tobytes()).replace(
        right.values.tobytes(), kept.tobytes()
    )
    (small / nets.WEIGHTS).write_bytes(content)
    return small, path


@caught(
    "A bias, or another weight that was not compressed, was changed",
    "1 of 320 numbers are not what they were",
)
def a_changed_bias(folder):
    path = written(folder, ("linear", trained((48, 64))), ("linear", trained((16, 20), 1)))
    return nets.flip(damaged(path), "w1", byte=1, by=7), path


@caught(
    "A setting of an operation is another, such as the padding of a convolution", "is 'same_'; it was 'valid'"
)
def a_changed_setting(folder):
    path = written(folder, ("conv", trained((32, 24, 3, 3))))
    return nets.reword(damaged(path), b"valid", b"same_"), path


@caught(
    "A weight was skipped (with `--all-weights`)",
    "is not compressed: palettize: group_size",
    all_weights=True,
)
def a_skipped_weight(folder):
    path = written(folder, ("linear", trained((40, 64))), ("linear", trained((48, 64), 1)))
    return damaged(path, "palettes of groups"), path


def rows():
    """The table of the page, line by line."""
    yield "| fault | what `toykit verify` says of it |"
    yield "|---|---|"
    for what, said, report, _, _ in CAUGHT.values():
        number = f" ([{report.rpartition('/')[2]}]({report}))" if report else ""
        yield f"| {what}{number} | ... {said} ... |"


if __name__ == "__main__":
    print("\n".join(rows()))
