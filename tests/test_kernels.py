"""Just-in-time products against the dense product of the same weights, in float64."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk

pytest.importorskip("numba")
from toykit.kernels import formats, instructions, loops

# One by one, less than a register, not a multiple of a byte, of a register, of four rows.
SHAPES = ((1, 1), (2, 3), (5, 7), (3, 8), (4, 32), (9, 33), (64, 64), (33, 130), (6, 1000))
FORMATS = {
    "int8": lambda w: tk.quantize(w, bits=8),
    "int8 a tensor": lambda w: tk.quantize(w, bits=8, granularity="per_tensor"),
    "uint8 affine": lambda w: tk.quantize(w, bits=8, mode="affine", signed=False),
    "int8 affine": lambda w: tk.quantize(w, bits=8, mode="affine"),
    "int4": lambda w: tk.quantize(w, bits=4),
    "uint4 affine": lambda w: tk.quantize(w, bits=4, mode="affine", signed=False),
    "int2": lambda w: tk.quantize(w, bits=2),
    "table 4": lambda w: tk.palettize(w, bits=4),
    "table 2": lambda w: tk.palettize(w, bits=2),
    "table 1": lambda w: tk.palettize(w, bits=1),
    "table 4 scaled": lambda w: tk.palettize(w, bits=4, per_channel_scale=True),
    "70 % sparse": lambda w: tk.prune(w, sparsity=0.7),
    "dense mask": lambda w: tk.prune(w, sparsity=0),
    "nothing left": lambda w: tk.prune(w, sparsity=1),
    "float16": lambda w: w,
    "float32": lambda w: w.astype(np.float32),
}


def sample(shape, seed=0, dtype=np.float16):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def as_matrix(compressed):
    dense = compressed if isinstance(compressed, np.ndarray) else compressed.dense()
    return dense.reshape(len(dense), -1).astype(np.float64)


def assert_product(compressed, x, result):
    """Equal to the float64 product within the rounding of n float32 additions."""
    dense = as_matrix(compressed)
    if isinstance(compressed, tk.Quantized) and compressed.bits == 8:  # without the rounding to float16
        wide = {"scale": compressed.scale.astype(np.float32)}
        dense = tk.Quantized(**(vars(compressed) | wide)).dense().reshape(dense.shape).astype(np.float64)
    size = np.abs(dense) @ np.abs(x.astype(np.float64))
    bound = 2 * np.finfo(np.float32).eps * np.sqrt(len(x) + 4) * size
    assert result.dtype == np.float32
    assert result.shape == (len(dense), *x.shape[1:])
    assert np.all(np.abs(result - dense @ x) <= bound)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_products_equal_the_dense_product(name, shape):
    compressed = FORMATS[name](sample(shape))
    for x in (sample(shape[1], 1, np.float32), sample((shape[1], 3), 2, np.float32)):
        assert_product(compressed, x, tk.kernels.JustInTime(compressed)(x))
        # The dense weights of a float16 original are float16: compared with themselves.
        ahead = tk.kernels.AheadOfTime(compressed)(x)
        dense = as_matrix(compressed)
        assert np.allclose(ahead, dense @ x, rtol=0, atol=1e-5 * max(1, np.abs(dense).sum(1).max()))


SIZES = st.integers(1, 70)


@given(SIZES, SIZES, st.integers(1, 40), st.sampled_from(sorted(FORMATS)), st.integers(0, 99))
def test_any_shape_and_batch(m, n, batch, name, seed):
    compressed = FORMATS[name](sample((m, n), seed))
    x = sample((n, batch), seed + 1, np.float32)
    assert_product(compressed, x, tk.kernels.JustInTime(compressed)(x))


def test_a_vector_gets_the_same_product_alone_and_among_others():
    """Few vectors are multiplied a few at a time, many from a tile: as columns they do not meet."""
    few = instructions.VECTORS
    for compress in FORMATS.values():
        just_in_time = tk.kernels.JustInTime(compress(sample((11, 50))))
        x = sample((50, tk.kernels.products.FEW + 1), 3, np.float32)
        alone = np.stack([just_in_time(column) for column in x.T], axis=1)
        for batch in (1, 2, few, few + 1, x.shape[1] - 1, x.shape[1]):
            together = just_in_time(x[:, :batch])
            assert together.flags.c_contiguous
            assert np.allclose(together, alone[:, :batch], rtol=1e-5, atol=1e-4)


def test_batch_in_several_tiles(monkeypatch):
    monkeypatch.setattr(tk.kernels.products, "FEW", 1)
    monkeypatch.setattr(
        tk.kernels.products, "TILE_BYTES", (4 * 70 * 3, 4 * 70 * 3)
    )  # three rows at a time, then the rest
    for compress in FORMATS.values():
        compressed = compress(sample((11, 50)))
        x = sample((50, 5), 3, np.float32)
        assert_product(compressed, x, tk.kernels.JustInTime(compressed)(x))


def test_convolution_kernels_become_matrices():
    compressed = tk.palettize(sample((8, 4, 3, 3)), bits=2, group_size=4)
    assert compressed.lut.size == 2 * 4
    x = sample(36, 1, np.float32)
    just_in_time = tk.kernels.JustInTime(compressed)
    assert just_in_time.shape == (8, 36)
    assert_product(compressed, x, just_in_time(x))


def test_whole_registers_are_used_as_stored():
    compressed = tk.palettize(sample((8, 256)), bits=4)
    rows = formats.stored_rows(compressed)
    assert np.shares_memory(rows.codes, compressed.indices)
    assert tk.kernels.JustInTime(compressed).nbytes == 8 * 128 + 16 * 4
    assert tk.kernels.AheadOfTime(compressed).nbytes == 8 * 256 * 4
    for dtype in (np.float16, np.float32):
        weights = sample((8, 256), dtype=dtype)
        assert np.shares_memory(formats.stored_rows(weights).weights, weights)
        assert tk.kernels.JustInTime(weights).nbytes == weights.nbytes


@pytest.mark.parametrize("sparsity", (0.0, 0.5, 0.95))
def test_both_ways_to_read_a_bitmask(sparsity):
    compressed = tk.prune(sample((7, 91)), sparsity=sparsity)
    rows = formats.stored_rows(compressed)
    x = sample(91, 1, np.float32)
    for row in (loops.listed_row, loops.expanded_row) if instructions.HAS_EXPAND else (loops.listed_row,):
        product = [row(rows.values, rows.firsts[i], rows.mask[i], rows.arrange(x)) for i in range(7)]
        assert_product(compressed, x, np.float32(product))


def test_processors_with_shorter_registers():
    """The eight-lane path, compiled for a processor of 2013, in a process of its own."""
    if not instructions._has("avx2"):
        pytest.skip("this is not an x86 processor with AVX2, so that code cannot run here")
    features = [
        "avx2",
        "fma",
        "f16c",
        "bmi",
        "bmi2",
        "popcnt",
        "avx",
        "sse",
        "sse2",
        "sse3",
        "ssse3",
        "sse4.1",
        "sse4.2",
        "movbe",
        "lzcnt",
    ]
    env = os.environ | {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": ",".join("+" + feature for feature in features),
    }
    script = (
        "from tests import test_kernels as t; from toykit.kernels import instructions as i\n"
        "assert (i.LANES, i.HAS_EXPAND) == (8, False)\n"
        "for name in ('int8', 'int4', 'table 2', 'table 1', '70 % sparse', 'float16'):\n"
        "    for shape in ((1, 1), (9, 33), (6, 1000)):\n"
        "        t.test_products_equal_the_dense_product(name, shape)\n"
    )
    subprocess.run([sys.executable, "-c", script], env=env, check=True)


def test_int8_by_int8_is_exact_in_whole_numbers():
    compressed = tk.quantize(sample((9, 100), dtype=np.float32), bits=8)
    x = np.random.default_rng(1).integers(-127, 128, 100).astype(np.float32)
    x[0] = 127  # so that the input's own scale is 1 and nothing is rounded
    expected = compressed.integers.astype(np.int64) @ x.astype(np.int64) * compressed.scale.ravel()
    assert np.allclose(tk.kernels.Int8Int8(compressed)(x), expected, rtol=1e-6)
    assert tk.kernels.Int8Int8(compressed)(np.zeros(100)).tolist() == [0] * 9


def test_int8_by_int8_loses_half_a_step_of_the_input():
    compressed = tk.quantize(sample((9, 100)), bits=8)
    x = sample(100, 1, np.float32)
    lost = np.abs(tk.kernels.Int8Int8(compressed)(x) - tk.kernels.JustInTime(compressed)(x))
    assert np.all(lost <= np.abs(compressed.dense()).astype(float).sum(1) * np.abs(x).max() / 127 / 2 + 0.01)
    assert lost.max() > 0


def test_own_dense_product():
    for shape in SHAPES:
        w, x = sample(shape, dtype=np.float32), sample(shape[1], 1, np.float32)
        assert np.allclose(tk.kernels.dense_product(w, x), w.astype(float) @ x, atol=1e-4)


def test_arrays_and_joint_weights_ahead_of_time():
    w = sample((4, 6), dtype=np.float32)
    assert np.allclose(tk.kernels.AheadOfTime(w)(np.ones(6)), w.sum(1), atol=1e-6)


@pytest.mark.parametrize(
    "compress, message",
    (
        (lambda w: tk.palettize(w, bits=3), "codes of 3 bits; .* codes of 1, 2, 4 bits in a Palettized"),
        (lambda w: tk.palettize(w, bits=8), "codes of 8 bits"),
        (lambda w: tk.quantize(w, bits=6), "codes of 6 bits; .* 1, 2, 4, 8 bits in a Quantized"),
        (lambda w: tk.quantize(w, bits=4, granularity="per_block", block_size=8), "a scale a tensor"),
        (lambda w: tk.palettize(w, bits=2, cluster_dim=2), "tables of single weights"),
        (lambda w: tk.palettize(w, bits=2, group_size=8, axis=1), "group of output channels"),
        (lambda w: tk.prune(w.astype(np.float32), sparsity=0.5), "float16"),
        (lambda w: tk.quantize(w[0], bits=8), "at least two dimensions"),
        (lambda w: w[0], "at least two dimensions"),
        (lambda w: w[:0], "none of length 0"),
    ),
)
def test_what_has_no_loop_is_refused(compress, message):
    with pytest.raises(ValueError, match=message):
        tk.kernels.JustInTime(compress(sample((16, 16))))


def test_bad_input():
    just_in_time = tk.kernels.JustInTime(tk.quantize(sample((4, 6)), bits=8))
    for x in (np.ones(5), np.ones((6, 0)), np.ones((6, 2, 2)), 3.0):
        with pytest.raises(ValueError, match="a vector of 6 numbers"):
            just_in_time(x)
    with pytest.raises(TypeError, match="or an array of float16 or float32; got"):
        tk.kernels.JustInTime(np.ones((2, 2)))
    w = sample((4, 6))
    for compressed in (tk.palettize(w, bits=2), tk.quantize(w, bits=8, mode="affine")):
        with pytest.raises(ValueError, match="signed, symmetric 8-bit"):
            tk.kernels.Int8Int8(compressed)
    with pytest.raises(ValueError, match="overflow"):
        tk.kernels.Int8Int8(tk.quantize(np.ones((1, 2**17 + 1), np.float16), bits=8))
    with pytest.raises(ValueError, match="one vector"):
        tk.kernels.Int8Int8(tk.quantize(sample((4, 6)), bits=8))(np.ones((6, 2)))


@pytest.mark.parametrize(
    "kind",
    ("int8", "int4", "table 4", "table 2", "table 1", "90 % sparse", "50 % sparse", "float16", "float32"),
)
def test_random_weights_are_what_they_say(kind):
    compressed = tk.kernels.random_weights(kind, (40, 64), seed=3)
    x = sample(64, 1, np.float32)
    assert_product(compressed, x, tk.kernels.JustInTime(compressed)(x))
    if "float" in kind:
        assert compressed.dtype == kind
    elif "sparse" in kind:
        assert compressed.sparsity == pytest.approx(int(kind[:2]) / 100, abs=0.03)
    else:
        assert compressed.bits == int(kind[-1])


SHAPE = (64, 64)


def made_by_hand():
    """Forms whose parts do not fit together: each would send a loop beyond an array."""

    def zeros(n, dtype=np.uint8):
        return np.zeros(n, dtype)

    def ones(*shape):
        return np.ones(shape, np.float16)

    yield tk.Sparse(ones(1), np.full(512, 255, np.uint8), SHAPE)
    yield tk.Sparse(ones(4096), np.full(511, 255, np.uint8), SHAPE)
    yield tk.Sparse(ones(64, 64), np.full(512, 255, np.uint8), SHAPE)
    yield tk.Sparse(ones(4096).astype(">f2"), np.full(512, 255, np.uint8), SHAPE)
    yield tk.Sparse(ones(4096).tolist(), np.full(512, 255, np.uint8), SHAPE)
    yield tk.Sparse(ones(4096), np.full(512, 255, np.uint8), [64, -64])
    yield tk.Palettized(zeros(2048), ones(3, 1, 16, 1), SHAPE, 4)
    yield tk.Palettized(zeros(2048), ones(1, 1, 8, 1), SHAPE, 4)
    yield tk.Palettized(zeros(2048), ones(1, 1, 16, 0), SHAPE, 4)
    yield tk.Palettized(zeros(2047), ones(1, 1, 16, 1), SHAPE, 4)
    yield tk.Palettized(zeros(2048), ones(1, 1, 16, 1), SHAPE, 4, axis=2)
    yield tk.Palettized(zeros(2048), ones(1, 1, 16, 1), SHAPE, 4, scale=ones(3, 1))
    yield tk.Quantized(zeros(2047), ones(64, 1), None, SHAPE, 4, True)
    yield tk.Quantized(zeros(SHAPE, np.uint8), ones(64, 1), None, SHAPE, 8, True)
    yield tk.Quantized(zeros((64, 63), np.int8), ones(64, 1), None, SHAPE, 8, True)
    yield tk.Quantized(zeros(SHAPE, np.int8), ones(63, 1), None, SHAPE, 8, True)
    yield tk.Quantized(zeros(SHAPE, np.int8), ones(64), None, SHAPE, 8, True)
    yield tk.Quantized(zeros(SHAPE, np.int8), ones(64, 1), zeros((1, 1), np.int8), SHAPE, 8, True)


@pytest.mark.parametrize("place", range(len(list(made_by_hand()))))
def test_parts_that_do_not_fit_together_are_refused(place):
    made = list(made_by_hand())[place]
    for use in (tk.kernels.JustInTime, tk.kernels.AheadOfTime, type(made).dense):
        with pytest.raises(
            (TypeError, ValueError), match="values|mask|shape|lut|indices|axis|scale|codes|zero_point"
        ):
            use(made)
