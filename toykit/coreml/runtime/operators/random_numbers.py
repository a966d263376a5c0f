"""Random numbers. The same seed gives the same numbers here, but not those that Apple's generator gives."""

import numpy as np

from ...format.protobuf import PackageError
from .registry import check_result, numpy_operator


def _generator(seed):
    """MIL's -1 stands for no seed."""
    return np.random.default_rng(None if seed < 0 else seed)


@numpy_operator("random_normal")
def random_normal(xp, *, shape: list, mean=0.0, stddev=1.0, seed=-1):
    return _generator(seed).normal(mean, stddev, check_result(shape))


@numpy_operator("random_uniform")
def random_uniform(xp, *, shape: list, low=0.0, high=1.0, seed=-1):
    return _generator(seed).uniform(low, high, check_result(shape))


@numpy_operator("random_bernoulli")
def random_bernoulli(xp, *, shape: list, prob=0.5, seed=-1):
    return _generator(seed).random(check_result(shape)) < prob


@numpy_operator("random_categorical")
def random_categorical(xp, x, *, mode="logits", size=1, seed=-1):
    """Draws from the distributions in the last axis."""
    if mode not in ("logits", "probs"):
        raise PackageError(f"mode must be logits or probs; got {mode!r}")
    shares = x.astype(np.float64)
    if mode == "logits":
        shares = np.exp(shares - shares.max(-1, keepdims=True))
    edges = np.cumsum(shares, -1)
    draws = _generator(seed).random(check_result((*x.shape[:-1], size))) * edges[..., -1:]
    return (draws[..., None] >= edges[..., None, :]).sum(-1)
