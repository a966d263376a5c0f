"""Small networks by chance: a list of steps, each of which fits what comes before, so that any may be left out.

And how far rounding can move their answers, from the arithmetic alone. A type of p bits rounds a number by a share of
at most eps = 2**-p, and a sum of n products strays by about sqrt(n) * eps of the sum of their magnitudes; by more than
four times that once in a thousand sums (Higham and Mary, "A new approach to probabilistic rounding error analysis",
2019). So each step in turn has its inputs, weights and answers moved by as much, in float64, and what the network's
answers move by is added up. It is supposed that sums are added up in the type itself: Apple's runtime does so on Linux.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

EPS = {"float32": 2.0**-24, "float16": 2.0**-11}
CERTAIN = 4


class Step(nn.Module):
    """A layer or a function, and how many numbers it adds up for each that comes out."""

    def __init__(self, function, terms=1):
        super().__init__()
        self.function, self.terms = function, terms

    def forward(self, x):
        found = self.function(x)
        return found[0] if isinstance(found, tuple) else found

    def moved(self, x, eps, random):
        """What comes out when rounding goes against it."""
        # Two for what is rounded once on the way in and once on the way out.
        share = CERTAIN * (self.terms**0.5 + 2) * eps
        other = copy.deepcopy(self)
        for tensor in other.parameters():
            tensor.data = tensor.data * (1 + share * _signs(tensor, random))
        y = other(x + share * x.abs().max() * _signs(x, random))
        # Moves of both signs cancel out in a sum; what it loses itself is a share of its magnitudes.
        for tensor in other.parameters():
            tensor.data = tensor.data.abs()
        magnitude = torch.maximum(other(x.abs()).abs(), y.abs())
        return y + share * magnitude * _signs(y, random)


def _signs(like, random):
    return torch.from_numpy(random.choice([-1.0, 1.0], tuple(like.shape)))


class Beside(nn.Module):
    """A layer beside a shortcut: added, multiplied or put side by side."""

    def __init__(self, inner, how):
        super().__init__()
        self.inner, self.how = inner, how

    def forward(self, x):
        y = self.inner(x)
        if self.how == "cat":
            return torch.cat([x, y], 1)
        return x + y if self.how == "add" else x * y


class Attention(nn.Module):
    """Softmax of products of a sequence with itself."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def forward(self, x):
        parts = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return F.scaled_dot_product_attention(parts, parts, parts).transpose(1, 2).flatten(2)


def conv(shape, random):
    outputs, size = int(random.choice([4, 6, 8, 12])), int(random.choice([1, 3, 3, 5]))
    groups = int(random.choice([1, 1, 2])) if shape[0] % 2 == 0 else 1
    if random.random() < 0.15:
        outputs = groups = shape[0]
    stride, dilation = int(random.choice([1, 1, 2])), int(random.choice([1, 1, 2]))
    padding = int(random.choice([0, dilation * (size // 2)]))
    layer = nn.Conv2d(shape[0], outputs, size, stride, padding, dilation, groups, bool(random.random() < 0.8))
    return Step(layer, shape[0] // groups * size**2)


def widen(shape, random):
    layer = nn.ConvTranspose2d(shape[0], int(random.choice([4, 6])), int(random.choice([2, 3])), 2)
    return Step(layer, 4 * shape[0])


def linear(shape, random):
    layer = nn.Linear(shape[-1], int(random.choice([5, 8, 12, 16])), bool(random.random() < 0.8))
    return Step(layer, shape[-1])


def batch_norm(shape, random):
    layer = nn.BatchNorm2d(shape[0])
    ranges = {"running_mean": 0.3, "running_var": 0.5, "weight": 0.3, "bias": 0.3}
    for name, reach in ranges.items():
        middle = 1 if name in ("running_var", "weight") else 0
        nn.init.uniform_(getattr(layer, name).data, middle - reach, middle + reach)
    return Step(layer)


def group_norm(shape, random):
    groups = 2 if shape[0] % 2 == 0 else 1
    return Step(nn.GroupNorm(groups, shape[0]), int(np.prod(shape)) // groups)


def layer_norm(shape, random):
    if shape[-1] == 1:
        raise ValueError("of one number nothing is left")
    return Step(nn.LayerNorm(shape[-1]), shape[-1])


ACTIVATIONS = (
    *("relu", "relu6", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid"),
    *("leaky_relu", "softplus", "mish", "softsign"),
)


def activation(shape, random):
    return Step(getattr(F, str(random.choice(ACTIVATIONS))))


def pool(shape, random):
    kind = random.choice(["max", "padded", "average", "whole"])
    if kind == "whole":
        return Step(lambda x: F.adaptive_avg_pool2d(x, 1), shape[1] * shape[2])
    if kind == "average":
        return Step(lambda x: F.avg_pool2d(x, 2), 4)
    return Step(lambda x: F.max_pool2d(x, 3, 2, 1) if kind == "padded" else F.max_pool2d(x, 2))


def resize(shape, random):
    mode = str(random.choice(["nearest", "bilinear"]))
    return Step(lambda x: F.interpolate(x, scale_factor=2, mode=mode), 4)


def rearrange(shape, random):
    if shape[0] % 4 == 0 and random.random() < 0.5:
        return Step(lambda x: F.pixel_shuffle(x, 2))
    return Step(lambda x: F.pad(x, (1, 0, 2, 1)))


def softmax(shape, random):
    axis, function = int(random.choice([1, -1])), F.log_softmax if random.random() < 0.3 else F.softmax
    return Step(lambda x: function(x, axis), shape[axis - 1 if axis > 0 else -1])


def reduce(shape, random):
    kind = str(random.choice(["mean", "amax", "sum"]))
    return Step(lambda x: getattr(x, kind)(-1, keepdim=True), shape[-1])


def shortcut(shape, random):
    how = str(random.choice(["add", "mul", "cat"]))
    if len(shape) == 3:
        return Step(Beside(nn.Conv2d(shape[0], shape[0], 3, padding=1), how), shape[0] * 9)
    return Step(Beside(nn.Linear(shape[-1], shape[-1]), how), shape[-1])


def attention(shape, random):
    return Step(Attention(2 if shape[1] % 2 == 0 else 1), shape[0] + shape[1])


def recurrent(shape, random):
    if shape[0] > 9:
        raise ValueError("Core AI writes a step for each time step: longer ones take long")
    kind, both = (nn.LSTM if random.random() < 0.6 else nn.GRU), bool(random.random() < 0.4)
    layer = kind(shape[1], int(random.choice([4, 6])), batch_first=True, bidirectional=both)
    return Step(layer, shape[0] * (shape[1] + 6))


def as_sequence(shape, random):
    return Step(lambda x: x.flatten(2).transpose(1, 2))


IMAGE = (
    *(
        conv,
        conv,
        conv,
        activation,
        activation,
        batch_norm,
        group_norm,
        pool,
        pool,
        resize,
        rearrange,
        softmax,
    ),
    *(shortcut, widen, reduce),
)
SEQUENCE = (
    linear,
    linear,
    activation,
    layer_norm,
    softmax,
    shortcut,
    attention,
    recurrent,
    recurrent,
    reduce,
)
# Of these, both stacks compress the same weights, with channels on the same axis.
PLAIN = {conv, linear, activation, pool, group_norm, layer_norm, softmax, attention, resize, rearrange}


def draw(seed, plain=False):
    """The steps of a network: (maker, seed of its numbers) each; an image first, then perhaps a sequence."""
    random = np.random.default_rng(seed)

    def several(makers, least):
        allowed = [make for make in makers if not plain or make in PLAIN]
        return [allowed[random.integers(len(allowed))] for _ in range(random.integers(least, 5))]

    steps = [conv] * plain + several(IMAGE, 1)
    if random.random() < 0.6:
        steps += [as_sequence, *several(SEQUENCE, 1)]
    return tuple((make, int(random.integers(2**31))) for make in steps)


def build(steps):
    """The network of these steps, whose numbers float16 holds, and an input. Steps that do not fit are left out."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        x = y = torch.randn(1, 4, 8, 8).half().float()
        layers = []
        for make, number in steps:
            torch.manual_seed(number)
            try:
                layer = make(tuple(y.shape[1:]), np.random.default_rng(number)).eval()
                for tensor in (*layer.parameters(), *layer.buffers()):
                    if tensor.is_floating_point():
                        tensor.data = tensor.data.half().float()
                found = layer(y)
            except (RuntimeError, IndexError, ValueError):  # a window larger than what is left, say
                continue
            if found.numel() <= 2048:
                y, layers = found, [*layers, layer]
        return nn.Sequential(*layers).requires_grad_(False), x


def exact(network, x, precision):
    """The answer in float64, and how far rounding in this type can move it."""
    steps, values = copy.deepcopy(network).double(), [x.double()]
    with torch.no_grad():
        for step in steps:
            values.append(step(values[-1]))
        random, away = np.random.default_rng(0), torch.zeros_like(values[-1])
        for number, step in enumerate(steps):
            y = step.moved(values[number], EPS[precision], random)
            for later in steps[number + 1 :]:
                y = later(y)
            away += (y - values[-1]).abs()
    # Below the smallest normal number, the gaps no longer shrink.
    gap = float(torch.finfo(getattr(torch, precision)).smallest_normal) * EPS[precision]
    return values[-1].numpy(), float(away.max()) + len(steps) * gap
