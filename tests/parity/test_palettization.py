"""Palettes equal to those of coremltools 9: its array functions, and packages that it writes.

Exceptions, each with a test that shows it. k-means of float32 arrays, of fewer than 10,000 weights a
table, and of vectors is scikit-learn's in coremltools and depends on its start: there the error here
is not larger. Uniform tables whose span overflows float16, or whose step vanishes, are not usable in
coremltools.
"""

import numpy as np
import pytest

import toykit as tk
from tests.parity.cases import Case, arrays, differences
from tests.strategies import trained
from toykit._quiet import coremltools, quiet
from toykit.kmeans import lagrangian, loops
from toykit.settings import INDEX_BITS as BITS

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

with quiet():
    from coremltools._deps import kmeans1d
    from coremltools.optimize import _utils as optimize_utils
    from coremltools.optimize.coreml._quantization_passes import palettize_weights

SHAPES = [(96, 120), (64, 20, 3, 3), (40, 16, 17), (12000,)]
COREML_MODES = {"kmeans": "KMEANS", "uniform": "UNIFORM", "unique": "UNIQUE"}


def theirs(w, bits=None, mode="kmeans", group_size=None, axis=0, cluster_dim=1, lut_function=None):
    name = "CUSTOM" if lut_function else COREML_MODES[mode]
    with quiet():
        return palettize_weights.grouped_channelwise_compress(
            w.copy(), name, bits, axis, group_size or 0, lut_function, cluster_dim
        )


def dense(stored):
    return optimize_utils.lut_to_dense(stored.indices, stored.lut, stored.vector_axis)


def assert_equal(ours, stored):
    """Bit for bit: table, its shape and type, indices, their packing, and what they stand for."""
    assert ours.lut.dtype == stored.lut.dtype and ours.lut.shape == stored.lut.shape
    assert np.array_equal(ours.lut, stored.lut)
    indices = stored.indices.astype(np.uint8)
    assert np.array_equal(ours.codes, indices)
    assert np.array_equal(ours.indices, optimize_utils.pack_elements_into_bits(indices, ours.bits))
    assert np.array_equal(ours.dense(), dense(stored))


def many(w):
    """Scaled copies of an array, so many that coremltools clusters them by exact search."""
    copies = -(-10_000 // w.size)
    return np.concatenate([w.astype(np.float32) * 0.7**n for n in range(copies)]).astype(np.float16)


def few(w):
    """The array with no more than 15 distinct values."""
    step = np.max(np.abs(w)) / 7
    return np.round(w / step).astype(w.dtype) * step + w.dtype.type(0)  # + 0 turns -0 into 0


def arrays_of(w):
    return {"indices": w.codes, "lut": w.lut}


def case(option, prepare=lambda w: w, exception="", **options):
    def coreml(w):
        found = theirs(prepare(w), **options)
        return {"indices": found.indices.astype(np.uint8), "lut": found.lut}

    return Case(
        "palettize", option, lambda w: arrays_of(tk.palettize(prepare(w), **options)), coreml, exception
    )


INEXACT = (
    "float16 and 10,000 weights a table or more; for others coremltools' k-means depends on its start: "
    "test_exception_where_coremltools_does_not_search_exactly"
)
RANGE = "in the range of float16: test_exception_uniform_tables_out_of_the_range_of_float16"
CASES = [
    *(case(f"kmeans, bits={bits}", many, INEXACT, bits=bits) for bits in BITS),
    *(case(f"uniform, bits={bits}", exception=RANGE, bits=bits, mode="uniform") for bits in BITS),
    case("uniform, bits=4, a table an input", exception=RANGE, bits=4, mode="uniform", group_size=1, axis=1),
    case("uniform, bits=4, group_size=2", exception=RANGE, bits=4, mode="uniform", group_size=2),
    case("unique", few, mode="unique"),
    case("unique, group_size=2", few, mode="unique", group_size=2),
    case(
        "unique, cluster_dim=2", lambda w: np.sign(w) + w.dtype.type(0), mode="unique", cluster_dim=2, axis=1
    ),
]


def usable(case, label, w):
    """Whether the option can take the array, and one table is the best: on a lattice several may be."""
    if "kmeans" in case.option:
        return "float16" in label and "rounded" not in label and "zeros" not in label
    return "cluster_dim" not in case.option or w.shape[1] % 2 == 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_option_on_every_array(case):
    for label, w in arrays():
        if usable(case, label, w):
            assert differences(case, w) == [], label


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_kmeans(shape, bits):
    w = trained(shape, seed=bits)
    assert_equal(tk.palettize(w, bits), theirs(w, bits))


@pytest.mark.parametrize("axis, group_size", [(0, 32), (1, 64), (1, 32)])
def test_kmeans_of_grouped_channels(axis, group_size):
    w = trained((64, 128, 3, 3), seed=axis)
    options = dict(axis=axis, group_size=group_size)
    for bits in (1, 4, 8):
        assert_equal(tk.palettize(w, bits, **options), theirs(w, bits, **options))


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("shape", [(7,), *SHAPES], ids=str)
def test_uniform(shape, dtype, bits):
    for scale in (1e-3, 1, 300):
        w = trained(shape, bits, dtype) * np.dtype(dtype).type(scale)
        assert_equal(tk.palettize(w, bits, "uniform"), theirs(w, bits, "uniform"))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("axis, group_size", [(0, 4), (1, 5), (2, 1)])
def test_uniform_of_grouped_channels(axis, group_size, dtype):
    w, options = trained((12, 10, 3), dtype=dtype), dict(axis=axis, group_size=group_size)
    for bits in BITS:
        assert_equal(tk.palettize(w, bits, "uniform", **options), theirs(w, bits, "uniform", **options))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("values", [1, 2, 3, 8, 9, 17, 65, 256])
def test_unique(values, dtype):
    random = np.random.default_rng(values)
    w = random.choice(trained((values,), 1, dtype), (24, 30))
    for options in ({}, dict(group_size=6), dict(group_size=10, axis=1)):
        assert_equal(tk.palettize(w, mode="unique", **options), theirs(w, mode="unique", **options))


@pytest.mark.parametrize("axis, group_size", [(0, None), (0, 4), (1, 6)])
def test_unique_vectors(axis, group_size):
    w = np.random.default_rng(0).integers(-1, 2, (16, 12, 3)).astype(np.float16)
    options = dict(axis=axis, group_size=group_size, cluster_dim=2)
    assert_equal(tk.palettize(w, mode="unique", **options), theirs(w, mode="unique", **options))


@pytest.mark.parametrize("axis, group_size", [(0, None), (1, 10)])
def test_own_table(axis, group_size):
    w = trained((30, 40))
    table = np.float16([0, -0.2, 0.1, 0.05, -0.05, 0.3, -0.1, 1])

    def lut_function(values):
        values = values.reshape(-1, 1).astype(np.float64)
        return table, np.abs(values - table.astype(np.float64)).argmin(axis=1)

    options = dict(axis=axis, group_size=group_size)
    assert_equal(tk.palettize(w, lut=table, **options), theirs(w, lut_function=lut_function, **options))


DISTRIBUTIONS = {
    "normal": lambda random, n: random.normal(0, 0.02, n),
    "student": lambda random, n: random.standard_t(3, n) * 0.02,
    "laplace with outliers": lambda random, n: np.append(random.laplace(0, 0.02, n - 2), [3, -5]),
    "mixture": lambda random, n: random.normal(
        random.choice([-1, 0.1, 0.4], n), random.choice([0.01, 0.2], n)
    ),
    "few values": lambda random, n: random.integers(-150, 150, n) / 64,
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("n", [10, 1000, 100_000])
def test_cost_equals_kmeans1d(name, n):
    values = DISTRIBUTIONS[name](np.random.default_rng(n), n).astype(np.float16)
    levels, mass, _ = tk.kmeans.distinct(values)
    for bits in (1, 2, 4, 8):
        ours = tk.kmeans.exact(values, 2**bits)
        found = kmeans1d.cluster(levels, min(2**bits, levels.size), weights=mass)
        cost = float(mass @ (levels - np.array(found.centroids)[found.clusters]) ** 2)
        assert ours.cost == pytest.approx(cost, rel=1e-7, abs=1e-20)


def test_cost_equals_kmeans1d_for_ten_million_weights():
    values = trained((10_000_000,))
    levels, mass, _ = tk.kmeans.distinct(values)
    ours = tk.kmeans.exact(values, 16)
    found = kmeans1d.cluster(levels, 16, weights=mass)
    cost = float(mass @ (levels - np.array(found.centroids)[found.clusters]) ** 2)
    assert ours.cost == pytest.approx(cost, rel=1e-7)


def test_weighted_cost_equals_kmeans1d():
    values, weights = trained((20_000,)), np.random.default_rng(0).exponential(size=20_000)
    levels, mass, _ = tk.kmeans.distinct(values, weights)
    found = kmeans1d.cluster(levels, 32, weights=mass)
    cost = float(mass @ (levels - np.array(found.centroids)[found.clusters]) ** 2)
    assert tk.kmeans.exact(values, 32, weights).cost == pytest.approx(cost, rel=1e-7)


def test_means_halfway_between_two_float16_go_where_kmeans1d_rounds_them():
    """From 1,024 on float16 are whole numbers: a mean of 1041.5 may miss it by its last bit, and become 1041."""
    random, odd = np.random.default_rng(0), 0
    for _ in range(300):
        count = random.integers(1, 400, 8)
        mass = (count + count[::-1]).astype(float)  # the same from both ends: the mean is in the middle
        levels = random.integers(1024, 1080) + np.arange(8.0)
        (expected,) = kmeans1d.cluster(levels, 1, weights=mass).centroids
        for module in (lagrangian, loops):
            assert module.run_means(levels, mass, np.array([0, 8])).tolist() == [expected]
        odd += np.float16(expected) % 2 == 1
    assert odd > 20


@pytest.mark.parametrize(
    "shape, dtype, options",
    [
        ((50, 60), "float16", {}),
        ((120, 100), "float32", {}),
        ((64, 32), "float16", dict(group_size=8)),
        ((64, 200), "float16", dict(cluster_dim=2)),
        ((64, 200), "float16", dict(cluster_dim=4, group_size=32)),
        ((64, 200), "float32", dict(cluster_dim=4, axis=1)),
    ],
    ids=str,
)
def test_exception_where_coremltools_does_not_search_exactly(shape, dtype, options):
    w = trained(shape, dtype=dtype)
    for bits in (2, 4):
        ours, stored = tk.palettize(w, bits, **options), theirs(w, bits, **options)
        assert ours.lut.shape == stored.lut.shape and ours.codes.shape == stored.indices.shape
        # The same reader reads both, and ours is the nearer.
        mine = stored._replace(indices=ours.codes.astype(stored.indices.dtype), lut=ours.lut)
        assert np.array_equal(dense(mine), ours.dense())
        assert tk.error(w, ours).mse <= tk.error(w, dense(stored)).mse


def test_exception_uniform_tables_out_of_the_range_of_float16():
    for w in (np.float16([-60000, 0, 60000]), np.float16([0, 2**-24, 2**-23])):
        with np.errstate(all="ignore"):
            stored = theirs(w, 4, "uniform")
        assert not np.allclose(stored.lut.ravel()[[0, -1]], w[[0, -1]], rtol=0.1, atol=0)
        assert np.allclose(tk.palettize(w, 4, "uniform").lut.ravel()[[0, -1]], w[[0, -1]], rtol=1e-3)


# --- end to end: what a package holds --------------------------------------------------------------

PACKAGES = {
    "kmeans": (dict(nbits=4), dict(bits=4)),
    "uniform": (dict(nbits=6, mode="uniform"), dict(bits=6, mode="uniform")),
    "groups": (
        dict(nbits=4, granularity="per_grouped_channel", group_size=32, channel_axis=0),
        dict(bits=4, group_size=32),
    ),
    "groups of inputs": (
        dict(nbits=3, granularity="per_grouped_channel", group_size=32, channel_axis=1),
        dict(bits=3, group_size=32, axis=1),
    ),
    "uniform, scaled": (
        dict(nbits=4, mode="uniform", enable_per_channel_scale=True),
        dict(bits=4, mode="uniform", per_channel_scale="across"),
    ),
    "kmeans, scaled": (
        dict(nbits=2, enable_per_channel_scale=True),
        dict(bits=2, per_channel_scale="across"),
    ),
}


@pytest.fixture(scope="module")
def network():
    """An ML program of one convolution and one linear layer, and their float16 weights."""
    torch = pytest.importorskip("torch")
    ct = coremltools()
    conv, linear = trained((64, 64, 3, 3), 1), trained((320, 320), 2)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(64, 64, 3, bias=False), torch.nn.Flatten(), torch.nn.Linear(320, 320, bias=False)
    ).eval()
    module[0].weight.data, module[2].weight.data = (torch.tensor(np.float32(w)) for w in (conv, linear))
    example = torch.zeros(1, 64, 3, 7)
    with quiet():
        model = ct.convert(
            torch.jit.trace(module, example),
            inputs=[ct.TensorType(shape=example.shape)],
            minimum_deployment_target=ct.target.iOS18,
            skip_model_load=True,
        )
    return model, {conv.shape: conv, linear.shape: linear}


@pytest.mark.parametrize("name", PACKAGES)
def test_package(name, network):
    ct = coremltools()
    from coremltools.optimize.coreml import OpPalettizerConfig, OptimizationConfig

    model, weights = network
    config, options = PACKAGES[name]
    with quiet():
        config = OptimizationConfig(global_config=OpPalettizerConfig(**config))
        compressed = ct.optimize.coreml.palettize_weights(model, config)
        stored = list(_constants(compressed))
    assert len(stored) == 2
    for indices, lut, scale in stored:
        ours = tk.palettize(weights[indices.shape], **options)
        assert np.array_equal(ours.codes, indices.astype(np.uint8))
        assert (scale is None) == (ours.scale is None)
        if scale is None:
            assert ours.lut.shape == lut.shape and np.array_equal(ours.lut, lut)
        else:
            assert np.array_equal(np.broadcast_to(ours.lut, lut.shape), lut)
            assert scale.shape == ours.scale.shape and np.array_equal(scale, ours.scale)


def _constants(model):
    """The indices, table and scale of every palettized constant of a model.

    Before iOS 26 coremltools has the scale multiply the table, not the weights, and repeats the
    table for each scale.
    """
    for op in model._mil_program.functions["main"].find_ops(op_type="constexpr_lut_to_dense"):
        if op.lut.op.op_type == "constexpr_blockwise_shift_scale":
            table, scale = op.lut.op.data.val, op.lut.op.scale.val
            yield op.indices.val, table, scale.reshape(scale.shape[:-2])
        else:
            yield op.indices.val, op.lut.val, None


def test_scale_for_each_channel_as_coremltools_torch_computes_it():
    torch = pytest.importorskip("torch")
    with quiet():
        from coremltools.optimize.torch.palettization import (
            PostTrainingPalettizer,
            PostTrainingPalettizerConfig,
        )

        module = torch.nn.Sequential(torch.nn.Linear(64, 48, bias=False))
        module[0].weight.data = torch.tensor(trained((48, 64), dtype="float32"))
        config = PostTrainingPalettizerConfig.from_dict(
            {"global_config": {"n_bits": 4, "granularity": "per_tensor", "enable_per_channel_scale": True}}
        )
        w = module[0].weight.detach().numpy().copy()
        compressed = PostTrainingPalettizer(module, config).compress()
    ours = tk.palettize(w, 4, per_channel_scale=True)
    buffers = dict(compressed.named_buffers())
    (scale,) = [b.numpy() for name, b in buffers.items() if name.endswith("palettization_scale")]
    assert np.array_equal(scale.reshape(ours.scale.shape), ours.scale)
