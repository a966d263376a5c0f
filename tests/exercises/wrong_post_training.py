"""Plausible wrong answers to the exercises of chapter 10, and a part of the hint each must get."""

import math

import numpy as np


def _falls_through(name, kind, by_name, by_type, everywhere):
    for bits in (by_name.get(name), by_type.get(kind), everywhere):
        if bits is not None:
            return bits
    return 16


def _type_first(name, kind, by_name, by_type, everywhere):
    bits = by_type[kind] if kind in by_type else by_name.get(name, everywhere)
    return 16 if bits is None else bits


def _none_is_zero(name, kind, by_name, by_type, everywhere):
    bits = by_name[name] if name in by_name else by_type.get(kind, everywhere)
    return 0 if bits is None else bits


def _fewest(name, kind, by_name, by_type, everywhere):
    said = [rules[key] for rules, key in ((by_name, name), (by_type, kind)) if key in rules] + [everywhere]
    return min(16 if bits is None else bits for bits in said)


def _bytes(
    kept=lambda w, t: np.abs(w) > t,
    small=lambda w, n: w.size <= n,
    dense=lambda share, m: share < m,
    mask=lambda size: math.ceil(size / 8),
):
    """Bytes of a pruned array, with one's own idea of one of the steps."""

    def answer(weights, threshold, minimum_sparsity, weight_threshold):
        left = kept(weights, threshold)
        if small(weights, weight_threshold) or dense(1 - left.sum() / weights.size, minimum_sparsity):
            return 2 * weights.size
        return 2 * int(left.sum()) + mask(weights.size)

    return answer


def _grouped(tables, width=2, codes=lambda bits: math.ceil(bits / 8), declines=True):
    def answer(outputs, inputs, bits, group_size):
        if declines and outputs % group_size:
            return 2 * outputs * inputs
        return codes(outputs * inputs * bits) + tables(outputs, group_size) * 2**bits * width

    return answer


def _groups(outputs, group_size):
    return outputs // group_size


def _file_of(shapes, bits, least=2048, inside=10, up=7, header=64, record=64, block=64, last=0):
    arrays = []
    for count in (shapes[:, 0] * shapes[:, 1]).tolist():
        packed = [(count * bits + up) // 8] + [2 << bits] * (2**bits >= inside)
        arrays += packed if count > least else [2 * count]
    whole = sum(record + -(-nbytes // block) * block for nbytes in arrays) + header
    return whole if last else whole - -arrays[-1] % block


def _with(**change):
    return lambda shapes, bits: _file_of(shapes, bits, **change)


WRONG = {
    "configured_bits": [
        (_falls_through, "None is a decision"),
        (_type_first, "before a rule for a type"),
        (
            lambda name, kind, by_name, by_type, everywhere: 16 if everywhere is None else everywhere,
            "no other does",
        ),
        (_none_is_zero, "return 16"),
        (_fewest, "no other does"),
    ],
    "threshold_bytes": [
        (_bytes(mask=lambda size: 0), "mask is stored too"),
        (_bytes(mask=lambda size: size / 8), "round up"),
        (_bytes(kept=lambda w, t: w > t), "no sign"),
        (_bytes(kept=lambda w, t: np.abs(w) >= t), "exactly as large"),
        (_bytes(dense=lambda share, m: False), "too few"),
        (_bytes(small=lambda w, n: False), "small array stays"),
        (_bytes(small=lambda w, n: w.size < n), "small array stays"),
        (_bytes(dense=lambda share, m: share <= m), "Exactly the minimum"),
        (_bytes(mask=lambda size: size), ""),
    ],
    "grouped_bytes": [
        (_grouped(lambda o, g: g), "not the number of tables"),
        (_grouped(lambda o, g: 1), "each group has its own"),
        (_grouped(lambda o, g: 0), "stored too"),
        (_grouped(_groups, width=1), "2 bytes each"),
        (_grouped(_groups, width=4), "2 bytes each"),
        (_grouped(_groups, declines=False), "nothing is compressed"),
        (_grouped(_groups, codes=lambda bits: bits / 8), "round up"),
        (_grouped(_groups, codes=lambda bits: bits), ""),
    ],
    "weight_bin": [
        (_with(inside=0), "lies in the program"),
        (_with(inside=999), "lies in this file"),
        (_with(least=0), "stays in float16"),
        (_with(least=2047), "exactly as many"),
        (_with(last=1), "nothing follows"),
        (_with(block=1), "filled up"),
        (_with(header=0), "begins with a header"),
        (_with(record=0), "record before it"),
        (_with(up=0), "take the whole byte"),
        (lambda shapes, bits: shapes.prod(axis=1).sum() * bits / 8, "List the bytes"),
        (lambda shapes, bits: shapes, ""),
    ],
}
