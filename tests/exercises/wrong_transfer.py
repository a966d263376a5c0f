"""Wrong answers that people give to the transfer tasks of chapters 1 to 8, each with a part of the hint it must get."""

from itertools import pairwise

import numpy as np

import toykit as tk
from toykit.exercises.size import weight_file_bytes

file_bytes = weight_file_bytes.reference
ONES = ((4, 0), (4, 32), (8, 0), (8, 32))


def distinct(arrays, key):
    return list({key(array): array for array in arrays}.values())


def by(key):
    return lambda arrays: (
        file_bytes([a.nbytes for a in arrays]) - file_bytes([a.nbytes for a in distinct(arrays, key)])
    )


def data_alone(arrays):
    return sum(a.nbytes for a in arrays) - sum(
        a.nbytes for a in distinct(arrays, lambda a: (a.dtype.str, a.shape, a.tobytes()))
    )


def no_gaps(arrays):
    kept = distinct(arrays, lambda a: (a.dtype.str, a.shape, a.tobytes()))
    return data_alone(arrays) + 64 * (len(arrays) - len(kept))


def none_stays(arrays):
    keys = [(a.dtype.str, a.shape, a.tobytes()) for a in arrays]
    kept = [a.nbytes for a, key in zip(arrays, keys) if keys.count(key) == 1]
    return file_bytes([a.nbytes for a in arrays]) - file_bytes(kept)


def neighbours_alone(arrays):
    same = lambda a, b: (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    kept = arrays[:1] + [b for a, b in pairwise(arrays) if not same(a, b)]
    return file_bytes([a.nbytes for a in arrays]) - file_bytes([a.nbytes for a in kept])


def counted(weights, values, mask):
    bits = np.unpackbits(mask, count=weights.size, bitorder="little")
    return 0 if bits.sum() == values.size else 2


def read_back(weights, values, mask, faults=(0, 1, 2, 3), count=True):
    """The first of the faults that fits."""
    for fault in faults:
        bits = np.unpackbits(mask, bitorder="big" if fault == 1 else "little")
        kept = (bits[: weights.size] if count else bits).astype(bool) ^ (fault == 2)
        if kept.sum() != values.size:
            continue
        made = np.zeros(kept.size, values.dtype)
        if fault == 3:
            made = np.zeros(weights.shape[::-1], values.dtype)
            made[kept[: weights.size].reshape(weights.shape).T] = values
            made = made.T
        else:
            made[kept] = values
        if np.array_equal(made.ravel()[: weights.size], weights.ravel()):
            return fault
    return 3


def quantized(weights, bits, block):
    options = {"granularity": "per_block", "block_size": block} if block else {"granularity": "per_channel"}
    return tk.quantize(weights, bits=bits, **options)


def decibels(weights, bits, block):
    return tk.error(weights, quantized(weights, bits, block)).snr_db


def first_good(weights, floor, ios, order=ONES, measure=decibels, none=(0, 0), new=18):
    allowed = order if ios >= new else [one for one in order if one == (8, 0)]
    return next((one for one in allowed if measure(weights, *one) >= floor), none)


def amplitude(weights, bits, block):
    off = quantized(weights, bits, block).dense().astype(float) - weights
    return 20 * np.log10(np.sum(weights.astype(float) ** 2) / np.sum(off**2))


def widths(counts, allowed=(1, 2, 3, 4, 6, 8)):
    return [next(bits for bits in allowed if 2**bits >= count) for count in counts]


def parts(weights, allowed=(1, 2, 3, 4, 6, 8), joint=None):
    kept = weights[weights != 0]
    width = lambda values: next((b for b in allowed if 2**b >= len(set(values.tolist()))), 16)
    bits, few = width(weights), width(kept if joint == "own table" else weights)
    return {
        "plain": [2 * weights.size],
        "pruned": [2 * kept.size, -(-weights.size // 8)],
        "palette": [-(-weights.size * bits // 8), 2 * 2**bits],
        "both": [-(-kept.size * few // 8), 2 * 2**few, -(-weights.size // 8)],
    }


def least(found, last=False):
    sizes = [sum(part) for part in found.values()]
    form = min(range(4), key=lambda form: (sizes[form], -form if last else form))
    return form, sizes[form]


def without_tables(weights):
    found = parts(weights)
    return least(found | {"palette": found["palette"][:1], "both": found["both"][::2]})


def without_masks(weights):
    found = parts(weights)
    return least(found | {"pruned": found["pruned"][:1], "both": found["both"][:2]})


def never_both(weights):
    return least(parts(weights) | {"both": [10**9]})


def possible(percent, tones, first=0, last=1, digits=1):
    shares = 100 * np.arange(first, tones + last) / tones
    return np.isin(percent, shares if digits is None else np.round(shares, digits))


def mixed(weights, compressed, spared):
    return np.where(np.array(spared, bool)[:, None], weights, compressed)


def choices(layers):
    return [[number >> layer & 1 for layer in range(layers)] for number in range(2**layers)]


def cheapest_choice(weights, compressed, nbytes, good):
    return min((int(nbytes @ spared) for spared in choices(len(weights)) if good(spared)), default=-1)


def strictly(w, c, n, metric, floor):
    return cheapest_choice(w, c, n, lambda spared: metric(mixed(w, c, spared)) > floor)


def added_up(w, c, n, metric, floor):
    alone = [metric(w) - metric(mixed(w, c, np.arange(len(w)) != layer)) for layer in range(len(w))]
    return cheapest_choice(
        w, c, n, lambda s: metric(w) - sum(d for d, kept in zip(alone, s) if not kept) >= floor
    )


def step_by_step(w, c, n, metric, floor, best=max):
    spared = np.zeros(len(w), bool)
    while metric(mixed(w, c, spared)) < floor:
        left = np.flatnonzero(~spared)
        if not left.size:
            return -1
        spared[best(left, key=lambda layer: metric(mixed(w, c, spared | (np.arange(len(w)) == layer))))] = (
            True
        )
    return int(n[spared].sum())


def all_or_nothing(w, c, n, metric, floor):
    return 0 if metric(c) >= floor else int(n.sum())


def fewest_layers(w, c, n, metric, floor):
    good = [s for s in choices(len(w)) if metric(mixed(w, c, s)) >= floor]
    return int(n @ min(good, key=sum)) if good else -1


def best_of(errors, first=True):
    errors = list(errors)
    return errors.index(min(errors)) if first else len(errors) - 1 - errors[::-1].index(min(errors))


def output_errors(weights, candidates, inputs, of=lambda off: np.mean(off**2)):
    return [of(inputs @ (candidate - weights).T) for candidate in candidates]


def on_both(of, seen_alone=False, first=True):
    def answer(weights, candidates, seen, heard):
        sets = (seen, seen) if seen_alone else (seen, heard)
        return tuple(best_of(output_errors(weights, candidates, x, of), first) for x in sets)

    return answer


MEAN = lambda off: np.mean(off**2)


def kept_promises(weights, promised, tiny=0.0, strict=0, whole=False):
    zero = np.abs(weights) <= tiny
    said = []
    for kind, asked in promised.items():
        if kind == "sparsity":
            said.append(zero.sum() >= asked * weights.size + strict)
        elif kind == "bits":
            said.append(np.unique(np.where(zero, 0, weights)).size <= 2**asked - strict)
        else:
            n, m = asked
            groups = zero.reshape(-1, m).sum(axis=1)
            said.append(zero.sum() >= n / m * zero.size if whole else (groups >= n + strict).all())
    return said


def broken(all_of=all, **options):
    return lambda layers, promises: np.array(
        [not all_of(kept_promises(w, p, **options)) for w, p in zip(layers, promises)], bool
    )


WRONG = {
    "saved_by_sharing": [
        (data_alone, "no record"),
        (no_gaps, "no record"),
        (none_stays, "has to stay"),
        (by(lambda a: a.tobytes()), "another shape or type"),
        (by(lambda a: (a.dtype.str, a.shape, *a.ravel().tolist())), "0 and -0"),
        (neighbours_alone, "need not be neighbours"),
        (lambda arrays: file_bytes([a.nbytes for a in arrays]), "Two lengths"),
    ],
    "mask_fault": [
        (counted, "out of order"),
        (lambda w, v, m: read_back(w, v, m, faults=(3, 2, 1, 0)), "first of all"),
        (lambda w, v, m: read_back(w, v, m, faults=(0, 1, 3)), "two apart"),
        (lambda w, v, m: read_back(w, v, m, faults=(0, 2, 1, 3)), "two apart"),
        (lambda w, v, m: read_back(w, v, m, count=False), "last byte"),
        (lambda w, v, m: 0, "out of order"),
    ],
    "smallest_setting": [
        (lambda w, f, ios: first_good(w, f, ios, new=0), "Not on this phone"),
        (lambda w, f, ios: first_good(w, f, ios, order=ONES[::-1]), "more bytes"),
        (lambda w, f, ios: first_good(w, f, ios, measure=amplitude), "below the floor"),
        (lambda w, f, ios: first_good(w, f, ios, none=(8, 32)), "Nothing reaches"),
        (lambda w, f, ios: first_good(w, f, ios, order=ONES[:3]), "There is a setting"),
        (lambda w, f, ios: first_good(w, f, ios)[::-1], "Two numbers"),
        (lambda w, f, ios: first_good(w, f, ios)[0], ""),
    ],
    "spare_bits": [
        (lambda tables, indices: widths(map(len, tables)), "have room for"),
        (lambda tables, indices: widths(len(set(i.tolist())) for i in indices), "the same weight"),
        (lambda tables, indices: widths(len(set(t.tolist())) for t in tables), "no index names"),
        (lambda tables, indices: widths(int(i.max()) + 1 for i in indices), "no index names"),
        (
            lambda tables, indices: [
                int(np.ceil(np.log2(np.unique(t[i]).size))) for t, i in zip(tables, indices)
            ],
            "the next width",
        ),
        (
            lambda tables, indices: widths(np.unique(t[i]).size - 1 for t, i in zip(tables, indices)),
            "too few",
        ),
    ],
    "lossless": [
        (without_tables, "without its table"),
        (without_masks, "Count the mask"),
        (lambda w: least(parts(w, allowed=range(1, 9))), "5 or 7 bits"),
        (lambda w: least(parts(w, joint="own table")), "an entry for 0"),
        (lambda w: least(parts(w), last=True), "lower number"),
        (never_both, "fewer bytes"),
        (lambda w: (0, 2 * w.size), "fewer bytes"),
        (lambda w: least(parts(w))[0], ""),
    ],
    "impossible_shares": [
        (lambda p, n: ~possible(p, n, digits=None), "are rounded"),
        (possible, "other way round"),
        (lambda p, n: ~possible(p, n, first=1), "None of the tones"),
        (lambda p, n: ~possible(p, n, last=0), "None of the tones"),
        (lambda p, n: ~possible(np.clip(p, 0, 100), n), "more than all"),
        (lambda p, n: ~possible(p, n, digits=0), "are rounded"),
        (
            lambda p, n: ~np.isin(p, np.floor(1000 * np.arange(n + 1) / n) / 10),
            "to the nearest decimal",
        ),
        (lambda p, n: (~possible(p, n)).astype(int), ""),
    ],
    "bytes_to_spare": [
        (strictly, "at least"),
        (added_up, "added up"),
        (step_by_step, "One step after the other"),
        (all_or_nothing, "fewer bytes"),
        (fewest_layers, "One step after the other"),
        (lambda w, c, n, m, f: 0, "reaches the floor"),
        (lambda w, c, n, m, f: max(cheapest_choice(w, c, n, lambda s: m(mixed(w, c, s)) >= f), 0), "-1"),
    ],
    "seen_and_heard": [
        (
            lambda w, c, s, h: 2 * (best_of(np.mean((one - w) ** 2) for one in c),),
            "nearest to the weights",
        ),
        (lambda w, c, s, h: on_both(MEAN)(w, c, h, s), "First what was seen"),
        (on_both(MEAN, seen_alone=True), "other inputs"),
        (on_both(MEAN, first=False), "the first counts"),
        (on_both(lambda off: np.abs(off.mean())), "make up for each other"),
        (
            lambda w, c, s, h: on_both(MEAN)(
                w.T if len(w) == w.shape[1] else w, np.swapaxes(c, 1, 2) if len(w) == w.shape[1] else c, s, h
            ),
            "transposed weights",
        ),
    ],
    "broken_promises": [
        (lambda layers, promises: ~broken()(layers, promises), "other way round"),
        (broken(tiny=1e-6), "has to be stored"),
        (broken(whole=True), "look at each of them"),
        (broken(all_of=lambda said: said[0]), "hold both"),
        (broken(all_of=any), "hold both"),
        (broken(strict=1), "exactly at their limits"),
        (lambda layers, promises: np.zeros(len(layers), bool), "Count"),
    ],
}
