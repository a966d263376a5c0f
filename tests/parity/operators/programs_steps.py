"""One step after the other: recurrent layers, conditions, loops and lists."""

import numpy as np

from . import references as R
from .case import array, normal, weights, written

X = array(normal(2, 3, 4))
SEQUENCE, START = array(normal(5, 2, 3)), array(normal(2, 4, scale=0.5))
CASES = {}
case = written(CASES)


# Recurrence.
GATES = {"weight_ih": weights(12, 3), "weight_hh": weights(12, 4, seed=3), "bias": weights(12, seed=4)}
for direction in ("forward", "reverse"):
    case(
        f"gru, {direction}",
        lambda mb, x, h, direction=direction: mb.gru(
            x=x, initial_h=h, direction=direction, output_sequence=True, **GATES
        ),
        lambda x, h, direction=direction: R.gru(x, h, **GATES, reverse=direction == "reverse"),
        x=SEQUENCE,
        h=START,
    )
case(
    "gru, last step",
    lambda mb, x, h: mb.gru(
        x=x, initial_h=h, recurrent_activation="hard_sigmoid", activation="relu", **GATES
    ),
    lambda x, h: [
        R.gru(x, h, **GATES, gate="hard_sigmoid", new="relu")[1][None],
        R.gru(x, h, **GATES, gate="hard_sigmoid", new="relu")[1],
    ],
    x=SEQUENCE,
    h=START,
)
case(
    "gru, reset after",
    lambda mb, x, h: mb.gru(x=x, initial_h=h, output_sequence=True, reset_after=True, **GATES),
    lambda x, h: R.gru(x, h, **GATES, after=True),
    "iOS18",
    x=SEQUENCE,
    h=START,
)
LSTM = {
    "weight_ih": weights(16, 3),
    "weight_hh": weights(16, 4, seed=3),
    "bias": weights(16, seed=4),
    "peephole": weights(12, seed=5),
}
case(
    "lstm with peepholes",
    lambda mb, x, h, c: mb.lstm(x=x, initial_h=h, initial_c=c, output_sequence=True, **LSTM),
    lambda x, h, c: R.lstm(x, h, c, **LSTM, clip=np.inf),
    x=SEQUENCE,
    h=START,
    c=START + 1,
)
case(
    "lstm, other activations",
    lambda mb, x, h, c: mb.lstm(
        x=x,
        initial_h=h,
        initial_c=c,
        output_sequence=True,
        recurrent_activation="hard_sigmoid",
        cell_activation="relu",
        activation="linear",
        **{**LSTM, "peephole": None},
    ),
    lambda x, h, c: R.lstm(
        x,
        h,
        c,
        **{**LSTM, "peephole": np.zeros(12)},
        clip=np.inf,
        gate="hard_sigmoid",
        cell="relu",
        out="linear",
    ),
    x=SEQUENCE,
    h=START,
    c=START + 1,
)
SIMPLE = {"weight_ih": weights(4, 3), "weight_hh": weights(4, 4, seed=3), "bias": weights(4, seed=4)}
for direction, name in (("forward", "sigmoid"), ("reverse", "relu")):
    case(
        f"rnn, {direction}",
        lambda mb, x, h, direction=direction, name=name: mb.rnn(
            x=x, initial_h=h, direction=direction, activation=name, output_sequence=True, **SIMPLE
        ),
        lambda x, h, direction=direction, name=name: R.rnn(
            x, h, **SIMPLE, name=name, reverse=direction == "reverse"
        ),
        x=SEQUENCE,
        h=START,
    )

# Control flow and lists.
case(
    "cond",
    lambda mb, x: mb.cond(
        pred=mb.greater(x=mb.reduce_sum(x=x), y=0.0),
        _true_fn=lambda: mb.mul(x=x, y=2.0),
        _false_fn=lambda: mb.sub(x=x, y=1.0),
    ),
    lambda x: x * 2 if x.sum() > 0 else x - 1,
    x=X,
)
case(
    "cond, the other way",
    lambda mb, x: mb.cond(
        pred=mb.less(x=mb.reduce_sum(x=x), y=0.0),
        _true_fn=lambda: mb.mul(x=x, y=2.0),
        _false_fn=lambda: mb.sub(x=x, y=1.0),
    ),
    lambda x: x * 2 if x.sum() < 0 else x - 1,
    x=X,
)
case(
    "while_loop",
    lambda mb, x: mb.while_loop(
        _cond=lambda i, y: mb.less(x=i, y=5),
        _body=lambda i, y: (mb.add(x=i, y=1), mb.add(x=mb.mul(x=y, y=0.5), y=x)),
        loop_vars=(np.int32(0), x),
    ),
    lambda x: (np.int32(5), x * (2 - 0.5**5)),
    x=X,
)
case(
    "while_loop that never runs",
    lambda mb, x: mb.while_loop(
        _cond=lambda i, y: mb.less(x=i, y=0),
        _body=lambda i, y: (mb.add(x=i, y=1), mb.mul(x=y, y=0.5)),
        loop_vars=(np.int32(0), x),
    )[1],
    lambda x: x,
    x=X,
)


def listed(mb, x):
    """A list of two rows, written one by one and all at once, read one by one and all at once."""
    made = mb.make_list(init_length=2, elem_shape=(np.int32(4),), dynamic_length=True)
    made = mb.list_write(
        ls=made, index=0, value=mb.slice_by_index(x=x, begin=[0, 0], end=[1, 4], squeeze_mask=[True, False])
    )
    made = mb.list_scatter(ls=made, indices=[1, 2], value=mb.slice_by_index(x=x, begin=[1, 0], end=[3, 4]))
    return mb.list_read(ls=made, index=1), mb.list_gather(ls=made, indices=[2, 0]), mb.list_length(ls=made)


def listed_by_place(mb, x, i):
    """Rows at places that the program computes; and rows of no elements. Lists hold nothing without an axis."""
    place, rows = mb.gather(x=i, indices=0, axis=0), mb.make_list(init_length=1, elem_shape=(np.int32(2),))
    first = mb.gather(x=x, indices=0, axis=0)
    rows = mb.list_write(ls=rows, index=place, value=first)
    rows = mb.list_scatter(ls=rows, indices=i, value=mb.slice_by_size(x=x, begin=[1, 0], size=[2, 2]))
    blank = mb.make_list(init_length=2, elem_shape=(np.int32(0),))
    blank = mb.list_write(ls=blank, index=1, value=mb.slice_by_size(x=first, begin=[2], size=[0]))
    return mb.list_read(ls=rows, index=place), mb.list_gather(ls=rows, indices=i), mb.list_length(ls=blank)


case(
    "lists by computed places",
    listed_by_place,
    lambda x, i: (x[1], x[[1, 2]], np.int32(2)),
    x=array(normal(3, 2)),
    i=np.int32([2, 0]),
)


def counted(mb, x, n):
    """A number without an axis and an empty tensor, as often round a loop as an input says, then a choice."""
    total, nothing = mb.gather(x=x, indices=0, axis=0), mb.slice_by_size(x=x, begin=[1], size=[0])
    times = mb.squeeze(x=n)
    _, total, nothing = mb.while_loop(
        _cond=lambda i, y, z: mb.less(x=i, y=times),
        _body=lambda i, y, z: (mb.add(x=i, y=1), mb.mul(x=y, y=2.0), mb.add(x=z, y=y)),
        loop_vars=(np.int32(0), total, nothing),
    )
    chosen = mb.cond(
        pred=mb.equal(x=mb.gather(x=mb.shape(x=nothing), indices=0, axis=0), y=0),
        _true_fn=lambda: mb.add(x=total, y=1.0),
        _false_fn=lambda: mb.sub(x=total, y=1.0),
    )
    return chosen, mb.shape(x=nothing)


case(
    "a loop over a number",
    counted,
    lambda x, n: (8 * x[0] + 1, np.int32([0])),
    x=array(normal(3)),
    n=np.int32([3]),
)
case("lists", listed, lambda x: (x[1], x[[2, 0]], np.int32(3)), x=array(normal(3, 4)))
