"""Recurrent layers: one step of the sequence after the other.

x has shape (steps, batch, inputs). The gates' weights lie one above the other: for an LSTM input,
forget, output and cell, for a GRU reset, output and update, as the arrays are stored.
"""

from ...format.protobuf import PackageError
from .registry import operator

_ACTIVATIONS = {
    "tanh": lambda xp, x: xp.tanh(x),
    "sigmoid": lambda xp, x: xp.sigmoid(x),
    "relu": lambda xp, x: xp.maximum(x, 0),
    "linear": lambda xp, x: x,
    "hard_sigmoid": lambda xp, x: xp.clip(0.2 * x + 0.5, 0, 1),
    "sigmoid_hard": lambda xp, x: xp.clip(0.2 * x + 0.5, 0, 1),
    "scaled_tanh": lambda xp, x: 1.7159 * xp.tanh(2 / 3 * x),
}


def _activation(name):
    if name.lower() not in _ACTIVATIONS:
        raise PackageError(f"activation must be one of {', '.join(_ACTIVATIONS)}; got {name!r}")
    return _ACTIVATIONS[name.lower()]


@operator("lstm")
def lstm(
    xp,
    x,
    initial_h,
    initial_c,
    weight_ih,
    weight_hh,
    bias=None,
    peephole=None,
    weight_ih_back=None,
    weight_hh_back=None,
    bias_back=None,
    peephole_back=None,
    *,
    direction="forward",
    output_sequence=False,
    recurrent_activation="sigmoid",
    cell_activation="tanh",
    activation="tanh",
    clip=None,
):
    gate, cell, out = (_activation(name) for name in (recurrent_activation, cell_activation, activation))

    def run(steps, h, c, weights):
        w_x, w_h, b, peep = weights
        size = w_h.shape[1]
        inputs = xp.linear(x, w_x, b)
        seen = []
        for t in steps:
            i, f, o, z = _parts(inputs[t] + h @ w_h.T, size)
            if peep is not None:
                i, f = i + peep[:size] * c, f + peep[size : 2 * size] * c
            z = cell(xp, z)
            if clip is not None:
                z = xp.clip(z, -clip, clip)
            c = gate(xp, f) * c + gate(xp, i) * z
            if peep is not None:
                o = o + peep[2 * size :] * c
            h = gate(xp, o) * out(xp, c)
            seen.append(h)
        return seen, h, c

    forward = (weight_ih, weight_hh, bias, peephole)
    behind = (weight_ih_back, weight_hh_back, bias_back, peephole_back)
    layers = (forward, behind) if direction == "bidirectional" else (forward,)
    _check(x, [initial_h, initial_c], *layers)
    there, back = range(len(x)), range(len(x) - 1, -1, -1)
    if direction != "bidirectional":
        seen, h, c = run(_steps(direction, there, back), initial_h, initial_c, forward)
        return _sequence(xp, seen, h, output_sequence), h, c
    half = weight_hh.shape[1]
    one, h, c = run(there, initial_h[:, :half], initial_c[:, :half], forward)
    two, h_back, c_back = run(back, initial_h[:, half:], initial_c[:, half:], behind)
    if output_sequence:
        y = xp.concatenate([_sequence(xp, one, h, True), _sequence(xp, two[::-1], h_back, True)], -1)
    else:
        y = xp.concatenate([h, h_back], -1)[None]
    return y, xp.concatenate([h, h_back], -1), xp.concatenate([c, c_back], -1)


@operator("gru")
def gru(
    xp,
    x,
    initial_h,
    weight_ih,
    weight_hh,
    bias=None,
    input_bias=None,
    *,
    direction="forward",
    output_sequence=False,
    recurrent_activation="sigmoid",
    activation="tanh",
    reset_after=False,
):
    gate, out = _activation(recurrent_activation), _activation(activation)
    _check(x, [initial_h], (weight_ih, weight_hh, bias))
    size, h, seen = weight_hh.shape[1], initial_h, []
    inputs = xp.linear(x, weight_ih, input_bias)
    if bias is None:
        bias = xp.zeros_like(weight_hh[:, 0])
    b_r, b_o, b_z = bias[:size], bias[size : 2 * size], bias[2 * size :]
    w_r, w_o, w_z = weight_hh[:size], weight_hh[size : 2 * size], weight_hh[2 * size :]
    for t in _steps(direction, range(len(x)), range(len(x) - 1, -1, -1)):
        x_r, x_o, x_z = inputs[t][:, :size], inputs[t][:, size : 2 * size], inputs[t][:, 2 * size :]
        r, z = gate(xp, x_r + h @ w_r.T + b_r), gate(xp, x_z + h @ w_z.T + b_z)
        if reset_after:
            o = out(xp, x_o + r * (h @ w_o.T + b_o))
        else:
            o = out(xp, x_o + (r * h) @ w_o.T + b_o)
        h = (1 - z) * o + z * h
        seen.append(h)
    return _sequence(xp, seen, h, output_sequence), h


@operator("rnn")
def rnn(
    xp,
    x,
    initial_h,
    weight_ih,
    weight_hh,
    bias=None,
    *,
    direction="forward",
    output_sequence=False,
    activation="tanh",
):
    _check(x, [initial_h], (weight_ih, weight_hh, bias))
    out, h, seen = _activation(activation), initial_h, []
    inputs = xp.linear(x, weight_ih, bias)
    for t in _steps(direction, range(len(x)), range(len(x) - 1, -1, -1)):
        h = out(xp, inputs[t] + h @ weight_hh.T)
        seen.append(h)
    return _sequence(xp, seen, h, output_sequence), h


def _check(x, states, *layers):
    """Refuse states and weights that do not go with x: NumPy would repeat some of them."""
    sizes = [w_x.shape[0] for w_x, *_ in layers]
    hidden = [w_h.shape[-1] for _, w_h, *_ in layers]
    fits = x.ndim == 3 and all(tuple(state.shape) == (x.shape[1], sum(hidden)) for state in states)
    for (w_x, w_h, bias, *peephole), size, inner in zip(layers, sizes, hidden):
        fits &= w_x.shape[1:] == x.shape[2:] and tuple(w_h.shape) == (size, inner)
        fits &= bias is None or tuple(bias.shape) == (size,)
        fits &= all(part is None or tuple(part.shape) == (3 * inner,) for part in peephole)
    if not fits:
        shapes = [tuple(part.shape) for layer in layers for part in layer if part is not None]
        states = [tuple(state.shape) for state in states]
        raise PackageError(f"states {states} and weights {shapes} do not go with x {tuple(x.shape)}")


def _parts(gates, size):
    """The four gates of an LSTM, side by side in the last axis."""
    return (gates[..., i * size : (i + 1) * size] for i in range(4))


def _steps(direction, there, back):
    if direction not in ("forward", "reverse"):
        raise PackageError(f"direction must be forward or reverse; got {direction!r}")
    return there if direction == "forward" else back


def _sequence(xp, seen, last, output_sequence):
    """Results of all steps, or of the step that was computed last: after no step the state it began with.

    In the order in which they were computed: a sequence that is read backwards comes out backwards.
    coremltools' tests ask this of Core ML. Only a bidirectional layer puts its two halves side by side.
    """
    if not output_sequence:
        return last[None]
    return xp.stack(seen, 0) if seen else last[None][:0]
