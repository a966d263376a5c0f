"""`convert(check=True)`: what coremltools gets wrong in silence is refused, and no right network is."""

import copy
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import toykit as tk
from tests.nightly import nightly
from tests.parity import networks, running
from tests.parity.operators import elementwise, layers, tensors
from tests.parity.operators.case import Function
from toykit._quiet import coremltools, quiet
from toykit.coreml.runtime.operators import OPERATORS
from toykit.coreml.tools.verification import ENOUGH, agreement, verify

ct = coremltools()
SIGNAL, IMAGE, TABLE = torch.zeros(1, 4, 20), torch.zeros(1, 4, 13, 11), torch.zeros(5, 7)


def inside(layer):
    """A network whose third layer is `layer`, called "odd"."""
    width = layer.out_channels if hasattr(layer, "out_channels") else 4
    one = nn.Conv2d if "2d" in type(layer).__name__ else nn.Conv1d
    network = nn.Sequential()
    network.add_module("first", one(4, 4, 1))
    network.add_module("relu", nn.ReLU())
    network.add_module("odd", layer)
    network.add_module("last", one(width, 2, 1))
    return network.eval()


# What coremltools 9 converts into something else, without a word -> where the error says that they part.
SILENT = {
    "output_padding beyond the kernel": (inside(nn.ConvTranspose1d(4, 6, 5, 8, 1, 3)), SIGNAL, "'odd'"),
    "the same in two dimensions": (inside(nn.ConvTranspose2d(4, 6, 2, 4, 1, 3)), IMAGE, "'odd'"),
    "the same along one axis": (
        inside(nn.ConvTranspose2d(4, 6, (3, 5), (2, 3), (1, 0), (0, 2))),
        IMAGE,
        "'odd'",
    ),
    "running statistics": (
        inside(nn.InstanceNorm2d(4, affine=True, track_running_stats=True)),
        IMAGE,
        "instance_norm of layer 'odd'",
    ),
    "antialiasing": (
        Function(lambda x: F.interpolate(x.relu(), size=(6, 5), mode="bilinear", antialias=True)),
        IMAGE,
        "upsample_bilinear2d_aa",
    ),
    "a correction of 2": (Function(lambda x: torch.std(x, 1, correction=2)), TABLE, "agrees with torch's to"),
    "argmax of all axes": (Function(lambda x: x.relu().argmax()), TABLE, r"has shape \(5,\), in torch \(\)"),
}


@pytest.mark.parametrize("name", SILENT)
def test_another_network_is_refused(name):
    network, example, said = SILENT[name]
    with pytest.raises(ValueError, match=f"another network of this one: .*{said}.*check=False"):
        tk.coreml.convert(network, example, "iOS18")


def test_another_network_can_be_had():
    network, example, said = SILENT["the same along one axis"]
    with pytest.raises(ValueError, match=f"another network of this one: .*{said}.*check=False"):
        tk.coreml.convert(network, example, "iOS18", "float32")
    assert tk.coreml.convert(network, example, "iOS18", "float32", check=False).package_path


def test_codes_read_with_another_scale_are_refused():
    from coremltools.optimize.torch.quantization import LinearQuantizer

    class Spelt(nn.Module):
        def __init__(self, flatten):
            super().__init__()
            self.conv, self.relu, self.linear = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Linear(288, 10)
            self.flatten = flatten

        def forward(self, x):
            return self.linear(self.flatten(self.relu(self.conv(x))))

    pictures = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))

    def quantized(flatten):
        with quiet(), torch.no_grad():
            quantizer = LinearQuantizer(Spelt(flatten))
            quantizer.prepare(example_inputs=(pictures,))(pictures)
            return quantizer.finalize()

    tk.coreml.convert(quantized(nn.Flatten()), pictures, "iOS17")
    wrong = quantized(lambda x: x.flatten(1))
    with pytest.raises(ValueError, match="another network of this one: output .* agrees with torch's to -"):
        tk.coreml.convert(wrong, pictures, "iOS17")
    passes = ct.PassPipeline()
    passes.remove_passes({"common::int_op_canonicalization"})
    tk.coreml.convert(wrong, pictures, "iOS17", pass_pipeline=passes)


CASES = elementwise.CASES | layers.CASES | tensors.CASES
# Those that agree least.
SOME = [
    ("lstm", "float16"),
    ("softplus, sharp", "float16"),
    ("group norm", "float32"),
    ("reciprocal", "float32"),
]


def verified(name, precision):
    case = CASES[name]
    package = running.torch_case(case, precision)
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(case.module.eval(), tuple(case.inputs), check_trace=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verify(torch, traced, tuple(case.inputs), package, [None] * len(case.inputs), precision)


@pytest.mark.parametrize("name, precision", SOME)
def test_what_agrees_least_passes(name, precision):
    verified(name, precision)


@nightly
@pytest.mark.parametrize("name", CASES)
def test_nightly_every_operator_passes(name):
    verified(name, "float32")
    if CASES[name].half:
        verified(name, "float16")


@nightly
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_nightly_every_network_passes(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tk.coreml.convert(*networks.build(name), "iOS17")


class TestWhatGoesIn:
    @pytest.mark.parametrize(
        "declared",
        [
            {"scale": 1 / 127.5, "bias": [-1, -0.5, -0.2]},
            {"scale": 1 / 255, "color_layout": ct.colorlayout.BGR},
            {"color_layout": ct.colorlayout.GRAYSCALE},
            {"color_layout": ct.colorlayout.GRAYSCALE_FLOAT16},
        ],
    )
    def test_pictures(self, declared):
        channels = 1 if "GRAY" in str(declared.get("color_layout")) else 3
        picture = ct.ImageType(name="picture", shape=(1, channels, 8, 8), **declared)
        network, example = nn.Conv2d(channels, 4, 3), torch.zeros(1, channels, 8, 8)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            package = tk.coreml.convert(network, example, "iOS16", inputs=[picture])
        other = copy.copy(picture)
        other.scale = 3 * picture.scale
        with torch.no_grad():
            traced = torch.jit.trace(network, example)
        with pytest.raises(ValueError, match="another network"):
            verify(torch, traced, (torch.rand(example.shape) * 100,), package, [other], "float16")

    def test_pictures_out(self):
        layout = ct.colorlayout.BGR
        ends = [ct.ImageType(name="into", shape=(1, 3, 8, 8), color_layout=layout, scale=1 / 255)]
        out = [ct.ImageType(name="out", color_layout=layout)]
        weight = torch.tensor([[90.0, 30, 0], [0, 200, 10], [40, 40, 40]]).reshape(3, 3, 1, 1)
        network = Function(lambda x: F.conv2d(x, weight))
        tk.coreml.convert(network, torch.zeros(1, 3, 8, 8), "iOS16", inputs=ends, outputs=out)

    @pytest.mark.parametrize("labels", [["a", "b", "c"], [5, 6, 7]])
    def test_classifiers(self, labels):
        network = nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1))
        config = ct.ClassifierConfig(labels)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tk.coreml.convert(network, torch.zeros(1, 4), "iOS16", classifier_config=config)

    def test_whole_numbers_and_flexible_shapes(self):
        tk.coreml.convert(nn.Embedding(10, 4), torch.zeros(1, 4, dtype=torch.long))
        shape = (ct.RangeDim(1, 8), 4)
        tk.coreml.convert(nn.Linear(4, 4), torch.zeros(2, 4), inputs=[ct.TensorType(shape=shape)])

    def test_states_start_at_zero_and_are_left_alone(self):
        class Counter(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("sum", torch.zeros(1, 8))

            def forward(self, x):
                self.sum.mul_(0.5)
                self.sum.add_(x)
                return self.sum * 2.0

        counter = Counter()
        states = [ct.StateType(wrapped_type=ct.TensorType(shape=(1, 8)), name="sum")]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            package = tk.coreml.convert(counter, torch.rand(1, 8), "iOS18", states=states)
        with torch.no_grad():
            traced = torch.jit.trace(counter, torch.rand(1, 8))
        before = counter.sum.clone()
        verify(torch, traced, (torch.ones(1, 8),), package, [None], "float16")
        assert torch.equal(counter.sum, before) and before.any()

    def test_numbers_drawn_elsewhere_stay_the_same(self):
        torch.manual_seed(3)
        wanted = torch.rand(4)
        torch.manual_seed(3)
        network = Function(lambda x: x * 2)
        with torch.random.fork_rng():
            tk.coreml.convert(network, torch.zeros(1, 4))
        assert torch.equal(torch.rand(4), wanted)

    def test_places_given_as_floats(self):
        """Noise is no place; then the example is taken as it is."""
        table = torch.randn(3, 4)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tk.coreml.convert(Function(lambda x: table[x.long() * 100]), torch.zeros(2))

    def test_an_example_in_float64(self):
        tk.coreml.convert(nn.Linear(4, 4).double(), torch.zeros(1, 4, dtype=torch.float64))

    def test_the_error_says_that_it_was_noise(self):
        layer = SILENT["running statistics"][0]
        with pytest.raises(
            ValueError, match="dB, with noise in place of an example that is the same everywhere. They"
        ):
            tk.coreml.convert(layer, IMAGE)
        with pytest.raises(ValueError, match=r"dB\. They"):
            tk.coreml.convert(layer, torch.rand(IMAGE.shape))


class TestWhatCannotBeChecked:
    def test_an_operator_that_toykit_cannot_run(self, monkeypatch):
        monkeypatch.delitem(OPERATORS, "sin")
        with pytest.warns(UserWarning, match="not checked against torch: .*'sin'") as caught:
            package = tk.coreml.convert(Function(lambda x: x.sin() + 1), torch.zeros(1, 4))
        assert package.package_path and len(str(caught[0].message)) < 300
        assert caught[0].filename == __file__

    def test_a_shape_that_was_not_declared(self):
        listed = ct.TensorType(name="x", shape=ct.EnumeratedShapes([(1, 4), (2, 4)]))
        with pytest.warns(UserWarning, match=r"must have shape \(1, 4\) or \(2, 4\); got \(3, 4\)"):
            tk.coreml.convert(nn.Linear(4, 4), torch.zeros(3, 4), inputs=[listed])

    def test_chance(self):
        with pytest.warns(UserWarning, match="answers differently each time"):
            tk.coreml.convert(Function(lambda x: x + torch.rand_like(x)), torch.zeros(1, 40))

    def test_rounding_that_moves_far_is_told_from_a_fault(self):
        """A large mean taken away again: float16 leaves little of the difference."""

        class Difference(nn.Linear):
            def forward(self, x):
                return super().forward(x) - 1000 * x.sum(-1, keepdim=True)

        torch.manual_seed(0)
        network = Difference(8, 8)
        network.weight.data += 1000
        with pytest.warns(
            UserWarning, match="not by a fault of the conversion: rounding as float16 does"
        ) as caught:
            tk.coreml.convert(network, torch.zeros(3, 8))
        assert caught[0].filename == __file__

    def test_nothing_is_said_without_a_check(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tk.coreml.convert(Function(lambda x: x + torch.rand_like(x)), torch.zeros(1, 40), check=False)


class TestAgreement:
    @given(st.lists(st.floats(-100, 100), min_size=2, max_size=20), st.floats(-60, 100))
    def test_is_the_ratio_of_powers(self, values, wanted):
        theirs = np.array(values)
        power = np.square(theirs - theirs.mean()).mean()
        if power < 1e-3:
            return
        noise = np.sqrt(power / 10 ** (wanted / 10)) * np.resize([1, -1], theirs.size)
        assert agreement(theirs + noise, theirs) == pytest.approx(wanted, abs=0.01)

    def test_a_mean_hides_nothing(self):
        theirs = 1000 + np.array([1.0, -1, 1, -1])
        assert agreement(2000 - theirs, theirs) < 0
        assert agreement(np.float16(theirs / 3) * 3.0, theirs, "float16") > ENOUGH["float16"]
        assert agreement(np.full(5, 1.0 + 2**-11), np.ones(5), "float16") > ENOUGH["float16"]

    def test_ends(self):
        assert agreement(np.zeros(3), np.zeros(3)) == np.inf
        assert agreement([np.nan, 1], [0.0, 1]) == -np.inf and agreement([7.0, 1], [np.inf, 1]) == np.inf
        assert agreement([1e-7, 0], [0.0, 0]) > ENOUGH["float16"] > agreement([1e-3, 0], [0.0, 0])
        assert agreement(1.0, 1.001) == pytest.approx(60, abs=0.1)
