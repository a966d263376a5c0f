"""Every form that coreai-opt offers: read back as toykit's own objects, and run by Apple's runtime."""

import subprocess
import sys

import numpy as np
import pytest

import toykit as tk
from tests.coreai import needs_coreai
from toykit.coreai.compression import plan
from toykit.settings import Declined, steps

torch = pytest.importorskip("torch")
networks = pytest.importorskip("tests.coreai.networks")

# Technique, options, and whether the arrays must be toykit's own (k-means may end elsewhere).
FORMS = [
    ("quantize", {}, True),
    ("quantize", {"signed": False}, True),
    ("quantize", {"mode": "affine"}, True),
    ("quantize", {"mode": "affine", "granularity": "per_tensor"}, True),
    ("quantize", {"bits": 4, "granularity": "per_block"}, True),
    ("quantize", {"bits": 4, "mode": "affine", "granularity": "per_block", "block_size": 16}, True),
    ("quantize", {"format": "int2"}, True),
    ("quantize", {"bits": 2, "signed": False}, True),
    ("quantize", {"format": "fp8_e4m3"}, True),
    ("quantize", {"format": "fp8_e4m3", "scale_format": "e8m0"}, True),
    ("quantize", {"format": "fp8_e4m3", "granularity": "per_block"}, True),
    ("quantize", {"format": "fp8_e5m2", "granularity": "per_tensor"}, True),
    ("quantize", {"format": "fp4_e2m1", "granularity": "per_block"}, True),
    ("palettize", {"bits": 4}, False),
    ("palettize", {"bits": 1}, False),
    ("palettize", {"bits": 8}, False),
    ("palettize", {"bits": 4, "group_size": 16}, False),
    ("palettize", {"bits": 2, "cluster_dim": 2}, False),
    ("palettize", {"bits": 2, "cluster_dim": 2, "group_size": 16}, False),
    ("palettize", {"bits": 4, "per_channel_scale": "across"}, False),
    ("prune", {"sparsity": 0.5}, True),
    ("prune", {"sparsity": 0.5, "block_size": 4}, True),
    ("prune", {"n_m": (2, 4)}, True),
    ("joint", {"prune": {"sparsity": 0.5}, "quantize": {"granularity": "per_tensor"}}, True),
    ("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4}}, False),
    ("joint", {"palettize": {"bits": 6}, "quantize": {}}, False),
    ("joint", {"palettize": {"bits": 6}, "quantize": {"signed": False}}, False),
    ("joint", {"palettize": {"bits": 6}, "quantize": {"format": "fp8_e4m3"}}, False),
    ("joint", {"prune": {"sparsity": 0.5}, "quantize": {"format": "fp8_e4m3"}}, True),
    ("joint", {"prune": {"n_m": (2, 4)}, "quantize": {"format": "fp8_e5m2"}}, True),
]
DECLINED = [
    ("quantize", {"bits": 3}, "bits must be 2, 4 or 8"),
    ("quantize", {"axis": 1}, "axis"),
    ("quantize", {"granularity": "per_block", "block_size": (1, 32)}, "one length"),
    ("quantize", {"format": "fp4_e2m1"}, "per_block"),
    ("quantize", {"format": "fp4_e2m1", "granularity": "per_block", "block_size": 16}, "blocks of 32"),
    ("palettize", {"bits": 3}, "cannot pack"),
    ("palettize", {"mode": "uniform"}, "mode must be 'kmeans'"),
    ("palettize", {"lut": [0.0, 1.0]}, "lut"),
    ("palettize", {"axis": 0}, "axis"),
    ("palettize", {"cluster_dim": 2, "per_channel_scale": "across"}, "vectors"),
    ("prune", {"threshold": 0.1}, "threshold"),
    ("prune", {"sparsity": 0.5, "block_size": 4, "dim": 1}, "dim must be 0"),
    ("prune", {"n_m": (2, 4), "dim": 0}, "dim must be 1"),
    ("joint", {"prune": {"sparsity": 0.5}, "quantize": {}}, "one scale"),
    ("joint", {"prune": {"sparsity": 0.5}, "quantize": {"bits": 4}}, "int8, fp8_e4m3 or fp8_e5m2"),
    (
        "joint",
        {"palettize": {}, "quantize": {"format": "fp8_e4m3", "scale_format": "e8m0"}},
        "a float as its scale",
    ),
    ("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4, "group_size": 8}}, "group_size"),
    ("joint", {"palettize": {}, "quantize": {"bits": 4}}, "int8"),
    ("joint", {"palettize": {"weight_threshold": 0}, "quantize": {}}, "weight_threshold"),
    (
        "joint",
        {"prune": {"sparsity": 0.5}, "palettize": {}, "quantize": {"granularity": "per_tensor"}},
        "two techniques",
    ),
]


def matrix():
    return np.random.default_rng(0).normal(scale=0.1, size=(64, 128)).astype(np.float32)


@pytest.fixture(scope="module", params=["float16", "float32"])
def program(request):
    return tk.coreai.convert(networks.linear(matrix()), torch.zeros(128, 128), request.param)


def own(weights, technique, options):
    chain = options.items() if technique == "joint" else [(technique, options)]
    for name, given in chain:
        weights = getattr(tk, name)(weights, **given)
    return weights


def as_interpreted(found):
    """The weights as Apple's interpreter on Linux rounds them.

    Where 8-bit codes have several zero points, it multiplies code and zero point by the scale one by one, and not their
    difference, as the formula of the operator has it.
    """
    if (
        isinstance(found, tk.Quantized)
        and found.bits == 8
        and found.zero_point is not None
        and found.scale.size > 1
    ):
        scale = found.scale
        return found.integers.astype(scale.dtype) * scale - found.zero_points.astype(scale.dtype) * scale
    return found.dense()


@needs_coreai
@pytest.mark.parametrize(("technique", "options", "equal"), FORMS)
def test_every_form_is_what_apples_runtime_runs(program, technique, options, equal, tmp_path):
    source = tk.coreai.weights(program)["weight"]
    small = tk.coreai.compress(program, technique, **options)
    found = tk.coreai.weights(tk.coreai.save(small, tmp_path / "small.aimodel"))["weight"]
    expected = own(source, technique, options)
    assert type(found) is type(expected)
    assert found.form == expected.form
    assert found.nbytes == expected.nbytes
    (answer,) = tk.coreai.run(small, {"input": np.eye(128)}).values()
    assert np.array_equal(answer, as_interpreted(found).T)
    if equal and (
        source.dtype == np.float16 or options.get("format", "int")[:2] == "fp" or technique == "prune"
    ):
        for name, part in expected.parts.items():
            assert np.array_equal(found.parts[name], part), name
    else:  # 1e-6 in the range of a scale; tables from a random start
        loss = tk.error(source, expected).mse
        assert loss * 0.95 < tk.error(source, found).mse < loss * 1.25
    assert np.array_equal(tk.coreai.weights(program)["weight"], source)  # which stays as it was


@needs_coreai
@pytest.mark.parametrize("options", [options for technique, options, _ in FORMS if technique == "quantize"])
def test_weights_that_are_all_zero_run_as_zero(options):
    weights = matrix()
    weights[3] = weights[5, 32:64] = 0
    program = tk.coreai.convert(networks.linear(weights), torch.zeros(1, 128))
    dense = tk.coreai.weights(tk.coreai.compress(program, "quantize", **options))["weight"].dense()
    assert not dense[weights == 0].any()
    assert np.isfinite(dense).all()


@pytest.mark.parametrize(("technique", "options", "message"), DECLINED)
def test_what_core_ai_does_not_offer_is_declined_before_any_work(technique, options, message):
    with pytest.raises(Declined, match=message):
        tk.coreai.compress("there is no such.aimodel", technique, **options)


def test_a_setting_is_read_before_any_work():
    with pytest.raises(TypeError, match="no option 'bit'"):
        tk.coreai.compress("none.aimodel", "quantize", bit=4)
    with pytest.raises(ValueError, match="technique must be one of"):
        tk.coreai.compress("none.aimodel", "shrink")
    assert plan(steps("prune", {"n_m": (1, 4)}))[0] == "sparsify_weights"


@needs_coreai
def test_names_are_those_of_the_source_and_small_weights_stay(tmp_path):
    program = tk.coreai.convert(networks.everything(), networks.example())
    before = tk.coreai.weights(program)
    after = tk.coreai.weights(tk.coreai.compress(program, "quantize"))
    assert list(after) == list(before)
    for name, value in before.items():
        large = value.size > 2048 and value.ndim > 1
        assert isinstance(after[name], tk.Quantized) == large, name
    some = tk.coreai.weights(tk.coreai.compress(program, "palettize", weight_threshold=10_000))
    assert [name for name, value in some.items() if isinstance(value, tk.Palettized)] == ["first.weight"]


@needs_coreai
def test_a_weight_that_cannot_take_the_options_stays_as_it_was():
    program = tk.coreai.convert(networks.linear(np.ones((64, 100)) / 3), torch.zeros(1, 100))
    assert isinstance(
        tk.coreai.weights(tk.coreai.compress(program, "quantize", granularity="per_block"))["weight"],
        np.ndarray,
    )


@needs_coreai
def test_compression_prints_nothing_and_starts_no_process():
    code = """
import multiprocessing, numpy as np, toykit as tk
from tests.coreai import networks
weights = np.random.default_rng(0).normal(size=(64, 128))
program = tk.coreai.convert(networks.linear(weights), networks.torch.zeros(1, 128))
tk.coreai.compress(program, "joint", prune={"sparsity": 0.5}, palettize={"bits": 2})
tk.coreai.compress(program, "quantize", granularity="per_block", block_size=7)
assert not multiprocessing.active_children()
"""
    done = subprocess.run([sys.executable, "-W", "default", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_bfloat16_is_declined():
    import coreai_torch

    with tk.quiet():
        net = torch.nn.Linear(64, 64).bfloat16()
        exported = torch.export.export(net, (torch.zeros(1, 64, dtype=torch.bfloat16),))
        exported = exported.run_decompositions(coreai_torch.get_decomp_table())
        program = coreai_torch.TorchConverter().add_exported_program(exported).to_coreai()
    with pytest.raises(Declined, match="bfloat16"):
        tk.coreai.compress(program, "palettize", bits=4)
