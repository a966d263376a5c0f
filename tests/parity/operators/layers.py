"""Layers with weights, pooling, resampling, attention and recurrence."""

import torch
from torch import nn
from torch.nn import functional as F

from .case import inside, integers, normal, other, seeded, table

IMAGE = normal(1, 4, 7, 8)
SIGNAL = normal(2, 4, 9)
VOLUME = normal(1, 2, 5, 6, 4)
NEW = {"target": "iOS18"}


def conv(dimensions, *arguments, **options):
    return seeded(lambda: getattr(nn, f"Conv{dimensions}d")(*arguments, **options))


def transposed(dimensions, *arguments, **options):
    return seeded(lambda: getattr(nn, f"ConvTranspose{dimensions}d")(*arguments, **options))


CONVOLUTIONS = table(
    ("conv1d", conv(1, 4, 6, 3), SIGNAL),
    ("conv1d, stride, dilation, padding", conv(1, 4, 6, 3, stride=2, dilation=2, padding=3), SIGNAL),
    ("conv1d, groups, no bias", conv(1, 4, 8, 2, groups=2, bias=False), SIGNAL),
    ("conv1d, same", conv(1, 4, 6, 4, padding="same"), SIGNAL),
    ("conv2d", conv(2, 4, 6, 3), IMAGE),
    ("conv2d, 1x1", conv(2, 4, 6, 1), IMAGE),
    ("conv2d, 1x1, stride", conv(2, 4, 6, 1, stride=2), IMAGE),
    ("conv2d, padding", conv(2, 4, 6, 3, padding=(1, 2)), IMAGE),
    ("conv2d, stride", conv(2, 4, 6, (3, 2), stride=(2, 1), padding=1), IMAGE),
    ("conv2d, dilation", conv(2, 4, 6, 3, dilation=2, padding=2), IMAGE),
    ("conv2d, groups", conv(2, 4, 6, 3, groups=2, padding=1), IMAGE),
    ("conv2d, depthwise", conv(2, 4, 8, 3, groups=4, padding=1), IMAGE),
    ("conv2d, same", conv(2, 4, 6, (3, 4), padding="same", bias=False), IMAGE),
    ("conv2d, a batch of three", conv(2, 4, 6, 3, padding=1), normal(3, 4, 5, 5)),
    ("conv2d, reflected border", conv(2, 4, 6, 3, padding=1, padding_mode="reflect"), IMAGE),
    ("conv2d, weights that are computed", lambda x, w: F.conv2d(x, w, padding=1), IMAGE, other(3, 4, 3, 3)),
    ("conv3d", conv(3, 2, 3, (2, 3, 2)), VOLUME),
    ("conv3d, all options", conv(3, 2, 4, 2, stride=(1, 2, 1), dilation=2, padding=1, groups=2), VOLUME),
    ("conv and batch norm", seeded(lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6))), IMAGE),
    ("transposed conv1d", transposed(1, 4, 6, 3, stride=2), SIGNAL),
    ("transposed conv1d, all options", transposed(1, 4, 6, 3, 3, 1, output_padding=2, groups=2), SIGNAL),
    ("transposed conv2d", transposed(2, 4, 6, 2, stride=2), IMAGE),
    ("transposed conv2d, padding", transposed(2, 4, 6, 4, stride=2, padding=1), IMAGE),
    ("transposed conv2d, output padding", transposed(2, 4, 6, 3, 2, 1, output_padding=1), IMAGE),
    ("transposed conv2d, groups", transposed(2, 4, 6, 3, groups=2, bias=False), IMAGE),
    ("transposed conv2d, dilation", transposed(2, 4, 6, 3, stride=2, dilation=2), IMAGE),
    ("transposed conv3d", transposed(3, 2, 3, 2, stride=2), VOLUME),
)

NORMS = table(
    ("batch norm 1d", seeded(lambda: nn.BatchNorm1d(4)), SIGNAL),
    ("batch norm 2d", seeded(lambda: nn.BatchNorm2d(4)), IMAGE),
    ("batch norm 3d", seeded(lambda: nn.BatchNorm3d(2)), VOLUME),
    ("layer norm", seeded(lambda: nn.LayerNorm(8)), IMAGE),
    ("layer norm over three axes", seeded(lambda: nn.LayerNorm((4, 7, 8))), IMAGE),
    ("layer norm without scale", lambda x: F.layer_norm(x, (7, 8)), IMAGE),
    ("instance norm 1d", seeded(lambda: nn.InstanceNorm1d(4, affine=True)), SIGNAL),
    ("instance norm 2d", seeded(lambda: nn.InstanceNorm2d(4, affine=True)), IMAGE),
    ("instance norm without scale", seeded(lambda: nn.InstanceNorm2d(4)), IMAGE),
    ("group norm", seeded(lambda: nn.GroupNorm(2, 4)), IMAGE),
    half=True,
)

POOLS = table(
    ("max pool 1d", lambda x: F.max_pool1d(x, 3), SIGNAL),
    ("max pool 2d", lambda x: F.max_pool2d(x, 2), IMAGE),
    ("max pool 2d, padding", lambda x: F.max_pool2d(x, 3, 2, 1), IMAGE - 3),
    ("max pool 2d, ceil", lambda x: F.max_pool2d(x, 2, 2, ceil_mode=True), IMAGE),
    ("max pool 2d, padding and ceil", lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), normal(1, 4, 8, 7)),
    ("max pool 3d", lambda x: F.max_pool3d(x, 2, (1, 2, 1)), VOLUME),
    ("avg pool 1d", lambda x: F.avg_pool1d(x, 3, 2, 1), SIGNAL),
    ("avg pool 2d", lambda x: F.avg_pool2d(x, 2), IMAGE),
    ("avg pool 2d, padding", lambda x: F.avg_pool2d(x, 3, 2, 1), IMAGE),
    ("avg pool 2d, padding counts not", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), IMAGE),
    (
        "avg pool 2d, ceil",
        lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        normal(1, 4, 8, 6),
    ),
    ("avg pool 3d", lambda x: F.avg_pool3d(x, 2), VOLUME),
    ("adaptive avg pool to 1", lambda x: F.adaptive_avg_pool2d(x, 1), IMAGE),
    ("adaptive avg pool, even", lambda x: F.adaptive_avg_pool2d(x, (3, 2)), normal(1, 4, 6, 8)),
    ("adaptive avg pool, uneven", lambda x: F.adaptive_avg_pool2d(x, (3, 3)), IMAGE),
    ("adaptive max pool", lambda x: F.adaptive_max_pool2d(x, (2, 2)), normal(1, 4, 6, 8)),
    ("adaptive avg pool 1d", lambda x: F.adaptive_avg_pool1d(x, 3), SIGNAL),
)

PRODUCTS = table(
    ("linear", seeded(lambda: nn.Linear(8, 5)), normal(3, 8)),
    ("linear, no bias", seeded(lambda: nn.Linear(8, 5, bias=False)), normal(2, 3, 8)),
    ("linear on four axes", seeded(lambda: nn.Linear(8, 5)), IMAGE),
    ("linear of one vector", seeded(lambda: nn.Linear(8, 5)), normal(8)),
    ("matmul", torch.matmul, normal(3, 4), other(4, 5)),
    ("matmul of batches", torch.matmul, normal(2, 3, 4), other(2, 4, 5)),
    ("matmul, transposed", lambda x, y: x @ y.transpose(1, 2), normal(2, 3, 4), other(2, 5, 4)),
    (
        "matmul, both transposed",
        lambda x, y: x.transpose(1, 2) @ y.transpose(1, 2),
        normal(2, 4, 3),
        other(2, 5, 4),
    ),
    ("matmul, broadcast", torch.matmul, normal(2, 1, 3, 4), other(3, 4, 5)),
    ("matmul of a vector", torch.matmul, normal(4), other(4, 5)),
    ("bmm", torch.bmm, normal(2, 3, 4), other(2, 4, 5)),
    (
        "baddbmm",
        lambda b, x, y: torch.baddbmm(b, x, y, beta=0.5, alpha=2.0),
        normal(2, 3, 5),
        normal(2, 3, 4),
        other(2, 4, 5),
    ),
    ("addmm", torch.addmm, normal(3, 5), normal(3, 4), other(4, 5)),
    ("outer", torch.outer, normal(3), other(4)),
    (
        "einsum of heads",
        lambda x, y: torch.einsum("bhqd,bhkd->bhqk", x, y),
        normal(1, 2, 3, 4),
        other(1, 2, 5, 4),
    ),
    (
        "einsum to the channel",
        lambda x, y: torch.einsum("nchw,nwhu->nchu", x, y),
        normal(1, 2, 3, 4),
        other(1, 4, 3, 5),
    ),
    ("einsum of two", lambda x, y: torch.einsum("abc,cd->abd", x, y), normal(2, 3, 4), other(4, 5)),
    ("einsum, sum of all", lambda x, y: torch.einsum("ij,ij->i", x, y), normal(3, 4), other(3, 4)),
    ("embedding", seeded(lambda: nn.Embedding(7, 4)), integers(2, 3, low=0, high=7)),
    half=True,
)

SAMPLING = table(
    ("upsample nearest", lambda x: F.interpolate(x, scale_factor=2), IMAGE),
    ("upsample nearest to a size", lambda x: F.interpolate(x, size=(14, 24)), IMAGE),
    ("upsample nearest 1d", lambda x: F.interpolate(x, scale_factor=2), SIGNAL[:1]),
    ("upsample bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), IMAGE),
    (
        "upsample bilinear, corners",
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
        IMAGE,
    ),
    (
        "upsample bilinear, odd factor",
        lambda x: F.interpolate(x, scale_factor=(3, 2), mode="bilinear"),
        IMAGE,
    ),
    ("resize bilinear", lambda x: F.interpolate(x, size=(5, 11), mode="bilinear"), IMAGE),
    (
        "resize bilinear, corners",
        lambda x: F.interpolate(x, size=(5, 11), mode="bilinear", align_corners=True),
        IMAGE,
    ),
    ("grid sample", lambda x, g: F.grid_sample(x, g, align_corners=False), IMAGE, inside(1, 3, 5, 2)),
    ("grid sample, corners", lambda x, g: F.grid_sample(x, g, align_corners=True), IMAGE, inside(1, 3, 5, 2)),
    (
        "grid sample, outside",
        lambda x, g: F.grid_sample(x, g, align_corners=False),
        IMAGE,
        inside(1, 3, 5, 2) * 1.5,
    ),
    (
        "grid sample, border",
        lambda x, g: F.grid_sample(x, g, padding_mode="border", align_corners=False),
        IMAGE,
        inside(1, 3, 5, 2) * 1.5,
    ),
    (
        "grid sample, reflection",
        lambda x, g: F.grid_sample(x, g, padding_mode="reflection", align_corners=True),
        IMAGE,
        inside(1, 3, 5, 2) * 1.5,
    ),
    (
        "grid sample, nearest",
        lambda x, g: F.grid_sample(x, g, mode="nearest", align_corners=False),
        IMAGE,
        inside(1, 3, 5, 2),
    ),
    (
        "affine grid",
        lambda x, t: F.grid_sample(
            x, F.affine_grid(t, (1, 4, 7, 8), align_corners=False), align_corners=False
        ),
        IMAGE,
        torch.tensor([[[0.9, 0.2, 0.1], [-0.1, 1.1, -0.2]]]),
    ),
    ("pixel shuffle", lambda x: F.pixel_shuffle(x, 2), IMAGE),
    ("pixel unshuffle", lambda x: F.pixel_unshuffle(x, 2), normal(1, 2, 4, 6)),
)


class Recurrent(nn.Module):
    """A recurrent layer that returns its sequence and its last states."""

    def __init__(self, kind, **options):
        super().__init__()
        self.layer = getattr(nn, kind)(4, 5, **options)

    def forward(self, x, *states):
        sequence, last = self.layer(x, states if len(states) == 2 else states[0])
        return (sequence, *last) if isinstance(last, tuple) else (sequence, last)


def recurrent(kind, **options):
    return seeded(lambda: Recurrent(kind, **options))


def start(count):
    return normal(count, 2, 5, scale=0.5), normal(count, 2, 5, seed=1, scale=0.5)


SEQUENCE = normal(6, 2, 4)  # six steps, two sequences, four features

RECURRENCE = table(
    ("lstm", recurrent("LSTM"), SEQUENCE, *start(1)),
    ("lstm, both ways", recurrent("LSTM", bidirectional=True), SEQUENCE, *start(2)),
    ("lstm, two layers", recurrent("LSTM", num_layers=2), SEQUENCE, *start(2)),
    (
        "lstm, batch first",
        recurrent("LSTM", batch_first=True),
        SEQUENCE.transpose(0, 1).contiguous(),
        *start(1),
    ),
    (
        "lstm, two layers both ways, no bias",
        recurrent("LSTM", num_layers=2, bidirectional=True, bias=False),
        SEQUENCE,
        *start(4),
    ),
    ("gru", recurrent("GRU"), SEQUENCE, start(1)[0]),
    ("gru, both ways", recurrent("GRU", bidirectional=True), SEQUENCE, start(2)[0]),
    (
        "gru, two layers, batch first",
        recurrent("GRU", num_layers=2, batch_first=True),
        SEQUENCE.transpose(0, 1).contiguous(),
        start(2)[0],
    ),
    ("rnn", recurrent("RNN"), SEQUENCE, start(1)[0]),
    ("rnn, relu", recurrent("RNN", nonlinearity="relu"), SEQUENCE, start(1)[0]),
    half=True,
)

QUERY, KEY, VALUE = normal(1, 2, 3, 4), other(1, 2, 5, 4), normal(1, 2, 5, 4, seed=2)
ALLOWED = torch.tensor([[True, False, True, True, False], [True] * 5, [False, True, True, False, True]])

ATTENTION = table(
    ("attention", F.scaled_dot_product_attention, QUERY, KEY, VALUE),
    ("attention, iOS 18", F.scaled_dot_product_attention, QUERY, KEY, VALUE, NEW),
    (
        "attention, mask added",
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m),
        QUERY,
        KEY,
        VALUE,
        normal(3, 5),
        NEW,
    ),
    (
        "attention, mask of bools",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, ALLOWED),
        QUERY,
        KEY,
        VALUE,
        NEW,
    ),
    (
        "attention, causal",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        KEY,
        KEY,
        VALUE,
        NEW,
    ),
    half=True,
)


CASES = CONVOLUTIONS | NORMS | POOLS | PRODUCTS | SAMPLING | RECURRENCE | ATTENTION
