"""How much work an operation is, in multiply-adds, from the shapes of what it is given.

One unit is a multiply-add inside a large product of matrices, of which one core does some 20 billion a
second. Everything else counts as the units that would last about as long: a call, a number that is read, a
number that is written; and, for the operators below, what they do besides. The numbers are estimates: they
tell ten seconds from an hour, not from eleven.
"""

import math

CALL = 2**18  # an operation, whatever it does
READ, WRITE = 8, 100  # an element of an input, and of a result
_STEP = 2**17  # a step of a loop in Python
_LISTS = {"values", "strides", "pad", "kernel_sizes", "split_sizes"}
_SLOW = 32  # a multiply-add outside of a product of matrices of floats


def extra(operation, parameters):
    """Units besides the call and the elements that are read and written.

    Parameters
    ----------
    operation : str
    parameters : dict of str to object
        What the operator is about to be called with.
    """
    count = _COSTS.get(operation)
    if count is None:
        return 0
    # A program may give a number as a list of one, and a list of one as a number.
    for name, value in parameters.items():
        if name in _LISTS and not isinstance(value, list | None):
            parameters = parameters | {name: [value]}
        elif name not in _LISTS and isinstance(value, list) and len(value) == 1:
            parameters = parameters | {name: value[0]}
    return count(**parameters)


def elements(value):
    """How many elements an argument has; a list of tensors has those of all of them."""
    if isinstance(value, list):
        return sum(map(elements, value)) if value and hasattr(value[0], "shape") else len(value)
    return math.prod(getattr(value, "shape", (0,)))


def _linear(x, weight, **_):
    return math.prod(x.shape) * weight.shape[0]


def _matmul(x, y, transpose_x=False, transpose_y=False, **_):
    rows = 1 if x.ndim < 2 else x.shape[-1 if transpose_x else -2]
    columns = 1 if y.ndim < 2 else y.shape[-2 if transpose_y else -1]
    # The one that is repeated along the other's axes has fewer elements for its rows or columns.
    products = max(math.prod(x.shape) * columns, math.prod(y.shape) * rows)
    return products * (1 if "float" in str(x.dtype) else _SLOW)


def _einsum(values, equation, **_):
    sizes = {}
    for letters, value in zip(equation.replace(" ", "").partition("->")[0].split(","), values):
        sizes |= {letter: max(size, sizes.get(letter, 0)) for letter, size in zip(letters, value.shape)}
    return _SLOW * math.prod(sizes.values())


def _attention(query, key, value, **_):
    scores = math.prod(query.shape[:-1]) * key.shape[-2]
    return scores * (query.shape[-1] + value.shape[-1] + 4 * WRITE)


def _conv(x, weight, strides=None, pad=None, pad_type="valid", **_):
    strides = strides or [1] * (x.ndim - 2)
    # As many windows as strides fit into the input and all that can be added to it.
    padded = [size + sum(pad[2 * i : 2 * i + 2] if pad else ()) for i, size in enumerate(x.shape[2:])]
    windows = x.shape[0] * math.prod(size // stride + 1 for size, stride in zip(padded, strides))
    inside, kernel = math.prod(weight.shape[1:]), math.prod(weight.shape[2:])
    alone = weight.shape[1] == 1  # a channel for itself: no product of matrices, but a step for each place
    products = windows * weight.shape[0] * inside * (_SLOW if alone else 1)
    return products + windows * x.shape[1] * kernel * _SLOW + (kernel * _STEP if alone else 0)


def _conv_transpose(x, weight, **_):
    kernel, places = math.prod(weight.shape[2:]), x.shape[0] * math.prod(x.shape[2:])
    # Each place of the kernel is a step, a product, and a sum into what comes out.
    return kernel * _STEP + places * math.prod(weight.shape[1:]) * (x.shape[1] + _SLOW)


def _pool(x, kernel_sizes, strides=None, **_):
    strides = strides or [1] * len(kernel_sizes)
    windows = math.prod(x.shape[:2]) * math.prod(
        size // stride + 1 for size, stride in zip(x.shape[2:], strides)
    )
    return math.prod(kernel_sizes) * (_STEP + _SLOW * windows)


def _recurrent(x, weight_ih, weight_hh, **_):
    steps, batch = x.shape[:2]
    products = batch * (math.prod(weight_ih.shape) + math.prod(weight_hh.shape))
    return 2 * steps * (products + 16 * _STEP + 16 * WRITE * batch * weight_hh.shape[0])


def _sorted(x, **_):
    return 10 * WRITE * math.prod(x.shape)


def _function(x, **_):
    return 20 * WRITE * math.prod(x.shape)


def _rows(x, batch_dims=0, **_):
    return _STEP * math.prod(x.shape[:batch_dims])


def _boxes(boxes, scores, max_boxes, **_):
    chosen = min(max_boxes, math.prod(boxes.shape[1:]))
    return boxes.shape[0] * chosen * (4 * _STEP + math.prod(boxes.shape[1:]) * WRITE)


def _crops(x, boxes=None, roi=None, target_height=1, target_width=1, **_):
    given = boxes if roi is None else roi
    count = 0 if given is None else len(given)
    return count * (16 * _STEP + 4 * WRITE * x.shape[1] * target_width * (x.shape[2] + target_height))


def _places(x, coordinates=None, output_height=1, output_width=1, **_):
    count = x.shape[0] * output_height * output_width if coordinates is None else math.prod(coordinates.shape)
    return 10 * WRITE * count * (4 + x.shape[1])


def _list(ls, **_):
    return WRITE * len(ls)


_COSTS = {
    "linear": _linear,
    "matmul": _matmul,
    "einsum": _einsum,
    "scaled_dot_product_attention": _attention,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    **dict.fromkeys(("max_pool", "avg_pool", "l2_pool"), _pool),
    **dict.fromkeys(("lstm", "gru", "rnn"), _recurrent),
    **dict.fromkeys(("argsort", "topk"), _sorted),
    **dict.fromkeys(("erf", "gelu"), _function),
    **dict.fromkeys(("gather", "gather_nd"), _rows),
    "reverse_sequence": lambda x, batch_axis=0, **_: _STEP * x.shape[batch_axis],
    "non_maximum_suppression": _boxes,
    "crop_resize": _crops,
    **dict.fromkeys(("resample", "affine"), _places),
    "split": lambda num_splits=None, split_sizes=None, **_: (
        _STEP * len(split_sizes or range(num_splits or 0))
    ),
    "make_list": lambda init_length=1, **_: _STEP * init_length,
    **dict.fromkeys(("list_write", "list_scatter"), _list),
}
