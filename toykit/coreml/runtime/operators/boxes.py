"""Which of many overlapping boxes to keep: the last step of an object detector."""

import numpy as np

from ...format.protobuf import PackageError
from .registry import check_result, numpy_operator


@numpy_operator("non_maximum_suppression")
def non_maximum_suppression(
    xp,
    boxes,
    scores,
    *,
    iou_threshold,
    max_boxes,
    score_threshold=None,
    per_class_suppression=False,
):
    # Since iOS 17 the boxes lie along the last axis, there is no least score, and they are not counted.
    old = score_threshold is not None
    if not old and boxes.ndim == scores.ndim == 3:
        boxes, scores = boxes.swapaxes(1, 2), scores.swapaxes(1, 2)
    if boxes.shape != (*scores.shape[:2], 4) or scores.ndim != 3:
        raise PackageError(f"boxes {boxes.shape} and scores {scores.shape} do not go with each other")
    images, classes = len(boxes), scores.shape[2]
    kept_boxes = np.zeros(check_result((images, max_boxes, 4)), np.float32)
    kept_scores = np.zeros(check_result((images, max_boxes, classes)), np.float32)
    indices = np.full((images, max_boxes), -1, np.int32)
    counts = np.zeros(images, np.int32)
    for image in range(images):
        least = score_threshold if old else -np.inf
        chosen = _best(boxes[image], scores[image], iou_threshold, least, max_boxes, per_class_suppression)
        counts[image] = count = len(chosen)
        kept_boxes[image, :count], kept_scores[image, :count] = boxes[image, chosen], scores[image, chosen]
        indices[image, :count] = chosen
    if old:
        return kept_boxes, kept_scores, indices, counts
    return kept_boxes.swapaxes(1, 2), kept_scores.swapaxes(1, 2), indices


def _best(boxes, scores, overlap, least, count, by_class):
    """Greedily the box with the best score of any class, without those that a chosen one covers."""
    best, kinds = scores.max(1), scores.argmax(1)
    left = np.argsort(-best, kind="stable")
    left = left[best[left] >= least]
    chosen = []
    while left.size and len(chosen) < count:
        first, left = left[0], left[1:]
        chosen.append(first)
        covered = _overlap(boxes[first], boxes[left]) > overlap
        if by_class:
            covered &= kinds[left] == kinds[first]
        left = left[~covered]
    return np.array(chosen, np.int64)


def _overlap(box, others):
    """Intersection over union of a box (centre x, centre y, width, height) and others, shape (n,)."""
    low = np.maximum(box[:2] - box[2:] / 2, others[:, :2] - others[:, 2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, others[:, :2] + others[:, 2:] / 2)
    shared = np.maximum(high - low, 0).prod(1)
    union = box[2:].prod() + others[:, 2:].prod(1) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0)
