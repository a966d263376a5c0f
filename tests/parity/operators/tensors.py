"""Shapes and places: cutting, joining, gathering, sorting."""

import torch
from torch.nn import functional as F

from .case import distinct, integers, normal, other, table

X = normal(2, 3, 4)
IMAGE = normal(1, 4, 5, 6)
NEW = {"target": "iOS18"}


def update(x, u):
    x = x.clone()
    x[:, 1:3] = u
    return x


CUTTING = table(
    ("slice", lambda x: x[:, 1:3, ::2], X),
    ("slice from the end", lambda x: x[:, -2:, :-1], X),
    ("slice, one step", lambda x: x[:, 1], X),
    ("slice, last of all", lambda x: x[..., -1], X),
    ("slice, new axis", lambda x: x[:, None, 1:, 0], X),
    ("slice assignment", update, normal(2, 4, 3), other(2, 2, 3)),
    ("slice assignment, iOS 18", update, normal(2, 4, 3), other(2, 2, 3), NEW),
    ("narrow", lambda x: x.narrow(2, 1, 2), X),
    ("chunk", lambda x: x.chunk(2, 2), X),
    ("split", lambda x: torch.split(x, [1, 3], 2), X),
    ("unbind", lambda x: torch.unbind(x, 1), X),
    ("select", lambda x: x.select(1, 2), X),
    ("unfold", lambda x: F.unfold(x, 2), IMAGE),
)

JOINING = table(
    ("concat", lambda x, y: torch.cat([x, y], 1), X, other(2, 2, 4)),
    ("concat of three", lambda x, y: torch.cat([x, y, x], -1), X, other(2, 3, 1)),
    ("stack", lambda x, y: torch.stack([x, y], 1), X, other(2, 3, 4)),
    ("hstack", lambda x, y: torch.hstack([x, y]), X, other(2, 3, 4)),
    ("pad with zeros", lambda x: F.pad(x, (1, 2)), X),
    ("pad with a number", lambda x: F.pad(x, (1, 0, 2, 1), value=1.5), IMAGE),
    ("pad by reflection", lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"), IMAGE),
    ("pad by repetition", lambda x: F.pad(x, (1, 2, 2, 1), mode="replicate"), IMAGE),
    ("repeat", lambda x: x.repeat(2, 1, 3), X),
    ("repeat with a new axis", lambda x: x.repeat(2, 1, 2, 1), X),
    ("repeat interleave", lambda x: x.repeat_interleave(2, 1), X),
    ("expand", lambda x: x.expand(2, 3, 4) + 1, normal(2, 1, 4)),
    ("meshgrid", lambda x, y: torch.meshgrid(x, y, indexing="ij"), normal(3), other(4)),
)

SHAPES = table(
    ("reshape", lambda x: x.reshape(4, 6), X),
    ("reshape with a free axis", lambda x: x.reshape(2, -1), X),
    ("flatten", lambda x: x.flatten(1), IMAGE),
    ("unflatten", lambda x: x.unflatten(2, (2, 2)), X),
    ("transpose", lambda x: x.transpose(0, 2), X),
    ("permute", lambda x: x.permute(0, 2, 3, 1), IMAGE),
    ("unsqueeze", lambda x: x.unsqueeze(1).unsqueeze(-1) * 2, X),
    ("squeeze", lambda x: x.squeeze(0) * 2, IMAGE),
    ("squeeze all", lambda x: x.squeeze() + 1, normal(1, 3, 1, 2)),
    ("flip", lambda x: x.flip(1, 2), X),
    ("roll", lambda x: x.roll((1, 2), (1, 2)), X),
    ("pixels to space by hand", lambda x: x.reshape(1, 2, 2, 5, 6).transpose(1, 2).flatten(1, 2), IMAGE),
    ("shape as numbers", lambda x: x * x.shape[1], X),
)

PLACES = table(
    ("index select", lambda x: x.index_select(1, torch.tensor([2, 0, 2])), X),
    ("index with a tensor", lambda x, i: x[i.long()], normal(5, 3), integers(4, low=0, high=5)),
    ("index, two axes", lambda x: x[torch.tensor([0, 1]), torch.tensor([2, 0])], X),
    ("index, negative", lambda x: x[:, torch.tensor([-1, 0])], X),
    ("gather", lambda x, i: torch.gather(x, 1, i.long()), X, integers(2, 2, 4, low=0, high=3)),
    ("gather in sorted order", lambda x: torch.gather(x, 2, torch.argsort(x, 2)), distinct(2, 3, 4)),
    (
        "scatter",
        lambda x, i, u: x.scatter(1, i.long(), u),
        X,
        torch.tensor([[[0, 2, 1, 0]], [[2, 2, 0, 1]]], dtype=torch.int32),
        other(2, 1, 4),
    ),
    (
        "scatter add",
        lambda x, i, u: x.scatter_add(1, i.long(), u),
        X,
        integers(2, 3, 4, low=0, high=3),
        other(2, 3, 4),
    ),
    ("index put", lambda x, u: x.index_put((torch.tensor([1, 0]),), u), X, other(2, 3, 4)),
    (
        "index put, adding",
        lambda x, u: x.index_put((torch.tensor([1, 1]),), u, accumulate=True),
        X,
        other(2, 3, 4),
    ),
    ("one hot", lambda i: F.one_hot(i.long(), 5), integers(2, 3, low=0, high=5)),
    ("non zero", lambda x: torch.nonzero(x), integers(3, 4, low=0, high=2)),
    ("triu", lambda x: torch.triu(x), normal(4, 4)),
    ("tril, one above", lambda x: torch.tril(x, 1), normal(4, 5)),
    ("triu, one below", lambda x: torch.triu(x, -1), normal(5, 4)),
    ("ones like", lambda x: torch.ones_like(x) + x, X),
    ("full like", lambda x: torch.full_like(x, 2.5) * x, X),
    ("arange", lambda x: x + torch.arange(4), X),
    ("topk", lambda x: torch.topk(x, 3, 2), distinct(2, 3, 8)),
    ("topk, smallest", lambda x: torch.topk(x, 2, 1, largest=False), distinct(2, 3, 8)),
    ("sort", lambda x: torch.sort(x, 1), distinct(2, 5, 3)),
    ("sort, descending", lambda x: torch.sort(x, -1, descending=True), distinct(2, 3, 5)),
    ("argsort", lambda x: torch.argsort(x, -1), distinct(2, 3, 5)),
    ("diagonal by hand", lambda x: (x * torch.eye(4)).sum(1), normal(4, 4)),
)

CASES = CUTTING | JOINING | SHAPES | PLACES
