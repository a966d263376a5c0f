"""Operators that no torch function becomes, in coremltools' own language."""

import numpy as np
import torch
from torch.nn import functional as F

from . import references as R
from .case import ProgramCase, distinct, normal, positive


def array(tensor):
    return tensor.numpy()


X = array(normal(2, 3, 4))
IMAGE = array(normal(1, 4, 6, 6))
SEQUENCE, START = array(normal(5, 2, 3)), array(normal(2, 4, scale=0.5))
MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS")
CASES = {}


def case(name, build, oracle=None, target="iOS17", **inputs):
    assert name not in CASES, name
    CASES[name] = ProgramCase(name, build, inputs, oracle, target)


def weights(*shape, seed=2):
    return array(normal(*shape, seed=seed, scale=0.5))


# One number in, one number out.
case("clamped_relu", lambda mb, x: mb.clamped_relu(x=x, alpha=0.3, beta=0.8), x=X)
case("linear_activation", lambda mb, x: mb.linear_activation(x=x, alpha=1.5, beta=-0.5), x=X)
case("scaled_tanh", lambda mb, x: mb.scaled_tanh(x=x, alpha=1.2, beta=0.7), x=X)
case("sigmoid_hard", lambda mb, x: mb.sigmoid_hard(x=x, alpha=0.3, beta=0.4), x=X)
case("softsign", lambda mb, x: mb.softsign(x=x), x=X)
case("thresholded_relu", lambda mb, x: mb.thresholded_relu(x=x, alpha=0.4), x=X)
case("threshold", lambda mb, x: mb.threshold(x=x, alpha=0.4), x=X)
case("gelu, sigmoid", lambda mb, x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"), x=X)
case(
    "softplus_parametric",
    lambda mb, x: mb.softplus_parametric(x=x, alpha=np.float32([1, 2, 0.5, 1.5]), beta=np.float32([1, 0.5, 2, 3])),
    lambda x: np.float32([1, 2, 0.5, 1.5])[:, None, None] * np.log1p(np.exp(np.float32([1, 0.5, 2, 3])[:, None, None] * x)),
    x=IMAGE,
)  # fmt: skip
case(
    "prelu",
    lambda mb, x: mb.prelu(x=x, alpha=np.float32([0.1, 0.2, -0.3, 2])),
    lambda x: np.where(x > 0, x, x * np.float32([0.1, 0.2, -0.3, 2])[:, None, None]),
    x=IMAGE,
)
case("inverse", lambda mb, x: mb.inverse(x=x, epsilon=0.25), lambda x: 1 / (x + 0.25), x=array(positive(2, 3)))
case("rsqrt", lambda mb, x: mb.rsqrt(x=x, epsilon=0.25), lambda x: 1 / np.sqrt(x + 0.25), x=array(positive(2, 3)))
case("log", lambda mb, x: mb.log(x=x, epsilon=0.25), lambda x: np.log(x + 0.25), x=array(positive(2, 3)))
case("mod", lambda mb, x, y: mb.mod(x=x, y=y), x=X * 3, y=array(positive(2, 3, 4)))
case("floor_div of floats", lambda mb, x, y: mb.floor_div(x=x, y=y), x=X * 3, y=array(positive(2, 3, 4)))
case("identity", lambda mb, x: mb.identity(x=x), lambda x: x, x=X)
case(
    "cast cuts off",
    lambda mb, x: mb.cast(x=x, dtype="int32"),
    lambda x: x.astype(np.int32),
    x=np.float32([-2.7, -0.5, 0.5, 2.7, 1e6]),
)
case(
    "cast to narrow integers and back",
    lambda mb, x: mb.cast(x=mb.cast(x=x, dtype="uint8"), dtype="fp32"),
    lambda x: np.trunc(x),
    x=np.float32([0.4, 3.9, 200.5, 255]),
)

# Sums over axes.
for name in ("reduce_l1_norm", "reduce_l2_norm", "reduce_prod", "reduce_sum_square", "reduce_log_sum_exp"):
    case(name, lambda mb, x, name=name: getattr(mb, name)(x=x, axes=[1, -1], keep_dims=True), x=X)
    case(f"{name} of all", lambda mb, x, name=name: getattr(mb, name)(x=x), x=X)
case("reduce_log_sum", lambda mb, x: mb.reduce_log_sum(x=x, axes=[2]), x=array(positive(2, 3, 4)))
case("reduce_argmax, kept", lambda mb, x: mb.reduce_argmax(x=x, axis=-2, keep_dims=True), x=array(distinct(2, 3, 4)))
case("cumsum, without itself", lambda mb, x: mb.cumsum(x=x, axis=1, exclusive=True),
     lambda x: np.cumsum(x, 1) - x, x=X)  # fmt: skip
case("cumsum, from the end", lambda mb, x: mb.cumsum(x=x, axis=2, reverse=True), x=X)
case("cumsum, both", lambda mb, x: mb.cumsum(x=x, axis=2, exclusive=True, reverse=True),
     lambda x: np.cumsum(x[..., ::-1], 2)[..., ::-1] - x, x=X)  # fmt: skip

# Norms and pools.
case("l2_norm", lambda mb, x: mb.l2_norm(x=x, epsilon=0.1), x=array(normal(2, 2, 3, 4)))
case(
    "local_response_norm",
    lambda mb, x: mb.local_response_norm(x=x, size=3, alpha=0.2, beta=0.6, k=1.5),
    lambda x: F.local_response_norm(torch.tensor(x), 3, alpha=0.2, beta=0.6, k=1.5).numpy(),
    x=array(normal(1, 5, 3, 2)),
)
case(
    "batch_norm without scale",
    lambda mb, x: mb.batch_norm(x=x, mean=np.float32([0.1, -1, 2, 0]), variance=np.float32([1, 2, 0.5, 3]), epsilon=0.01),
    lambda x: (x - np.float32([0.1, -1, 2, 0])[:, None, None]) / np.sqrt(np.float32([1, 2, 0.5, 3]) + 0.01)[:, None, None],
    x=IMAGE,
)  # fmt: skip
case("layer_norm over the first and last", lambda mb, x: mb.layer_norm(x=x, axes=[0, 2], epsilon=0.01), x=X)
POOL = {"kernel_sizes": [3, 2], "strides": [2, 2]}
case(
    "l2_pool",
    lambda mb, x: mb.l2_pool(x=x, pad_type="custom", pad=[1, 0, 0, 0], **POOL),
    lambda x: R.pooled(x, (3, 2), (2, 2), (1, 0), (0, 0), lambda w, _: np.sqrt((w**2).sum(-1)), 0),
    x=IMAGE,
)
# With stride 2, three windows of 3 reach over 6 rows by 1: "same" puts it after, "same_lower" before.
for kind, before, after in (("same", (0, 0), (1, 0)), ("same_lower", (1, 0), (0, 0))):
    case(
        f"max_pool, {kind}",
        lambda mb, x, kind=kind: mb.max_pool(x=x, pad_type=kind, **POOL),
        lambda x, b=before, a=after: R.pooled(x, (3, 2), (2, 2), b, a, lambda w, _: w.max(-1), -np.inf),
        x=IMAGE,
    )
    for exclude in (False, True):
        case(
            f"avg_pool, {kind}, padding {'left out' if exclude else 'counted'}",
            lambda mb, x, kind=kind, exclude=exclude: mb.avg_pool(
                x=x, pad_type=kind, exclude_padding_from_average=exclude, **POOL
            ),
            lambda x, b=before, a=after, exclude=exclude: R.pooled(
                x, (3, 2), (2, 2), b, a, lambda w, r: w.sum(-1) / (r.sum(-1) if exclude else w.shape[-1]), 0
            ),
            x=IMAGE,
        )
    case(
        f"conv, {kind}",
        lambda mb, x, kind=kind: mb.conv(
            x=x, weight=weights(3, 4, 3, 2), strides=[2, 1], pad_type=kind, bias=np.float32([1, 2, 3])
        ),
        # Three rows each second of six lack one row; two columns each first of six lack one.
        lambda x, kind=kind: F.conv2d(
            F.pad(torch.tensor(x), (0, 1, 0, 1) if kind == "same" else (1, 0, 1, 0)),
            torch.tensor(weights(3, 4, 3, 2)), torch.tensor([1.0, 2, 3]), (2, 1),
        ).numpy(),
        x=IMAGE,
    )  # fmt: skip
case(
    "conv_transpose, custom padding",
    lambda mb, x: mb.conv_transpose(x=x, weight=weights(4, 3, 3, 3), strides=[2, 2], pad_type="custom", pad=[1, 0, 0, 2]),
    lambda x: F.conv_transpose2d(torch.tensor(x), torch.tensor(weights(4, 3, 3, 3)), stride=2).numpy()[..., 1:, :-2],
    x=IMAGE,
)  # fmt: skip
case(
    "conv_transpose to a shape",
    lambda mb, x: mb.conv_transpose(
        x=x, weight=weights(4, 3, 3, 3), strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], output_shape=[1, 3, 12, 12]
    ),
    lambda x: F.conv_transpose2d(torch.tensor(x), torch.tensor(weights(4, 3, 3, 3)), None, 2, 1, 1).numpy(),
    x=IMAGE,
)

# Products.
for left, right in ((False, False), (True, False), (False, True), (True, True)):
    case(
        f"matmul, transpose_x={left}, transpose_y={right}",
        lambda mb, x, y, left=left, right=right: mb.matmul(x=x, y=y, transpose_x=left, transpose_y=right),
        lambda x, y, left=left, right=right: (x.swapaxes(-1, -2) if left else x) @ (y.swapaxes(-1, -2) if right else y),
        x=array(normal(2, *((4, 3) if left else (3, 4)))),
        y=array(normal(2, *((5, 4) if right else (4, 5)), seed=1)),
    )
case("matmul of integers", lambda mb, x, y: mb.matmul(x=x, y=y), x=np.int32([[1, -2], [3, 4]]), y=np.int32([[5], [6]]))
case(
    "linear without bias",
    lambda mb, x: mb.linear(x=x, weight=weights(5, 4)),
    lambda x: x @ weights(5, 4).T,
    x=X,
)

# Images.
for mode in MODES:
    case(
        f"resize_bilinear, {mode}",
        lambda mb, x, mode=mode: mb.resize_bilinear(
            x=x, target_size_height=9, target_size_width=4, sampling_mode=mode
        ),
        lambda x, mode=mode: R.resized(x, 9, 4, mode),
        x=IMAGE,
    )
    case(
        f"crop_resize, {mode}",
        lambda mb, x, boxes, mode=mode: mb.crop_resize(
            x=x, boxes=boxes, box_indices=np.int32([0, 1]), target_height=4, target_width=3,
            box_coordinate_mode="CORNERS_HEIGHT_FIRST", sampling_mode=mode,
        ),
        lambda x, boxes, mode=mode: np.stack([
            R.sample(x[i], top + R.grid(bottom - top + 1, 4, mode), left + R.grid(right - left + 1, 3, mode))
            for i, (top, left, bottom, right) in enumerate(boxes)
        ]),
        x=array(normal(2, 3, 6, 6)), boxes=np.float32([[1, 0, 4, 3], [0, 2, 3, 5]]),
    )  # fmt: skip
case(
    "crop_resize of normalized centres",
    lambda mb, x, boxes: mb.crop_resize(
        x=x, boxes=boxes, target_height=3, target_width=3, normalized_coordinates=True,
        box_coordinate_mode="CENTER_SIZE_WIDTH_FIRST", sampling_mode="ALIGN_CORNERS",
    ),
    lambda x, boxes: R.sample(x, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 4.0])),
    x=array(normal(1, 2, 6, 6)), boxes=np.float32([[0.5, 0.4, 0.6, 0.4]]),
)  # fmt: skip
case(
    "crop_resize, iOS 15",
    lambda mb, x, boxes: mb.crop_resize(x=x, roi=boxes, target_height=2, target_width=2, sampling_mode="ALIGN_CORNERS"),
    lambda x, boxes: x[None, :, :, 1:3, 1:3],
    "iOS15",
    x=IMAGE, boxes=np.float32([1, 1, 2, 2]).reshape(1, 1, 4, 1, 1),
)  # fmt: skip
case(
    "resize",
    lambda mb, x: mb.resize(x=x, shape=[8, 0], resized_dims=np.uint32(2), sampling_mode="UNALIGN_CORNERS"),
    lambda x: R.resized(x, 8, 6, "UNALIGN_CORNERS"),
    x=IMAGE,
)
case(
    "resize to the nearest",
    lambda mb, x: mb.resize(
        x=x, shape=[12, 18], resized_dims=np.uint32(2), interpolation_mode="NEAREST_NEIGHBOR", sampling_mode="DEFAULT"
    ),
    lambda x: x.repeat(2, 2).repeat(3, 3),
    x=IMAGE,
)
case(
    "resize_nearest_neighbor",
    lambda mb, x: mb.resize_nearest_neighbor(x=x, target_size_height=12, target_size_width=18),
    lambda x: x.repeat(2, 2).repeat(3, 3),
    x=IMAGE,
)
case("crop", lambda mb, x: mb.crop(x=x, crop_height=[1, 2], crop_width=[0, 3]), lambda x: x[..., 1:-2, :-3], x=IMAGE)
for scale in (1, 0.5):  # the identity and a zoom into the middle
    case(
        f"affine, {scale}",
        lambda mb, x, scale=scale: mb.affine(
            x=x, transform_matrix=np.float32([[scale, 0, 0, 0, scale, 0]]), output_height=5, output_width=3,
            sampling_mode="bilinear", padding_mode="constant", padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one", align_corners=True,
        ),
        lambda x, scale=scale: R.sample(x, 2.5 + 2.5 * scale * np.linspace(-1, 1, 5), 2.5 + 2.5 * scale * np.linspace(-1, 1, 3)),
        x=IMAGE,
    )  # fmt: skip
case(
    "resample, pixels",
    lambda mb, x, at: mb.resample(
        x=x, coordinates=at, sampling_mode="bilinear", padding_mode="constant", padding_value=9.0,
        coordinates_mode="unnormalized", align_corners=True,
    ),
    lambda x, at: np.stack([x[:, :, 2, 1], (x[:, :, 0, 3] + x[:, :, 0, 4]) / 2, np.full((1, 4), 9.0)], -1)[:, :, None],
    x=IMAGE, at=np.float32([[[[1, 2], [3.5, 0], [20, 20]]]]),
)  # fmt: skip

# Shapes.
case("flatten2d", lambda mb, x: mb.flatten2d(x=x, axis=2), x=IMAGE)
case("shape", lambda mb, x: mb.shape(x=mb.reshape(x=x, shape=[-1, 8])), lambda x: np.int32([3, 8]), x=X)
case("depth_to_space", lambda mb, x: mb.depth_to_space(x=x, block_size=2),
     lambda x: x.reshape(1, 2, 2, 1, 6, 6).transpose(0, 3, 4, 1, 5, 2).reshape(1, 1, 12, 12), x=IMAGE)  # fmt: skip
case("space_to_depth", lambda mb, x: mb.space_to_depth(x=x, block_size=2),
     lambda x: x.reshape(1, 4, 3, 2, 3, 2).transpose(0, 3, 5, 1, 2, 4).reshape(1, 16, 3, 3), x=IMAGE)  # fmt: skip
case("pixel_shuffle", lambda mb, x: mb.pixel_shuffle(x=x, upscale_factor=2),
     lambda x: F.pixel_shuffle(torch.tensor(x), 2).numpy(), x=IMAGE)  # fmt: skip
case("pixel_unshuffle", lambda mb, x: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(3)),
     lambda x: F.pixel_unshuffle(torch.tensor(x), 3).numpy(), x=IMAGE)  # fmt: skip
case(
    "space_to_batch",
    lambda mb, x: mb.space_to_batch(x=x, block_shape=[2, 3], paddings=[[1, 1], [0, 0]]),
    lambda x: np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 0)]).reshape(1, 4, 4, 2, 2, 3).transpose(3, 5, 0, 1, 2, 4).reshape(6, 4, 4, 2),
    x=IMAGE,
)  # fmt: skip
case(
    "batch_to_space",
    lambda mb, x: mb.batch_to_space(x=x, block_shape=[2, 3], crops=[[1, 0], [0, 2]]),
    lambda x: x.reshape(2, 3, 1, 2, 4, 5).transpose(2, 3, 4, 0, 5, 1).reshape(1, 2, 8, 15)[..., 1:, :-2],
    x=array(normal(6, 2, 4, 5)),
)
case("reshape, zeros copy", lambda mb, x: mb.reshape(x=x, shape=[0, 2, -1]), lambda x: x.reshape(2, 2, 6), x=X)
case(
    "reshape_like",
    lambda mb, x, y, z: mb.reshape_like(
        x=x, ref_tensors=(y, z), begins=(0, 1), ends=(2, 0), end_masks=(False, True)
    ),
    lambda x, y, z: x.reshape(2, 2, 3, 2),
    x=X, y=array(normal(2, 2, 5)), z=array(normal(1, 3, 2)),
)  # fmt: skip
case("squeeze", lambda mb, x: mb.squeeze(x=x), lambda x: x.squeeze(), x=array(normal(1, 3, 1, 2)))
case("expand_dims", lambda mb, x: mb.expand_dims(x=x, axes=[0, -1]), lambda x: x[None, ..., None], x=X)
case("concat, interleaved", lambda mb, x, y: mb.concat(values=(x, y), axis=1, interleave=True),
     lambda x, y: np.stack([x, y], 2).reshape(1, 8, 6, 6), x=IMAGE, y=array(normal(1, 4, 6, 6, seed=1)))  # fmt: skip
case("split evenly", lambda mb, x: mb.split(x=x, num_splits=2, axis=-1), lambda x: np.split(x, 2, -1), x=X)
case("reverse all", lambda mb, x: mb.reverse(x=x), lambda x: x[::-1, ::-1, ::-1], x=X)
case(
    "reverse_sequence",
    lambda mb, x: mb.reverse_sequence(x=x, lengths=[3, 1, 4], seq_axis=2, batch_axis=1),
    lambda x: np.stack([np.concatenate([x[:, i, :n][:, ::-1], x[:, i, n:]], 1) for i, n in enumerate((3, 1, 4))], 1),
    x=X,
)
case("slice backwards", lambda mb, x: mb.slice_by_index(x=x, begin=[1, 2, 3], end=[0, 0, 0], stride=[1, -1, -2],
     end_mask=[True, False, True]), lambda x: x[1:, 2:0:-1, 3::-2], x=X)  # fmt: skip
case("slice, masks", lambda mb, x: mb.slice_by_index(x=x, begin=[1, 1, -3], end=[2, 0, -1], begin_mask=[False, True, False],
     end_mask=[False, True, False], squeeze_mask=[True, False, False]), lambda x: x[1, :, -3:-1], x=X)  # fmt: skip
case("slice_by_size", lambda mb, x: mb.slice_by_size(x=x, begin=[0, 1, 2], size=[2, 2, -1]), lambda x: x[:, 1:3, 2:], x=X)
case("slice_update", lambda mb, x, u: mb.slice_update(x=x, update=u, begin=[0, 0, 1], end=[2, 3, 4], stride=[1, 2, 2]),
     lambda x, u: updated(x, u), "iOS18", x=X, u=array(normal(2, 2, 2, seed=1)))  # fmt: skip
case("sliding_windows", lambda mb, x: mb.sliding_windows(x=x, axis=1, size=3, stride=2),
     lambda x: R.windows(x, 1, 3, 2), x=array(normal(2, 8, 3)))  # fmt: skip
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
        lambda x, mode=mode: np.pad(x, [(0, 0), (0, 0), (1, 2), (2, 1)], {"replicate": "edge"}.get(mode, mode)),
        x=IMAGE,
    )
case("pad all axes", lambda mb, x: mb.pad(x=x, pad=[1, 0, 0, 1, 2, 2], mode="constant", constant_val=-1.0),
     lambda x: np.pad(x, [(1, 0), (0, 1), (2, 2)], constant_values=-1), x=X)  # fmt: skip

# Places.
case("gather, batches", lambda mb, x, i: mb.gather(x=x, indices=i, axis=2, batch_dims=1),
     lambda x, i: np.stack([x[b][:, i[b]] for b in range(2)]), x=X, i=np.int32([[3, 0], [1, 1]]))  # fmt: skip
case("gather one", lambda mb, x, i: mb.gather(x=x, indices=mb.squeeze(x=i), axis=1), lambda x, i: x[:, i[0]], x=X, i=np.int32([2]))
case("gather_along_axis", lambda mb, x, i: mb.gather_along_axis(x=x, indices=i, axis=-1),
     lambda x, i: np.take_along_axis(x, i, -1), x=X, i=np.int32(np.arange(24).reshape(2, 3, 4) * 7 % 4))  # fmt: skip
case("gather_nd", lambda mb, x, i: mb.gather_nd(x=x, indices=i), lambda x, i: x[i[:, 0], i[:, 1]], x=X, i=np.int32([[0, 2], [1, 0], [1, 1]]))
case("gather_nd, batches", lambda mb, x, i: mb.gather_nd(x=x, indices=i, batch_dims=1),
     lambda x, i: np.stack([x[b, i[b, :, 0], i[b, :, 1]] for b in range(2)]), x=X, i=np.int32([[[0, 3], [2, 1]], [[1, 1], [0, 0]]]))  # fmt: skip
for mode in ("update", "add", "sub", "mul", "div", "max", "min"):
    case(
        f"scatter, {mode}",
        lambda mb, x, u, mode=mode: mb.scatter(data=x, indices=np.int32([2, 0]), updates=u, axis=0, mode=mode),
        lambda x, u, mode=mode: R.scattered(x, np.int32([2, 0]), u, mode),
        x=array(normal(3, 2)), u=array(positive(2, 2, seed=1)),
    )  # fmt: skip
case("scatter into columns", lambda mb, x, u: mb.scatter(data=x, indices=np.int32([2, 0]), updates=u, axis=1, mode="add"),
     lambda x, u: R.scattered(x.T, np.int32([2, 0]), u.T, "add").T, x=array(normal(2, 3)), u=array(normal(2, 2, seed=1)))  # fmt: skip
case("scatter, a place twice", lambda mb, x, u: mb.scatter(data=x, indices=np.int32([1, 1]), updates=u, axis=0, mode="add"),
     lambda x, u: R.scattered(x, np.int32([1, 1]), u, "add"), x=array(normal(3, 2)), u=array(normal(2, 2, seed=1)))  # fmt: skip
for mode in ("update", "add", "mul", "max"):
    case(
        f"scatter_along_axis, {mode}",
        lambda mb, x, i, u, mode=mode: mb.scatter_along_axis(data=x, indices=i, updates=u, axis=1, mode=mode),
        lambda x, i, u, mode=mode: np.stack([R.scattered(a, b, c, mode) for a, b, c in zip(x, i, u, strict=True)]),
        x=array(normal(2, 4)), i=np.int32([[3, 1], [0, 2]]), u=array(normal(2, 2, seed=1)),
    )  # fmt: skip
for mode in ("update", "add", "min"):
    case(
        f"scatter_nd, {mode}",
        lambda mb, x, u, mode=mode: mb.scatter_nd(data=x, indices=np.int32([[0, 2], [1, 0]]), updates=u, mode=mode),
        lambda x, u, mode=mode: R.scattered(x.reshape(6, 4), np.int32([2, 3]), u, mode).reshape(2, 3, 4),
        x=X, u=array(normal(2, 4, seed=1)),
    )  # fmt: skip
case("one_hot", lambda mb, i: mb.one_hot(indices=i, one_hot_vector_size=4, axis=0, on_value=2.0, off_value=-1.0),
     lambda i: np.where(np.arange(4)[:, None] == i, 2.0, -1.0), i=np.int32([3, 0, 1]))  # fmt: skip
case("argsort, descending", lambda mb, x: mb.argsort(x=x, axis=1), lambda x: np.argsort(-x, 1), x=array(distinct(2, 6)))
case("topk", lambda mb, x: mb.topk(x=x, k=2, axis=0, ascending=True), lambda x: (np.sort(x, 0)[:2], np.argsort(x, 0)[:2]), x=array(distinct(4, 3)))
case("topk, values alone", lambda mb, x: mb.topk(x=x, k=3, return_indices=False), lambda x: -np.sort(-x, -1)[:, :3], x=array(distinct(2, 6)))
case("non_zero", lambda mb, x: mb.non_zero(x=x), lambda x: np.argwhere(x), x=np.float32([[0, 2, 0], [1, 0, 3]]))

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
    lambda mb, boxes, scores: mb.non_maximum_suppression(boxes=boxes, scores=scores, iou_threshold=0.5, max_boxes=4),
    # Since iOS 17 the boxes lie along the last axis, and they are not counted.
    lambda boxes, scores: [
        part if part.ndim == 2 else part.swapaxes(1, 2)
        for part in suppress(boxes.swapaxes(1, 2), scores.swapaxes(1, 2))[:3]
    ],
    boxes=BOXES.T[None], scores=SCORES.T[None],
)  # fmt: skip
case(
    "non_maximum_suppression, iOS 15",
    lambda mb, boxes, scores: mb.non_maximum_suppression(
        boxes=boxes, scores=scores, iou_threshold=0.5, score_threshold=0.2, max_boxes=4
    ),
    lambda boxes, scores: suppress(boxes, scores, 0.2),
    "iOS15",
    boxes=BOXES[None], scores=SCORES[None],
)  # fmt: skip
case(
    "non_maximum_suppression by class",
    lambda mb, boxes, scores: mb.non_maximum_suppression(
        boxes=boxes, scores=scores, iou_threshold=0.5, score_threshold=0.0, max_boxes=5, per_class_suppression=True
    )[2],
    # 0 covers 1, and both are of the first class; 3 covers 2, which is of the second.
    lambda boxes, scores: np.int32([[3, 0, 2, 4, -1]]),
    "iOS15",
    boxes=BOXES[None], scores=SCORES[None],
)  # fmt: skip

# Recurrence.
GATES = {"weight_ih": weights(12, 3), "weight_hh": weights(12, 4, seed=3), "bias": weights(12, seed=4)}
for direction in ("forward", "reverse"):
    case(
        f"gru, {direction}",
        lambda mb, x, h, direction=direction: mb.gru(x=x, initial_h=h, direction=direction, output_sequence=True, **GATES),
        lambda x, h, direction=direction: R.gru(x, h, **GATES, reverse=direction == "reverse"),
        x=SEQUENCE, h=START,
    )  # fmt: skip
case(
    "gru, last step",
    lambda mb, x, h: mb.gru(x=x, initial_h=h, recurrent_activation="hard_sigmoid", activation="relu", **GATES),
    lambda x, h: [R.gru(x, h, **GATES, gate="hard_sigmoid", new="relu")[1][None], R.gru(x, h, **GATES, gate="hard_sigmoid", new="relu")[1]],
    x=SEQUENCE, h=START,
)  # fmt: skip
case(
    "gru, reset after",
    lambda mb, x, h: mb.gru(x=x, initial_h=h, output_sequence=True, reset_after=True, **GATES),
    lambda x, h: R.gru(x, h, **GATES, after=True),
    "iOS18",
    x=SEQUENCE, h=START,
)  # fmt: skip
LSTM = {"weight_ih": weights(16, 3), "weight_hh": weights(16, 4, seed=3), "bias": weights(16, seed=4), "peephole": weights(12, seed=5)}
case(
    "lstm with peepholes",
    lambda mb, x, h, c: mb.lstm(x=x, initial_h=h, initial_c=c, output_sequence=True, **LSTM),
    lambda x, h, c: R.lstm(x, h, c, **LSTM, clip=np.inf),
    x=SEQUENCE, h=START, c=START + 1,
)  # fmt: skip
case(
    "lstm, other activations",
    lambda mb, x, h, c: mb.lstm(x=x, initial_h=h, initial_c=c, output_sequence=True, recurrent_activation="hard_sigmoid",
                                cell_activation="relu", activation="linear", **{**LSTM, "peephole": None}),
    lambda x, h, c: R.lstm(x, h, c, **{**LSTM, "peephole": np.zeros(12)}, clip=np.inf, gate="hard_sigmoid", cell="relu", out="linear"),
    x=SEQUENCE, h=START, c=START + 1,
)  # fmt: skip
SIMPLE = {"weight_ih": weights(4, 3), "weight_hh": weights(4, 4, seed=3), "bias": weights(4, seed=4)}
for direction, name in (("forward", "sigmoid"), ("reverse", "relu")):
    case(
        f"rnn, {direction}",
        lambda mb, x, h, direction=direction, name=name: mb.rnn(
            x=x, initial_h=h, direction=direction, activation=name, output_sequence=True, **SIMPLE
        ),
        lambda x, h, direction=direction, name=name: R.rnn(x, h, **SIMPLE, name=name, reverse=direction == "reverse"),
        x=SEQUENCE, h=START,
    )  # fmt: skip

# Quantized activations.
case(
    "quantize",
    lambda mb, x: mb.cast(x=mb.quantize(input=x, scale=0.05, zero_point=np.uint8(128), output_dtype="uint8"), dtype="int32"),
    lambda x: np.clip(np.round(x / np.float32(0.05)) + 128, 0, 255).astype(np.int32),
    x=X * 4,
)  # fmt: skip
case(
    "quantize and back, by channel",
    lambda mb, x: mb.dequantize(
        input=mb.quantize(input=x, scale=np.float32([0.1, 0.5, 0.25]), axis=1, output_dtype="int8"),
        scale=np.float32([0.1, 0.5, 0.25]), axis=1,
    ),
    lambda x: np.clip(np.round(x / np.float32([0.1, 0.5, 0.25])[:, None]), -128, 127) * np.float32([0.1, 0.5, 0.25])[:, None],
    x=X * 4,
)  # fmt: skip

STORED = np.float16([[1.5, -2], [0.25, 3]])
case(
    "constexpr_cast",
    lambda mb, x: mb.matmul(x=x, y=mb.constexpr_cast(source_val=STORED, output_dtype="fp32")),
    lambda x: x @ STORED.astype(np.float32),
    x=array(normal(3, 2)),
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
        _cond=lambda i, y: mb.less(x=i, y=0), _body=lambda i, y: (mb.add(x=i, y=1), mb.mul(x=y, y=0.5)), loop_vars=(np.int32(0), x)
    )[1],
    lambda x: x,
    x=X,
)  # fmt: skip


def listed(mb, x):
    """A list of two rows, written one by one and all at once, read one by one and all at once."""
    made = mb.make_list(init_length=2, elem_shape=(np.int32(4),), dynamic_length=True)
    made = mb.list_write(ls=made, index=0, value=mb.slice_by_index(x=x, begin=[0, 0], end=[1, 4], squeeze_mask=[True, False]))
    made = mb.list_scatter(ls=made, indices=[1, 2], value=mb.slice_by_index(x=x, begin=[1, 0], end=[3, 4]))
    return mb.list_read(ls=made, index=1), mb.list_gather(ls=made, indices=[2, 0]), mb.list_length(ls=made)


case("lists", listed, lambda x: (x[1], x[[2, 0]], np.int32(3)), x=array(normal(3, 4)))


def updated(x, update):
    x = x.copy()
    x[:, ::2, 1::2] = update
    return x
