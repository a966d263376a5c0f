"""Answers that are right but for an edge, by its kind: each must be refused, by a case that has the edge."""

import math
from itertools import zip_longest

import numpy as np


def nibbles(codes, last=0, low=lambda code: int(code) & 15):
    pairs = zip_longest(codes[::2], codes[1::2], fillvalue=last)
    return np.array([low(first) | low(second) << 4 for first, second in pairs], np.uint8)


def packed(indices, bits, least=0, more=0, end="little"):
    number = sum(int(index) << (bits * k) for k, index in enumerate(indices.ravel()))
    size = max(least, -(-indices.size * bits // 8) + more * (indices.size * bits % 8 == 0))
    return np.frombuffer(number.to_bytes(size, end), np.uint8)


def moved(values, centroids):
    nearest = np.abs(values[:, None] - centroids).argmin(axis=1)
    means = [values[nearest == j].mean() if (nearest == j).any() else c for j, c in enumerate(centroids)]
    return np.array(means)


def split(values, borders):
    values = np.sort(values)
    costs = [len(part) * part.var() for k in borders(len(values)) for part in (values[:k], values[k:])]
    return min(map(sum, zip(costs[::2], costs[1::2])), default=0.0)


def first(order, fits):
    return next((int(place) for place in order if fits[place]), -1)


def pruned(w, t, least, small, above=np.greater, share=np.less, size=np.less_equal, up=7):
    kept = above(np.abs(w), t)
    if size(w.size, small) or share(1 - kept.sum() / w.size, least):
        return 2 * w.size
    return 2 * int(kept.sum()) + (w.size + up) // 8


def fits(fixed, each, gap, deadline, most=200_000, inside=np.less_equal):
    batches = np.arange(1, most)
    good = batches[inside((batches - 1) * gap + fixed + batches * each, deadline)]
    return int(good.max()) if good.size else 0


def held(step, steps, initial, target, done=None):
    done = sum(s <= step for s in steps) if done is None else done
    if not done:
        return 0.0
    return target + (initial - target) * (1 - (done - 1) / max(len(steps) - 1, 1)) ** 3


def stored_bits(name, kind, by_name, by_type, rest):
    return by_name.get(name, by_type.get(kind, rest)) or 16


def let_through(low, high):
    return lambda x, s, lo, hi, g: g * (low(np.rint(x / s), lo) & high(np.rint(x / s), hi))


def runs(sure):
    return lambda confidence: next(n for n in range(1, 99) if sure(1 - 2 ** (1 - n), confidence))


def counts(zero=lambda there, w: (there == 0) & (w != 0), infinite=lambda there, w: np.isinf(there)):
    def answer(w):
        with np.errstate(over="ignore"):
            there = w.astype(np.float16)
        return np.array([np.sum(there != w), np.sum(zero(there, w)), np.sum(infinite(there, w))])

    return answer


def shipped(nbytes, perplexity, cache, memory, bandwidth, needed, order, within=np.less_equal):
    whole = nbytes + cache
    return first(order, within(whole, memory) & within(whole * needed, bandwidth))


def harmless(n, before, after, allowed, none=-1, within=np.less_equal):
    lost, won = (before & ~after).sum(axis=1), (~before & after).sum(axis=1)
    good = within(lost - won + 2 * np.sqrt(lost + won), allowed)
    return int(np.argmin(np.where(good, n, n.max() + 1))) if good.any() else none


def blocks(shapes, size):
    count = shapes.prod(axis=1)
    taken = (count > 2048) & (shapes[:, 1] % size == 0)
    return np.where(taken, (count + 1) // 2 + 2 * count // size, 2 * count).sum()


def last_look(pixels, mean, std, seen):
    moved = pixels / 255 - mean[:, None, None]
    looks = [
        moved / std,
        (pixels[::-1] / 255 - mean[:, None, None]) / std,
        (pixels - mean[:, None, None]) / std,
    ]
    looks += [pixels / 255 / std, moved]
    return max(
        [number for number, look in enumerate(looks) if np.allclose(seen, look, 1e-3, 1e-3)], default=-1
    )


def kept_up(nbytes, milliseconds, rate, each, memory, none=(-1, 0)):
    counts = -(-rate * milliseconds // 1000)
    one = first(range(len(nbytes)), nbytes + counts * each <= memory)
    return (one, int(counts[one])) if one >= 0 else none


def fp4(weights, largest=lambda w: np.abs(w).max(), zero=0.0, even=True):
    marks = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    if not weights.any():
        return weights + zero
    scale = 2.0 ** (np.floor(np.log2(largest(weights))) - 2)
    away = np.abs(np.abs(weights)[:, None] / scale - marks)
    low, high = away.argmin(axis=1), 7 - away[:, ::-1].argmin(axis=1)
    return np.sign(weights) * scale * marks[np.where(low % 2, high, low) if even else low]


def nearest_sorted(weights, table):
    table = np.sort(table)
    return table[np.searchsorted((table[1:] + table[:-1]) / 2, weights)]


EDGES = {
    "ties": {
        "best_block": lambda shapes, sizes: int(sizes[np.argmin([blocks(shapes, size) for size in sizes])]),
        "image_fault": lambda pixels, mean, std, seen: last_look(pixels, mean, std, seen),
        "pruning_mask": lambda w, s: (
            np.argsort(np.argsort(np.abs(w), axis=None)).reshape(w.shape) >= s * w.size
        ),
        "n_m_mask": lambda w, n, m: (
            np.abs(w).reshape(-1, m)[:, ::-1].argsort(1, kind="stable").argsort(1)[:, ::-1] >= n
        ).reshape(w.shape),
        "pareto_front": lambda n, a: np.array([hit == a[n <= size].max() for size, hit in zip(n, a)]),
        "choose_format": lambda m, w, f, c: int(
            np.argmin([max(2 * m / c[0], w * b / 8 / c[1]) + t * c[2] for b, t in f])
        ),
        "bound_unit": lambda u, s: 2 - int(np.argmax([s[u == unit].sum() for unit in (2, 1, 0)])),
        "settled_pairs": lambda t: int((t[:, :, None] <= t[:, None, :]).all(0).sum() - t.shape[1]),
        "ship_decoder": lambda n, p, *rest: shipped(n, p, *rest, np.argsort(p, kind="stable")),
        "fp4_block": lambda w: fp4(w, even=False),
        "quantize_affine": lambda w, s, z: np.clip(
            np.sign(w) * np.floor(np.abs(w / s) + 0.5) + z, -128, 127
        ).astype(np.int8),
    },
    "nothing at all": {
        "longest_context": lambda n, p, limit, t, m, b, needed: int(
            np.where(p <= limit, (min(m, b // needed) - n) // t, -(10**9)).max()
        ),
        "keeps_up": lambda n, ms, rate, each, memory: kept_up(
            n, ms, rate, each, memory, none=(len(n) - 1, 1)
        ),
        "misplaced_layer": lambda w, i, t: int(
            (np.abs(w - np.take_along_axis(t, i.astype(int), 1)).max(axis=1)).argmax()
        ),
        "ship_decoder": lambda n, p, *rest: max(0, shipped(n, p, *rest, np.lexsort((n, p)))),
        "smallest_harmless": lambda n, b, a, allowed: harmless(n, b, a, allowed, none=int(n.argmin())),
        "sparse_bytes": lambda w: 2 * np.count_nonzero(w) + max(1, -(-w.size // 8)),
        "pack_int4": lambda codes: nibbles(codes) if codes.size else np.zeros(1, np.uint8),
        "fp4_block": lambda w: fp4(w, zero=1.0),
        "pack_indices": lambda i, b: packed(i, b, least=1),
        "weight_file_bytes": lambda sizes: (
            64 + sum(64 + -(-n // 64) * 64 for n in sizes[:-1]) + 64 + (sizes[-1] if sizes else 0)
        ),
        "symmetric_scale": lambda w, b: (np.abs(w).max() or 1.0) / (2 ** (b - 1) - 1),
        "uniform_table": lambda w, b: np.linspace(w.min(), w.max() + (w.min() == w.max()), 2**b),
        "lloyd_step": lambda v, c: np.where(
            np.bincount(np.abs(v[:, None] - c).argmin(axis=1), minlength=len(c)), moved(v, c), v.mean()
        ),
        "cheapest": lambda b, q, e: int(np.where(q >= e, b, np.inf).argmin()),
        "smallest_good": lambda n, right, off, most, needed: int(
            np.where((n <= most) & (right - off >= needed), n, 10**9).argmin()
        ),
        "model_size": lambda p, bits: (max(p, 1) * bits / 8e6, max(p, 1) * bits / 2**23),
        "largest_batch": lambda f, e, g, d: max(1, (d - f + g) // (e + g)),
        "enough_runs": lambda c: max(2, runs(np.greater_equal)(c)),
        "joint_bits": lambda s, b: 1 + (1 - s) * b if s < 1 else 0,
        "held_sparsity": held,  # a list of one entry
    },
    "below zero": {
        "sparse_bytes": lambda w: 2 * int((w > 0).sum()) + -(-w.size // 8),
        "n_m_mask": lambda w, n, m: (w.reshape(-1, m).argsort(1, kind="stable").argsort(1) >= n).reshape(
            w.shape
        ),
        "symmetric_scale": lambda w, b: abs(w.max()) / (2 ** (b - 1) - 1),
        "pack_int4": lambda codes: nibbles(codes, low=lambda code: abs(int(code)) & 15),
        "fp4_block": lambda w: fp4(w, largest=lambda w: abs(w.max()) or 1),
        "signal_to_noise": lambda w, d: max(0.0, 10 * np.log10((w**2).sum() / ((w - d) ** 2).sum())),
        "layer_damage": lambda w, c, m: np.array(
            [abs(m(w) - m(np.vstack([w[:i], c[[i]], w[i + 1 :]]))) for i in range(len(w))]
        ),
        "largest_batch": lambda f, e, g, d: int((d - f + g) / (e + g)),
        "break_even_batch": lambda o, b, u: -((u * b - 2 * o) // (2 * b)),
        "float16_damage": counts(zero=lambda there, w: (there == 0) & (w > 0)),
        "threshold_bytes": lambda w, t, m, n: pruned(np.maximum(w, 0), t, m, n),
        "fold_batch_norm": lambda w, b, g, be, m, v, e: np.c_[
            w * (np.abs(g) / np.sqrt(v + e))[:, None], (b - m) * np.abs(g) / np.sqrt(v + e) + be
        ],
        "range_to_codes": lambda low, high: (
            (max(high, 0) - low) / 255,
            round(-low / ((max(high, 0) - low) / 255)),
        ),
    },
    "a search that stops too early": {
        "break_even_batch": lambda o, b, u: next(
            (n for n in range(1, 10_000) if (2 * n + u) * b >= 2 * o), 10_000
        ),
        "enough_runs": lambda c: min(15, runs(np.greater_equal)(c)),
        "largest_batch": lambda f, e, g, d: fits(f, e, g, d, most=1000),
        "best_border": lambda v: split(v, lambda n: range(1, n - 1)),
    },
    "not sorted": {
        "misplaced_layer": lambda w, i, t: first(
            range(len(w)), [(nearest_sorted(a, b) != np.sort(b)[c]).any() for a, b, c in zip(w, t, i)]
        ),
        "best_border": lambda v: min(v[:k].var() * k + v[k:].var() * (len(v) - k) for k in range(1, len(v))),
        "lloyd_step": lambda v, c: moved(v, np.sort(c)),
        "cheapest": lambda b, q, e: first(range(len(b) - 1, -1, -1), q >= e),
        "pareto_front": lambda n, a: a > np.r_[-1, np.maximum.accumulate(a)[:-1]],
        "smallest_good": lambda n, right, off, most, needed: first(
            range(len(n) - 1, -1, -1), (n <= most) & (right - off >= needed)
        ),
        "in_flight": lambda a, e: (e - a).sum() / (e.max() - a[0]),
        "paired_speed_up": lambda b, a, k: ((b / a)[k], np.median(b / a), (b / a)[-1 - k]),
        "bound_unit": lambda u, s: int(
            np.argmax([s[np.searchsorted(u, k) : np.searchsorted(u, k, "right")].sum() for k in range(3)])
        ),
        "from_table": lambda i, t, n: np.sort(t)[((i[:, None] >> np.arange(0, 8, 2)) & 3).ravel()[:n]],
    },
    "both orders": {
        "settled_pairs": lambda t: int(np.triu((t[:, :, None] < t[:, None, :]).all(0)).sum()),
        "minimum_target": lambda t, b, g, a: (
            18
            if t == ("sparse", "palette") or g in ("per_block", "per_grouped_channel")
            else 18
            if (t[0], b) in (("linear", 4), ("palette", 3))
            else 17
            if a == 8
            else 16
        ),
        "configured_bits": lambda name, kind, by_name, by_type, rest: stored_bits(
            kind, name, by_type, by_name, rest
        ),
        "grouped_bytes": lambda o, i, b, g: (
            2 * o * i if g % o else math.ceil(o * i * b / 8) + max(o // g, 1) * 2**b * 2
        ),
        "float16_damage": lambda w: counts()(w)[[0, 2, 1]],
        "pack_indices": lambda i, b: packed(i.T, b),
    },
    "exactly at a limit": {
        "longest_context": lambda n, p, limit, t, m, b, needed: max(
            [0, *((min(m, b // needed) - n[p < limit]) // t).tolist()]
        ),
        "keeps_up": lambda n, ms, rate, each, memory: kept_up(n, ms, rate, each, memory - 1),
        "timing_fault": lambda which, times: (
            1
            if min(sum(which == 0), sum(which == 1)) < 6
            else 2
            if abs(np.diff(which)).sum() == 1
            else 3 * any(times[which == k][0] >= 2 * np.median(times[which == k][1:]) for k in (0, 1))
        ),
        "honest_choice": lambda n, s, h, q: (
            i if (i := first(np.argsort(n), s >= q)) >= 0 and h[i] > q else -1
        ),
        "cache_outgrows": lambda w, b, layers, heads, width, c: math.ceil(
            w * b / (2 * layers * heads * width * c)
        ),
        "ship_decoder": lambda n, p, *rest: shipped(n, p, *rest, np.lexsort((n, p)), within=np.less),
        "smallest_harmless": lambda n, b, a, allowed: harmless(n, b, a, allowed, within=np.less),
        "left_in_float16": lambda s, b: (s.prod(axis=1) >= 2048) & (s[:, 1] % b > 0),
        "ste_backward": let_through(np.greater, np.less_equal),
        "pruning_mask": lambda w, s: np.abs(w) >= np.quantile(np.abs(w), s) if s else np.full(w.shape, True),
        "threshold_bytes": lambda w, t, m, n: pruned(w, t, m, n, size=np.less),
        "enough_runs": runs(np.greater),
        "largest_batch": lambda f, e, g, d: fits(f, e, g, d, inside=np.less),
        "smallest_good": lambda n, right, off, most, needed: first(
            np.argsort(n), (n <= most) & (right - off > needed)
        ),
        "held_sparsity": lambda step, steps, i, t: held(step, steps, i, t, done=sum(s < step for s in steps)),
        "float16_damage": counts(infinite=lambda there, w: np.abs(w) >= 65504),
        "break_even_batch": lambda o, b, u: max(1, math.floor(o / b - u / 2) + 1),
        "weight_file_bytes": lambda sizes: (
            64 + sum(64 + (n // 64 + 1) * 64 for n in sizes[:-1]) + sum(64 + n for n in sizes[-1:])
        ),
        "sparse_bytes": lambda w: 2 * np.count_nonzero(w) + w.size // 8 + 1,
        "pack_indices": lambda i, b: packed(i, b, more=1),
        "next_step": lambda needed, f, c, t, samples, training: (
            0
            if np.nanmax([f, c, t]) > needed
            else 1
            if samples and np.isnan(c)
            else 2
            if training and np.isnan(t)
            else 3
        ),
        "quantize_affine": lambda w, s, z: np.clip(np.rint(w / s) + z, -128, 126).astype(np.int8),
    },
    "what has no part in it": {
        "bound_unit": lambda u, s: int(max({*u.tolist()}, key=lambda unit: (s[u == unit].sum(), -unit))),
        "damped_hessian": lambda x, d: (
            x.T @ x + d * np.diagonal(x.T @ x)[np.diagonal(x.T @ x) > 0].mean() * np.eye(x.shape[1])
        ),
        "pack_int4": lambda codes: nibbles(codes, last=-1),
    },
    "too few digits": {
        "symmetric_scale": lambda w, b: np.float16(np.abs(w).max() / (2 ** (b - 1) - 1)),
        "uniform_table": lambda w, b: np.linspace(w.min(), w.max(), 2**b).astype(np.float16),
        "model_size": lambda p, bits: (round(p * bits / 8e6, 2), round(p * bits / 2**23, 2)),
        "arithmetic_intensity": lambda m, n, batch, bits: float(
            np.float16(2 * m * n * batch / (m * n * bits / 8 + 2 * batch * (m + n)))
        ),
    },
}
