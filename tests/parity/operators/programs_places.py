"""Shapes and places that no torch function becomes."""

import numpy as np
import torch
from torch.nn import functional as F

from . import references as R
from .case import array, distinct, normal, positive, written

X = array(normal(2, 3, 4))
IMAGE = array(normal(1, 4, 6, 6))
CASES = {}
case = written(CASES)


def updated(x, update):
    x = x.copy()
    x[:, ::2, 1::2] = update
    return x


# Shapes.
case("flatten2d", lambda mb, x: mb.flatten2d(x=x, axis=2), x=IMAGE)
case("shape", lambda mb, x: mb.shape(x=mb.reshape(x=x, shape=[-1, 8])), lambda x: np.int32([3, 8]), x=X)
case(
    "depth_to_space",
    lambda mb, x: mb.depth_to_space(x=x, block_size=2),
    lambda x: x.reshape(1, 2, 2, 1, 6, 6).transpose(0, 3, 4, 1, 5, 2).reshape(1, 1, 12, 12),
    x=IMAGE,
)
case(
    "space_to_depth",
    lambda mb, x: mb.space_to_depth(x=x, block_size=2),
    lambda x: x.reshape(1, 4, 3, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(1, 16, 3, 3),
    x=IMAGE,
)
case(
    "pixel_shuffle",
    lambda mb, x: mb.pixel_shuffle(x=x, upscale_factor=2),
    lambda x: F.pixel_shuffle(torch.tensor(x), 2).numpy(),
    x=IMAGE,
)
case(
    "pixel_unshuffle",
    lambda mb, x: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(3)),
    lambda x: F.pixel_unshuffle(torch.tensor(x), 3).numpy(),
    x=IMAGE,
)
case(
    "space_to_batch",
    lambda mb, x: mb.space_to_batch(x=x, block_shape=[2, 3], paddings=[[1, 1], [0, 0]]),
    lambda x: (
        np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0)])
        .reshape(1, 4, 4, 2, 2, 3)
        .transpose(3, 5, 0, 1, 2, 4)
        .reshape(6, 4, 4, 2)
    ),
    x=IMAGE,
)
case(
    "batch_to_space",
    lambda mb, x: mb.batch_to_space(x=x, block_shape=[2, 3], crops=[[1, 0], [0, 2]]),
    lambda x: x.reshape(2, 3, 1, 2, 4, 5).transpose(2, 3, 4, 0, 5, 1).reshape(1, 2, 8, 15)[..., 1:, :-2],
    x=array(normal(6, 2, 4, 5)),
)
case(
    "reshape, zeros copy", lambda mb, x: mb.reshape(x=x, shape=[0, 2, -1]), lambda x: x.reshape(2, 2, 6), x=X
)
case(
    "reshape_like",
    lambda mb, x, y, z: mb.reshape_like(
        x=x, ref_tensors=(y, z), begins=(0, 1), ends=(2, 0), end_masks=(False, True)
    ),
    lambda x, y, z: x.reshape(2, 2, 3, 2),
    x=X,
    y=array(normal(2, 2, 5)),
    z=array(normal(1, 3, 2)),
)
case("squeeze", lambda mb, x: mb.squeeze(x=x), lambda x: x.squeeze(), x=array(normal(1, 3, 1, 2)))
case("expand_dims", lambda mb, x: mb.expand_dims(x=x, axes=[0, -1]), lambda x: x[None, ..., None], x=X)
case(
    "concat, interleaved",
    lambda mb, x, y: mb.concat(values=(x, y), axis=1, interleave=True),
    lambda x, y: np.stack([x, y], 2).reshape(1, 8, 6, 6),
    x=IMAGE,
    y=array(normal(1, 4, 6, 6, seed=1)),
)
case(
    "concat of numbers without an axis",
    lambda mb, x: mb.concat(values=[mb.gather(x=x, indices=i, axis=0) for i in (2, 0, 3)], axis=0),
    lambda x: x[[2, 0, 3]],
    x=array(normal(4)),
)
case("split evenly", lambda mb, x: mb.split(x=x, num_splits=2, axis=-1), lambda x: np.split(x, 2, -1), x=X)
case("reverse all", lambda mb, x: mb.reverse(x=x), lambda x: x[::-1, ::-1, ::-1], x=X)
case(
    "reverse_sequence",
    lambda mb, x: mb.reverse_sequence(x=x, lengths=[3, 1, 4], seq_axis=2, batch_axis=1),
    lambda x: np.stack(
        [np.concatenate([x[:, i, :n][:, ::-1], x[:, i, n:]], 1) for i, n in enumerate((3, 1, 4))], 1
    ),
    x=X,
)
case(
    "slice backwards",
    lambda mb, x: mb.slice_by_index(
        x=x, begin=[1, 2, 3], end=[0, 0, 0], stride=[1, -1, -2], end_mask=[True, False, True]
    ),
    lambda x: x[1:, 2:0:-1, 3::-2],
    x=X,
)
case(
    "slice, masks",
    lambda mb, x: mb.slice_by_index(
        x=x,
        begin=[1, 1, -3],
        end=[2, 0, -1],
        begin_mask=[False, True, False],
        end_mask=[False, True, False],
        squeeze_mask=[True, False, False],
    ),
    lambda x: x[1, :, -3:-1],
    x=X,
)
case(
    "slice_by_size",
    lambda mb, x: mb.slice_by_size(x=x, begin=[0, 1, 2], size=[2, 2, -1]),
    lambda x: x[:, 1:3, 2:],
    x=X,
)
case(
    "slice_update",
    lambda mb, x, u: mb.slice_update(x=x, update=u, begin=[0, 0, 1], end=[2, 3, 4], stride=[1, 2, 2]),
    lambda x, u: updated(x, u),
    "iOS18",
    x=X,
    u=array(normal(2, 2, 2, seed=1)),
)
case(
    "sliding_windows",
    lambda mb, x: mb.sliding_windows(x=x, axis=1, size=3, stride=2),
    lambda x: R.windows(x, 1, 3, 2),
    x=array(normal(2, 8, 3)),
)
case("band_part", lambda mb, x: mb.band_part(x=x, lower=1, upper=0), x=array(normal(2, 4, 5)))
case("band_part, upper", lambda mb, x: mb.band_part(x=x, lower=0, upper=-1), x=array(normal(4, 4)))
case("tile", lambda mb, x: mb.tile(x=x, reps=[2, 1, 3]), lambda x: np.tile(x, (2, 1, 3)), x=X)
case("fill", lambda mb, x: mb.add(x=x, y=mb.fill(shape=mb.shape(x=x), value=2.5)), lambda x: x + 2.5, x=X)
case("fill_like", lambda mb, x: mb.add(x=x, y=mb.fill_like(ref_tensor=x, value=1.5)), lambda x: x + 1.5, x=X)
case(
    "range_1d",
    lambda mb, end: mb.range_1d(start=np.float32(1), end=mb.squeeze(x=end), step=np.float32(0.5)),
    lambda end: np.arange(1, end[0], 0.5, dtype=np.float32),
    end=np.float32([3.2]),
)
for mode in ("reflect", "replicate"):
    case(
        f"pad, {mode}",
        lambda mb, x, mode=mode: mb.pad(x=x, pad=[1, 2, 2, 1], mode=mode),
        lambda x, mode=mode: np.pad(
            x, [(0, 0), (0, 0), (1, 2), (2, 1)], {"replicate": "edge"}.get(mode, mode)
        ),
        x=IMAGE,
    )
case(
    "pad all axes",
    lambda mb, x: mb.pad(x=x, pad=[1, 0, 0, 1, 2, 2], mode="constant", constant_val=-1.0),
    lambda x: np.pad(x, [(1, 0), (0, 1), (2, 2)], constant_values=-1),
    x=X,
)

# Places.
case(
    "gather, batches",
    lambda mb, x, i: mb.gather(x=x, indices=i, axis=2, batch_dims=1),
    lambda x, i: np.stack([x[b][:, i[b]] for b in range(2)]),
    x=X,
    i=np.int32([[3, 0], [1, 1]]),
)
case(
    "gather one",
    lambda mb, x, i: mb.gather(x=x, indices=mb.squeeze(x=i), axis=1),
    lambda x, i: x[:, i[0]],
    x=X,
    i=np.int32([2]),
)
case(
    "gather_along_axis",
    lambda mb, x, i: mb.gather_along_axis(x=x, indices=i, axis=-1),
    lambda x, i: np.take_along_axis(x, i, -1),
    x=X,
    i=np.int32(np.arange(24).reshape(2, 3, 4) * 7 % 4),
)
case(
    "gather_nd",
    lambda mb, x, i: mb.gather_nd(x=x, indices=i),
    lambda x, i: x[i[:, 0], i[:, 1]],
    x=X,
    i=np.int32([[0, 2], [1, 0], [1, 1]]),
)
case(
    "gather_nd, batches",
    lambda mb, x, i: mb.gather_nd(x=x, indices=i, batch_dims=1),
    lambda x, i: np.stack([x[b, i[b, :, 0], i[b, :, 1]] for b in range(2)]),
    x=X,
    i=np.int32([[[0, 3], [2, 1]], [[1, 1], [0, 0]]]),
)
for mode in ("update", "add", "sub", "mul", "div", "max", "min"):
    case(
        f"scatter, {mode}",
        lambda mb, x, u, mode=mode: mb.scatter(
            data=x, indices=np.int32([2, 0]), updates=u, axis=0, mode=mode
        ),
        lambda x, u, mode=mode: R.scattered(x, np.int32([2, 0]), u, mode),
        x=array(normal(3, 2)),
        u=array(positive(2, 2, seed=1)),
    )
case(
    "scatter into columns",
    lambda mb, x, u: mb.scatter(data=x, indices=np.int32([2, 0]), updates=u, axis=1, mode="add"),
    lambda x, u: R.scattered(x.T, np.int32([2, 0]), u.T, "add").T,
    x=array(normal(2, 3)),
    u=array(normal(2, 2, seed=1)),
)
case(
    "scatter, a place twice",
    lambda mb, x, u: mb.scatter(data=x, indices=np.int32([1, 1]), updates=u, axis=0, mode="add"),
    lambda x, u: R.scattered(x, np.int32([1, 1]), u, "add"),
    x=array(normal(3, 2)),
    u=array(normal(2, 2, seed=1)),
)
for mode in ("update", "add", "mul", "max"):
    case(
        f"scatter_along_axis, {mode}",
        lambda mb, x, i, u, mode=mode: mb.scatter_along_axis(data=x, indices=i, updates=u, axis=1, mode=mode),
        lambda x, i, u, mode=mode: np.stack(
            [R.scattered(a, b, c, mode) for a, b, c in zip(x, i, u, strict=True)]
        ),
        x=array(normal(2, 4)),
        i=np.int32([[3, 1], [0, 2]]),
        u=array(normal(2, 2, seed=1)),
    )
for mode in ("update", "add", "min"):
    case(
        f"scatter_nd, {mode}",
        lambda mb, x, u, mode=mode: mb.scatter_nd(
            data=x, indices=np.int32([[0, 2], [1, 0]]), updates=u, mode=mode
        ),
        lambda x, u, mode=mode: R.scattered(x.reshape(6, 4), np.int32([2, 3]), u, mode).reshape(2, 3, 4),
        x=X,
        u=array(normal(2, 4, seed=1)),
    )
case(
    "one_hot",
    lambda mb, i: mb.one_hot(indices=i, one_hot_vector_size=4, axis=0, on_value=2.0, off_value=-1.0),
    lambda i: np.where(np.arange(4)[:, None] == i, 2.0, -1.0),
    i=np.int32([3, 0, 1]),
)
case(
    "argsort, descending",
    lambda mb, x: mb.argsort(x=x, axis=1),
    lambda x: np.argsort(-x, 1),
    x=array(distinct(2, 6)),
)
case(
    "topk",
    lambda mb, x: mb.topk(x=x, k=2, axis=0, ascending=True),
    lambda x: (np.sort(x, 0)[:2], np.argsort(x, 0)[:2]),
    x=array(distinct(4, 3)),
)
case(
    "topk, values alone",
    lambda mb, x: mb.topk(x=x, k=3, return_indices=False),
    lambda x: -np.sort(-x, -1)[:, :3],
    x=array(distinct(2, 6)),
)
case(
    "non_zero", lambda mb, x: mb.non_zero(x=x), lambda x: np.argwhere(x), x=np.float32([[0, 2, 0], [1, 0, 3]])
)

BOXES = np.float32([[1, 1, 2, 2], [1.2, 1, 2, 2], [5, 5, 2, 2], [5, 5.1, 2, 2], [9, 1, 1, 1]])
SCORES = np.float32([[0.9, 0.1], [0.8, 0.3], [0.2, 0.7], [0.95, 0.1], [0.05, 0.1]])


def suppress(boxes, scores, least=-np.inf, count=4):
    """Boxes covered by better ones go, and those too unlikely; what is missing is filled up."""
    chosen = R.suppressed(boxes[0], scores[0], 0.5, least, count)
    missing = count - len(chosen)
    return (
        np.pad(boxes[0][chosen], [(0, missing), (0, 0)])[None],
        np.pad(scores[0][chosen], [(0, missing), (0, 0)])[None],
        np.pad(np.int32(chosen), (0, missing), constant_values=-1)[None],
        np.int32([len(chosen)]),
    )


case(
    "non_maximum_suppression",
    lambda mb, boxes, scores: mb.non_maximum_suppression(
        boxes=boxes, scores=scores, iou_threshold=0.5, max_boxes=4
    ),
    # Since iOS 17 the boxes lie along the last axis, and they are not counted.
    lambda boxes, scores: [
        part if part.ndim == 2 else part.swapaxes(1, 2)
        for part in suppress(boxes.swapaxes(1, 2), scores.swapaxes(1, 2))[:3]
    ],
    boxes=BOXES.T[None],
    scores=SCORES.T[None],
)
case(
    "non_maximum_suppression, iOS 15",
    lambda mb, boxes, scores: mb.non_maximum_suppression(
        boxes=boxes, scores=scores, iou_threshold=0.5, score_threshold=0.2, max_boxes=4
    ),
    lambda boxes, scores: suppress(boxes, scores, 0.2),
    "iOS15",
    boxes=BOXES[None],
    scores=SCORES[None],
)
case(
    "non_maximum_suppression by class",
    lambda mb, boxes, scores: mb.non_maximum_suppression(
        boxes=boxes,
        scores=scores,
        iou_threshold=0.5,
        score_threshold=0.0,
        max_boxes=5,
        per_class_suppression=True,
    )[2],
    # 0 covers 1, and both are of the first class; 3 covers 2, which is of the second.
    lambda boxes, scores: np.int32([[3, 0, 2, 4, -1]]),
    "iOS15",
    boxes=BOXES[None],
    scores=SCORES[None],
)
