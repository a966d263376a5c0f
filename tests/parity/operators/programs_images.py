"""Resizing and sampling of images that no torch function becomes."""

import numpy as np

from . import references as R
from .case import array, normal, written

IMAGE = array(normal(1, 4, 6, 6))
MODES = ("STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "UNALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS")
CASES = {}
case = written(CASES)


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
            x=x,
            boxes=boxes,
            box_indices=np.int32([0, 1]),
            target_height=4,
            target_width=3,
            box_coordinate_mode="CORNERS_HEIGHT_FIRST",
            sampling_mode=mode,
        ),
        lambda x, boxes, mode=mode: np.stack(
            [
                R.sample(
                    x[i], top + R.grid(bottom - top + 1, 4, mode), left + R.grid(right - left + 1, 3, mode)
                )
                for i, (top, left, bottom, right) in enumerate(boxes)
            ]
        ),
        x=array(normal(2, 3, 6, 6)),
        boxes=np.float32([[1, 0, 4, 3], [0, 2, 3, 5]]),
    )
case(
    "crop_resize of normalized centres",
    lambda mb, x, boxes: mb.crop_resize(
        x=x,
        boxes=boxes,
        target_height=3,
        target_width=3,
        normalized_coordinates=True,
        box_coordinate_mode="CENTER_SIZE_WIDTH_FIRST",
        sampling_mode="ALIGN_CORNERS",
    ),
    lambda x, boxes: R.sample(x, np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 4.0])),
    x=array(normal(1, 2, 6, 6)),
    boxes=np.float32([[0.5, 0.4, 0.6, 0.4]]),
)
case(
    "crop_resize, iOS 15",
    lambda mb, x, boxes: mb.crop_resize(
        x=x, roi=boxes, target_height=2, target_width=2, sampling_mode="ALIGN_CORNERS"
    ),
    lambda x, boxes: x[None, :, :, 1:3, 1:3],
    "iOS15",
    x=IMAGE,
    boxes=np.float32([1, 1, 2, 2]).reshape(1, 1, 4, 1, 1),
)
case(
    "resize",
    lambda mb, x: mb.resize(x=x, shape=[8, 0], resized_dims=np.uint32(2), sampling_mode="UNALIGN_CORNERS"),
    lambda x: R.resized(x, 8, 6, "UNALIGN_CORNERS"),
    x=IMAGE,
)
case(
    "resize to the nearest",
    lambda mb, x: mb.resize(
        x=x,
        shape=[12, 18],
        resized_dims=np.uint32(2),
        interpolation_mode="NEAREST_NEIGHBOR",
        sampling_mode="DEFAULT",
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
case(
    "crop",
    lambda mb, x: mb.crop(x=x, crop_height=[1, 2], crop_width=[0, 3]),
    lambda x: x[..., 1:-2, :-3],
    x=IMAGE,
)
for scale in (1, 0.5):  # the identity and a zoom into the middle
    case(
        f"affine, {scale}",
        lambda mb, x, scale=scale: mb.affine(
            x=x,
            transform_matrix=np.float32([[scale, 0, 0, 0, scale, 0]]),
            output_height=5,
            output_width=3,
            sampling_mode="bilinear",
            padding_mode="constant",
            padding_value=0.0,
            coordinates_mode="normalized_minus_one_to_one",
            align_corners=True,
        ),
        lambda x, scale=scale: R.sample(
            x, 2.5 + 2.5 * scale * np.linspace(-1, 1, 5), 2.5 + 2.5 * scale * np.linspace(-1, 1, 3)
        ),
        x=IMAGE,
    )
case(
    "resample, pixels",
    lambda mb, x, at: mb.resample(
        x=x,
        coordinates=at,
        sampling_mode="bilinear",
        padding_mode="constant",
        padding_value=9.0,
        coordinates_mode="unnormalized",
        align_corners=True,
    ),
    lambda x, at: np.stack([x[:, :, 2, 1], (x[:, :, 0, 3] + x[:, :, 0, 4]) / 2, np.full((1, 4), 9.0)], -1)[
        :, :, None
    ],
    x=IMAGE,
    at=np.float32([[[[1, 2], [3.5, 0], [20, 20]]]]),
)
