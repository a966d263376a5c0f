"""Arrays of weights for hypothesis: every shape, type, stride and byte order that toykit takes."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

# A bound that float16 can hold, and squares of which float32 can.
ELEMENTS = st.floats(-60000, 60000, width=16, allow_subnormal=True)


@st.composite
def weights(
    draw, dtypes=("float16", "float32", "float64"), min_dims=1, max_dims=5, max_side=7, elements=ELEMENTS
):
    """Arrays of 1 to 5 dimensions in any layout: strided, reversed, transposed, of either byte order."""
    dtype = np.dtype(draw(st.sampled_from(dtypes))).newbyteorder(draw(st.sampled_from("<>")))
    shape = draw(hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, max_side=max_side))
    array = draw(hnp.arrays(dtype, shape, elements=elements))
    layout = draw(st.sampled_from(("rows", "columns", "reversed", "every second", "transposed")))
    if layout == "columns":
        return np.asfortranarray(array)
    if layout == "reversed":
        return array[..., ::-1]
    if layout == "every second":
        return np.repeat(array, 2, axis=-1)[..., ::2]
    return array.T if layout == "transposed" else array


def block_sizes(shape):
    """Lengths of blocks that divide a shape; 0 stands for a whole axis."""
    return st.tuples(
        *(st.sampled_from([0] + [n for n in range(1, size + 1) if size % n == 0]) for size in shape)
    )


@st.composite
def granularities(draw, shape):
    """Options that say which weights of a shape share a scale."""
    options = {"granularity": draw(st.sampled_from(("per_tensor", "per_channel", "per_block")))}
    if options["granularity"] == "per_channel":
        options["axis"] = draw(st.integers(-len(shape), len(shape) - 1))
    if options["granularity"] == "per_block":
        options["block_size"] = draw(block_sizes(shape))
    return options


def trained(shape, seed=0, dtype="float16"):
    """Weights with the bell shape and the few outliers of a trained layer, the same for each seed."""
    random = np.random.default_rng(seed)
    return (0.05 * random.standard_t(5, shape)).astype(dtype)
