"""Numbers, sums, norms, pools and products that no torch function becomes."""

import numpy as np
import torch
from torch.nn import functional as F

from . import references as R
from .case import array, distinct, normal, positive, weights, written

X = array(normal(2, 3, 4))
IMAGE = array(normal(1, 4, 6, 6))
CASES = {}
case = written(CASES)


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
    lambda mb, x: mb.softplus_parametric(
        x=x, alpha=np.float32([1, 2, 0.5, 1.5]), beta=np.float32([1, 0.5, 2, 3])
    ),
    lambda x: (
        np.float32([1, 2, 0.5, 1.5])[:, None, None]
        * np.log1p(np.exp(np.float32([1, 0.5, 2, 3])[:, None, None] * x))
    ),
    x=IMAGE,
)
case(
    "prelu",
    lambda mb, x: mb.prelu(x=x, alpha=np.float32([0.1, 0.2, -0.3, 2])),
    lambda x: np.where(x > 0, x, x * np.float32([0.1, 0.2, -0.3, 2])[:, None, None]),
    x=IMAGE,
)
case(
    "inverse", lambda mb, x: mb.inverse(x=x, epsilon=0.25), lambda x: 1 / (x + 0.25), x=array(positive(2, 3))
)
case(
    "rsqrt",
    lambda mb, x: mb.rsqrt(x=x, epsilon=0.25),
    lambda x: 1 / np.sqrt(x + 0.25),
    x=array(positive(2, 3)),
)
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
case(
    "reduce_argmax, kept",
    lambda mb, x: mb.reduce_argmax(x=x, axis=-2, keep_dims=True),
    x=array(distinct(2, 3, 4)),
)
case(
    "cumsum, without itself",
    lambda mb, x: mb.cumsum(x=x, axis=1, exclusive=True),
    lambda x: np.cumsum(x, 1) - x,
    x=X,
)
case("cumsum, from the end", lambda mb, x: mb.cumsum(x=x, axis=2, reverse=True), x=X)
case(
    "cumsum, both",
    lambda mb, x: mb.cumsum(x=x, axis=2, exclusive=True, reverse=True),
    lambda x: np.cumsum(x[..., ::-1], 2)[..., ::-1] - x,
    x=X,
)

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
    lambda mb, x: mb.batch_norm(
        x=x, mean=np.float32([0.1, -1, 2, 0]), variance=np.float32([1, 2, 0.5, 3]), epsilon=0.01
    ),
    lambda x: (
        (x - np.float32([0.1, -1, 2, 0])[:, None, None])
        / np.sqrt(np.float32([1, 2, 0.5, 3]) + 0.01)[:, None, None]
    ),
    x=IMAGE,
)
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
            torch.tensor(weights(3, 4, 3, 2)),
            torch.tensor([1.0, 2, 3]),
            (2, 1),
        ).numpy(),
        x=IMAGE,
    )
case(
    "conv_transpose, custom padding",
    lambda mb, x: mb.conv_transpose(
        x=x, weight=weights(4, 3, 3, 3), strides=[2, 2], pad_type="custom", pad=[1, 0, 0, 2]
    ),
    lambda x: F.conv_transpose2d(torch.tensor(x), torch.tensor(weights(4, 3, 3, 3)), stride=2).numpy()[
        ..., 1:, :-2
    ],
    x=IMAGE,
)
case(
    "conv_transpose to a shape",
    lambda mb, x: mb.conv_transpose(
        x=x,
        weight=weights(4, 3, 3, 3),
        strides=[2, 2],
        pad_type="custom",
        pad=[1, 1, 1, 1],
        output_shape=[1, 3, 12, 12],
    ),
    lambda x: F.conv_transpose2d(torch.tensor(x), torch.tensor(weights(4, 3, 3, 3)), None, 2, 1, 1).numpy(),
    x=IMAGE,
)

# Products.
for left, right in ((False, False), (True, False), (False, True), (True, True)):
    case(
        f"matmul, transpose_x={left}, transpose_y={right}",
        lambda mb, x, y, left=left, right=right: mb.matmul(x=x, y=y, transpose_x=left, transpose_y=right),
        lambda x, y, left=left, right=right: (
            (x.swapaxes(-1, -2) if left else x) @ (y.swapaxes(-1, -2) if right else y)
        ),
        x=array(normal(2, *((4, 3) if left else (3, 4)))),
        y=array(normal(2, *((5, 4) if right else (4, 5)), seed=1)),
    )
case(
    "matmul of integers",
    lambda mb, x, y: mb.matmul(x=x, y=y),
    x=np.int32([[1, -2], [3, 4]]),
    y=np.int32([[5], [6]]),
)
case(
    "linear without bias",
    lambda mb, x: mb.linear(x=x, weight=weights(5, 4)),
    lambda x: x @ weights(5, 4).T,
    x=X,
)

# Quantized activations.
case(
    "quantize",
    lambda mb, x: mb.cast(
        x=mb.quantize(input=x, scale=0.05, zero_point=np.uint8(128), output_dtype="uint8"), dtype="int32"
    ),
    lambda x: np.clip(np.round(x / np.float32(0.05)) + 128, 0, 255).astype(np.int32),
    x=X * 4,
)
case(
    "quantize and back, by channel",
    lambda mb, x: mb.dequantize(
        input=mb.quantize(input=x, scale=np.float32([0.1, 0.5, 0.25]), axis=1, output_dtype="int8"),
        scale=np.float32([0.1, 0.5, 0.25]),
        axis=1,
    ),
    lambda x: (
        np.clip(np.round(x / np.float32([0.1, 0.5, 0.25])[:, None]), -128, 127)
        * np.float32([0.1, 0.5, 0.25])[:, None]
    ),
    x=X * 4,
)

STORED = np.float16([[1.5, -2], [0.25, 3]])
case(
    "constexpr_cast",
    lambda mb, x: mb.matmul(x=x, y=mb.constexpr_cast(source_val=STORED, output_dtype="fp32")),
    lambda x: x @ STORED.astype(np.float32),
    x=array(normal(3, 2)),
)
