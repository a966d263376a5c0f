"""Right answers that people give in other ways than the references: loops, torch, exact fractions, other algorithms.

Forms of one answer (lists, tuples, other types of numbers) are made from the references by tests/test_exercises.py.
"""

import math
import struct
from fractions import Fraction
from itertools import combinations, count, pairwise

import numpy as np
import torch


def mask_in_a_loop(w, sparsity):
    mask, many = np.ones(w.shape, bool), int(sparsity * w.size)
    if many:
        limit = sorted(abs(x) for x in w.ravel())[many - 1]
        for place in np.ndindex(w.shape):
            mask[place] = abs(w[place]) > limit
    return mask


def mask_with_torch(w, sparsity):
    magnitudes, many = torch.from_numpy(np.abs(w)), int(sparsity * w.size)
    return (magnitudes > (magnitudes.flatten().kthvalue(many).values if many else -1)).numpy()


def all_codes_one_by_one(weights, bits):
    half, back = 2 ** (bits - 1), []
    for row in weights.tolist():
        scale = 2 * max(map(abs, row)) / (2**bits - 1)
        back.append([scale * min(half - 1, max(-half, round(w / scale))) if scale else 0.0 for w in row])
    return np.array(back)


def guilty_by_counting(part, before, after, count):
    steepest = sorted(zip(before - after, part), reverse=True)[:count]
    votes = {}
    for lost, one in steepest:
        many, much = votes.get(int(one), (0, 0))
        votes[int(one)] = many + 1, much + int(lost)
    return max(votes, key=votes.get)


def stacks_by_lists(network, system, form):
    forms = ["float16", "int8", "palette", "sparse"] + ["int4", "blocks"] * (system >= 18)
    return np.array([form in forms, bool(network) and system > 26])


def n_smallest_one_by_one(w, n, m):
    groups, kept = np.abs(w).reshape(-1, m), np.ones((w.size // m, m), bool)
    for _ in range(n):
        place = groups.argmin(axis=1)
        kept[np.arange(len(kept)), place] = False
        groups[np.arange(len(kept)), place] = np.inf
    return kept.reshape(w.shape)


def codes_in_a_loop(w, scale, zero_point):
    codes = np.zeros(w.shape, np.int8)
    for place in np.ndindex(w.shape):
        codes[place] = min(127, max(-128, round(float(w[place] / scale)) + zero_point))
    return codes


def pairs_in_a_loop(codes):
    padded = [int(code) & 15 for code in codes] + [0] * (len(codes) % 2)
    return np.array([low + 16 * high for low, high in zip(padded[::2], padded[1::2])], np.uint8)


def fp4_one_by_one(weights):
    largest = max(abs(weights))
    scale = math.ldexp(1, math.frexp(largest)[1] - 3) if largest else 1.0
    found = []
    for weight in weights:
        steps = Fraction(abs(weight)) / Fraction(scale)
        # Even codes first: at a half, min keeps the first.
        mark = min((0, 1, 2, 4, 0.5, 1.5, 3, 6), key=lambda mark: abs(steps - Fraction(mark)))
        found.append(math.copysign(mark * scale, weight))
    return found


def lloyd_in_a_loop(values, centroids):
    groups = [[] for _ in centroids]
    for value in values:
        groups[min(range(len(centroids)), key=lambda j: abs(value - centroids[j]))].append(value)
    return [sum(group) / len(group) if group else c for group, c in zip(groups, centroids)]


def lloyd_between_sorted(values, centroids):
    order = np.argsort(centroids)
    borders = (centroids[order][1:] + centroids[order][:-1]) / 2
    place = order[np.searchsorted(borders, values)]
    return [values[place == j].mean() if (place == j).any() else c for j, c in enumerate(centroids)]


def one_large_number(indices, bits):
    number = sum(int(index) << (bits * k) for k, index in enumerate(indices.ravel()))
    return np.frombuffer(number.to_bytes(-(-indices.size * bits // 8), "little"), np.uint8)


def border_from_running_sums(values):
    v, left = np.sort(values), np.arange(1, len(values))
    s, q = np.cumsum(v), np.cumsum(v * v)
    costs = q[:-1] - s[:-1] ** 2 / left + (q[-1] - q[:-1]) - (s[-1] - s[:-1]) ** 2 / (len(v) - left)
    return costs.min()


def front_in_a_loop(nbytes, accuracy):
    settings = list(zip(nbytes, accuracy))
    return np.array(
        [not any(b <= n and a >= hit and (b, a) != (n, hit) for b, a in settings) for n, hit in settings]
    )


def damage_put_back(weights, compressed, metric):
    weights, damage = weights.copy(), []
    before = metric(weights)
    for layer, row in enumerate(compressed):
        kept = weights[layer].copy()
        weights[layer] = row
        damage.append(before - metric(weights))
        weights[layer] = kept
    return damage


def bits_without_dominated(nbytes, damage, budget):
    found = [(0, 0.0, ())]
    for sizes, harms in zip(nbytes, damage):
        longer = sorted(
            (n + int(size), d + float(harm), (*taken, place))
            for n, d, taken in found
            for place, (size, harm) in enumerate(zip(sizes, harms))
            if n + size <= budget
        )
        found, least = [], math.inf
        for one in longer:
            if one[1] < least:
                found.append(one)
                least = one[1]
    return np.array(min(found, key=lambda one: one[1])[2], np.uint8)


def format_in_a_loop(macs, weights, formats, chip):
    operations, bandwidth, table = chip
    best = None
    for number, (bits, tables) in enumerate(formats):
        seconds = max(2 * macs / operations, weights * bits / 8 / bandwidth) + tables * table
        if best is None or (seconds, -bits) < best[:2]:
            best = seconds, -bits, number
    return best[2]


def bounds_in_a_loop(times, confidence):
    ordered, n, dropped = sorted(times), len(times), 0
    while (
        dropped < (n - 1) // 2
        and sum(math.comb(n, k) for k in range(dropped + 2, n - dropped - 1)) >= confidence * 2**n
    ):
        dropped += 1
    return torch.tensor([ordered[dropped], ordered[n - 1 - dropped]])


def next_by_ifs(needed, data_free, calibrated, trained, samples, training):
    if data_free >= needed or calibrated >= needed or trained >= needed:
        return 0
    if math.isnan(calibrated) and samples:
        return 1
    return 2 if math.isnan(trained) and training else 3


def smallest_in_a_loop(nbytes, right, interval, max_bytes, needed):
    best = -1
    for number, size in enumerate(nbytes):
        fits = size <= max_bytes and right[number] - interval[number] >= needed
        if fits and (best == -1 or size < nbytes[best]):
            best = number
    return best


def in_flight_by_area(arrivals, ends):
    moments = sorted({*arrivals, *ends})
    there = [sum((arrivals <= start) & (ends > start)) for start in moments[:-1]]
    area = sum(n * (end - start) for n, (start, end) in zip(there, pairwise(moments)))
    return area / (moments[-1] - moments[0])


def pipeline_simulated(stages, requests):
    free = [0] * len(stages)
    for _ in range(requests):
        now = 0
        for number, seconds in enumerate(stages):
            free[number] = now = max(now, free[number]) + seconds
    return now


def batch_in_a_loop(fixed, each, gap, deadline):
    batch = 0
    while batch * gap + fixed + (batch + 1) * each <= deadline:
        batch += 1
    return batch


def ste_by_autograd(x, scale, low, high, gradient):
    x = torch.tensor(x, requires_grad=True)
    codes = x / scale + (torch.round(x / scale) - x / scale).detach()
    (codes.clamp(low, high) * scale).backward(torch.from_numpy(gradient))
    return x.grad


def dkm_in_a_loop(weights, centroids, temperature):
    sums, shares = np.zeros(len(centroids)), np.zeros(len(centroids))
    for weight in weights:
        closeness = [-((weight - c) ** 2) / temperature for c in centroids]
        raised = np.array([math.exp(one - max(closeness)) for one in closeness])
        sums += raised / raised.sum() * weight
        shares += raised / raised.sum()
    return (sums / shares).tolist()


def dkm_with_torch(weights, centroids, temperature):
    w, c = torch.from_numpy(weights), torch.from_numpy(centroids)
    attention = torch.softmax(-((w[:, None] - c) ** 2) / temperature, dim=1)
    return attention.T @ w / attention.sum(0)


def gptq_by_cholesky(row, hessian, scale, order):
    factor = np.linalg.cholesky(np.linalg.inv(hessian[np.ix_(order, order)])).T
    moved = row.astype(float)[order]
    for k, direction in enumerate(factor):
        rounded = np.round(moved[k] / scale) * scale
        moved[k + 1 :] -= (moved[k] - rounded) / direction[k] * direction[k + 1 :]
        moved[k] = rounded
    found = np.empty(len(order))
    found[order] = moved
    return found


def gptq_by_updates(row, hessian, scale, order):
    row, inverse = row.astype(float), np.linalg.inv(hessian)
    for place, column in enumerate(order):
        rounded = np.round(row[column] / scale) * scale
        later = order[place + 1 :]
        row[later] -= (row[column] - rounded) / inverse[column, column] * inverse[column, later]
        row[column] = rounded
        inverse = inverse - np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    return row


def attention_in_a_loop(queries, keys, values):
    found = []
    for place, query in enumerate(queries):
        scores = [float(query @ key) / math.sqrt(len(query)) for key in keys[: place + 1]]
        raised = [math.exp(score - max(scores)) for score in scores]
        found.append(sum(share * value for share, value in zip(raised, values)) / sum(raised))
    return np.array(found)


def attention_of_torch(queries, keys, values):
    q, k, v = (torch.from_numpy(part) for part in (queries, keys, values))
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def tokens_counted(weights, bits, layers, heads, width, cache_bits):
    a_token = Fraction(2 * layers * heads * width * cache_bits)
    return math.floor(Fraction(weights * bits) / a_token + 1)


def shipped_in_order(nbytes, perplexity, cache, memory, bandwidth, needed):
    for one in np.lexsort((nbytes, perplexity)):
        if nbytes[one] + cache <= min(memory, Fraction(bandwidth, needed)):
            return one
    return -1


def bias_as_least_error(weights, compressed, bias, inputs):
    wanted, found = weights @ inputs + bias[:, None], compressed @ inputs
    return torch.from_numpy(wanted - found).mean(dim=1)


def left_one_by_one(shapes, block_size):
    left = [rows * inputs > 2048 and inputs % block_size > 0 for rows, inputs in shapes.tolist()]
    return np.array(left, dtype=bool)


def harmless_by_rising_size(nbytes, before, after, allowed):
    for one in np.argsort(nbytes):
        changed = after[one].astype(int) - before
        if 2 * math.sqrt(np.count_nonzero(changed)) - changed.sum() <= allowed:
            return int(one)
    return -1


def folded_with_torch(weight, bias, gamma, beta, mean, variance, epsilon):
    norm = torch.nn.BatchNorm1d(len(gamma), eps=epsilon).double().eval()
    given = {"weight": gamma, "bias": beta, "running_mean": mean, "running_var": variance}
    norm.load_state_dict({name: torch.tensor(value) for name, value in given.items()}, strict=False)
    with torch.no_grad():
        moved = norm(torch.tensor(bias)[None])[0]
        columns = [norm(torch.tensor(bias + column)[None])[0] - moved for column in weight.T]
    return torch.stack([*columns, moved], dim=1)


def damage_in_a_loop(weights):
    changed = zero = infinite = 0
    for weight in weights.ravel():
        with np.errstate(over="ignore"):
            there = np.float32(np.float16(weight))
        changed += there != weight
        zero += there == 0 != weight
        infinite += np.isinf(there)
    return int(changed), int(zero), int(infinite)


def float16_by_struct(data, offset):
    size, start = (int.from_bytes(data[offset + at : offset + at + 8], "little") for at in (8, 16))
    return np.array(
        [number for (number,) in struct.iter_unpack("<e", data[start : start + size])], np.float16
    )


def codes_of_blocks(codes, scale, offset):
    blocks = codes.reshape(*scale.shape, -1).astype(float)
    return ((blocks - offset[..., None]) * scale[..., None]).reshape(codes.shape).tolist()


def record_byte_by_byte(codes, end):
    """The numbers of the record spelled out, and the data as one long whole number."""
    start = (end + 63) // 64 * 64
    size = (len(codes) + 1) // 2
    fields = [(0xDEADBEEF, 4), (11, 4), (size, 8), (start + 64, 8), (size * 8 - 4 * len(codes), 8), (0, 32)]
    record = b"".join(value.to_bytes(count, "little") for value, count in fields)
    data = sum(int(code) << (4 * place) for place, code in enumerate(codes)).to_bytes(size, "little")
    return np.array(list(b"\0" * (start - end) + record + data), np.uint8)


def context_in_a_loop(nbytes, perplexity, limit, token, memory, bandwidth, needed):
    tokens = 0
    for size, worse in zip(nbytes.tolist(), perplexity):
        while (
            worse <= limit
            and (whole := size + (tokens + 1) * token) <= memory
            and whole * needed <= bandwidth
        ):
            tokens += 1
    return tokens


def block_by_fractions(shapes, sizes):
    def of_layer(rows, inputs, size):
        if rows * inputs <= 2048 or inputs % size:
            return 2 * rows * inputs
        return math.ceil(Fraction(rows * inputs, 2)) + 2 * rows * (inputs // size)

    whole = {int(size): sum(of_layer(*shape, int(size)) for shape in shapes.tolist()) for size in sizes}
    return min(sorted(whole), key=whole.get)


def image_by_distances(pixels, mean, std, seen):
    seen, mean = torch.tensor(seen).double(), torch.tensor(mean).view(3, 1, 1)
    pixels = torch.tensor(pixels).double()
    looks = [(pixels / 255 - mean) / std, (pixels.flip(0) / 255 - mean) / std, (pixels - mean) / std]
    looks += [pixels / (255 * std), pixels / 255 - mean]
    for number, look in enumerate(looks):
        if bool(((seen - look).abs() <= 1e-3 + 1e-3 * look.abs()).all()):
            return number
    return -1


def file_by_appending(shapes, bits):
    end = 64
    for rows, inputs in shapes:
        count = int(rows * inputs)
        table = [2 * 2**bits] if bits >= 4 else []
        for nbytes in [math.ceil(count * bits / 8), *table] if count > 2048 else [2 * count]:
            end = math.ceil(end / 64) * 64 + 64 + nbytes
    return end


def stop_from_a_table(weights, update_steps, target):
    count = len(update_steps)
    left = {}
    for entry, step in enumerate(update_steps):
        t = Fraction(entry, count - 1) if count > 1 else 1
        left.setdefault(math.floor(float(target * (1 - (1 - t) ** 3) * weights.size) + 0.5), step)
    return left.get(int(np.sum(weights == 0)), -1)


def faults_byte_by_byte(data, offsets):
    used = set()
    for record, offset in enumerate(offsets):
        mark = data[offset : offset + 4] == bytes.fromhex("EFBEADDE")
        count, start = (int.from_bytes(data[offset + at : offset + at + 8], "little") for at in (8, 16))
        if not mark:
            return record, 1
        if start % 64:
            return record, 2
        if start + count > len(data):
            return record, 3
        if used & {*range(start, start + count)}:
            return record, 4
        used |= {*range(start, start + count)}
    return -1, 0


def session_with_numpy(weights, bits, unpacking, batches, operations, bandwidth):
    batch = np.array(batches, float)
    ahead = np.maximum(2 * weights / bandwidth, 2 * weights * batch / operations).sum()
    packed = np.maximum(weights * bits / 8 / bandwidth, weights * (unpacking + 2 * batch) / operations).sum()
    loading = max(weights * (bits / 8 + 2) / bandwidth, weights * unpacking / operations)
    return [0, loading + ahead] if loading + ahead < packed else [1, packed]


def claims_in_a_loop(before, after, claimed):
    kinds = []
    for old, new, said in zip(before, after, claimed):
        gains = (old - new) / new, (old - new) / old, (new - old) / old
        kinds.append(next((kind for kind, gain in enumerate(gains) if abs(gain - said / 100) <= 0.005), 3))
    return kinds


def timing_in_a_loop(which, times):
    runs = {0: [], 1: []}
    for model, time in zip(which.tolist(), times.tolist()):
        runs[model].append(time)
    if len(runs[0]) < 6 or len(runs[1]) < 6:
        return 1
    if sorted(which) in (which.tolist(), which[::-1].tolist()):
        return 2
    return 3 * any(one[0] > 2 * float(np.median(one[1:])) for one in runs.values())


def misplaced_one_by_one(trained, indices, tables):
    for layer, (row, places) in enumerate(zip(trained.tolist(), indices.tolist())):
        table = tables[layer].tolist()
        if any(
            abs(w - table[i]) > min(abs(w - entry) for entry in table) + 0.001 for w, i in zip(row, places)
        ):
            return layer
    return -1


def candidates_in_turn(nbytes, milliseconds, rate, each, memory):
    for number, (size, ms) in enumerate(zip(nbytes, milliseconds)):
        requests = math.ceil(Fraction(int(rate * ms), 1000))
        if requests <= (memory - size) // each:
            return [number, requests]
    return [-1, 0]


def shared_by_hand(arrays):
    lengths, seen = [64, 64], set()
    for array in arrays:
        key = str(array.dtype), array.shape, bytes(array)
        for which in (0, 1) if key not in seen else (0,):
            lengths[which] += -lengths[which] % 64 + 64 + array.nbytes
        seen.add(key)
    return lengths[0] - lengths[1]


def fault_by_writing(weights, values, mask):
    kept = weights != 0
    masks = [
        np.packbits(k, bitorder=order) for k, order in ((kept, "little"), (kept, "big"), (~kept, "little"))
    ]
    by_row, by_column = weights[kept], weights.T[kept.T]
    for fault, m in enumerate(masks):
        if fault == 2 and weights.size % 8:  # what the last bits say does not matter
            m = m & mask | mask & ~np.packbits(np.ones(weights.size, bool), bitorder="little")
        if m.tolist() == mask.tolist() and by_row.tolist() == values.tolist():
            return fault
    return 3 if by_column.tolist() == values.tolist() else None


def setting_by_bytes(weights, floor, ios):
    found = []
    for bits in (8, 4):
        for block in (32, 0):
            if ios < 18 and (bits, block) != (8, 0):
                continue
            rows = weights.astype(float).reshape(-1, block or weights.shape[1])
            scale = (np.abs(rows).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)).astype(np.float16)
            codes = np.clip(
                np.rint(weights.reshape(rows.shape) / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
            )
            noise = np.sum((rows - codes * scale.astype(float)) ** 2)
            if 10 * np.log10(np.sum(rows**2) / noise) >= floor:
                found.append((weights.size * bits / 8 + 2 * scale.size, (bits, block)))
    return list(min(found)[1]) if found else (0, 0)


def spare_by_loop(tables, indices):
    found = []
    for table, index in zip(tables, indices):
        values, bits = {float(table[i]) for i in index}, 1
        while 2**bits < len(values):
            bits += 1
        found.append({5: 6, 7: 8}.get(bits, bits))
    return found


def lossless_by_hand(weights):
    n, kept = weights.size, np.count_nonzero(weights)
    levels, mask = len(set(weights.tolist())), (n + 7) // 8
    sizes = [2 * n, 2 * kept + mask]
    bits = next((b for b in (1, 2, 3, 4, 6, 8) if levels <= 2**b), None)
    if bits:
        table = 2 ** (bits + 1)
        sizes += [(n * bits + 7) // 8 + table, mask + (kept * bits + 7) // 8 + table]
    return sizes.index(min(sizes)), min(sizes)


def shares_by_nearest(percent, tones):
    nearest = np.rint(percent * tones / 100)
    off = np.abs(np.round(100 * nearest / tones, 1) - percent) < 0.01
    return ~(off & (nearest >= 0) & (nearest <= tones))


def spare_by_combinations(weights, compressed, nbytes, metric, floor):
    best = -1
    for many in range(len(weights) + 1):
        for layers in map(list, combinations(range(len(weights)), many)):
            tried = compressed.copy()
            tried[layers] = weights[layers]
            cost = sum(nbytes[layers])
            if metric(tried) >= floor and (best < 0 or cost < best):
                best = cost
    return best


def heard_by_covariance(weights, candidates, seen, heard):
    found = []
    for x in (seen, heard):
        errors = [np.trace((c - weights) @ (x.T @ x) @ (c - weights).T) for c in candidates]
        found.append(errors.index(min(errors)))
    return found


def promises_by_loop(layers, promises):
    def holds(w, p):
        zeros = int((w == 0).sum())
        good = zeros >= p.get("sparsity", 0) * w.size
        good &= len(set(w.ravel().tolist())) <= 2 ** p.get("bits", 62)
        n, m = p.get("n_m", (0, 1))
        flat = w.ravel()
        return good and all((flat[i : i + m] == 0).sum() >= n for i in range(0, w.size, m))

    return np.array([not holds(w, p) for w, p in zip(layers, promises)], bool)


def honest_by_rising_size(nbytes, searched, held_out, needed):
    for place in np.argsort(nbytes):
        if searched[place] >= needed:
            return place if held_out[place] >= needed else -1
    return -1


def samples_by_solving(share, needed):
    share, needed = Fraction(share), Fraction(needed)
    if share <= needed:
        return -1
    return max(1, math.ceil(4 * share * (1 - share) / (share - needed) ** 2))


def pair_by_rising_loss(first_bytes, first_loss, second_bytes, second_loss, budget):
    for limit in sorted({*first_loss.tolist(), *second_loss.tolist()}):
        fits = [
            (first_bytes[a] + second_bytes[b], a, b)
            for a, b in np.ndindex(len(first_bytes), len(second_bytes))
            if first_bytes[a] + second_bytes[b] <= budget and max(first_loss[a], second_loss[b]) <= limit
        ]
        if fits:
            return list(min(fits)[1:])
    return [-1, -1]


RIGHT = {
    "saved_by_sharing": [shared_by_hand],
    "mask_fault": [fault_by_writing],
    "smallest_setting": [setting_by_bytes],
    "spare_bits": [spare_by_loop],
    "lossless": [lossless_by_hand],
    "impossible_shares": [shares_by_nearest],
    "bytes_to_spare": [spare_by_combinations],
    "seen_and_heard": [heard_by_covariance],
    "broken_promises": [promises_by_loop],
    "conv_parameters": [
        lambda i, o, k, bias: sum(p.numel() for p in torch.nn.Conv2d(i, o, k, bias=bias).parameters())
    ],
    "model_size": [lambda p, bits: torch.tensor([p * bits / 8e6, p * bits / 2**23], dtype=torch.float64)],
    "weight_file_bytes": [
        lambda sizes: (
            64 + sum(64 + math.ceil(n / 64) * 64 for n in sizes[:-1]) + sum(64 + n for n in sizes[-1:])
        )
    ],
    "pruning_mask": [mask_in_a_loop, mask_with_torch],
    "sparse_bytes": [lambda w: w[w != 0].astype(np.float16).nbytes + np.packbits(w != 0).nbytes],
    "n_m_mask": [n_smallest_one_by_one],
    "symmetric_scale": [lambda w, b: torch.from_numpy(w).abs().max() / (2 ** (b - 1) - 1)],
    "quantize_affine": [codes_in_a_loop],
    "pack_int4": [pairs_in_a_loop],
    "fp4_block": [fp4_one_by_one],
    "uniform_table": [lambda w, b: [w.min() + i * (w.max() - w.min()) / (2**b - 1) for i in range(2**b)]],
    "lloyd_step": [lloyd_in_a_loop, lloyd_between_sorted],
    "pack_indices": [one_large_number],
    "best_border": [border_from_running_sums],
    "signal_to_noise": [lambda w, d: 20 * np.log10(np.linalg.norm(w) / np.linalg.norm(w - d))],
    "joint_bits": [lambda s, b: 1 + (1 - Fraction(s)) * b],
    "cheapest": [lambda b, q, e: next((int(i) for i in np.argsort(b, kind="stable") if q[i] >= e), -1)],
    "pareto_front": [front_in_a_loop],
    "layer_damage": [damage_put_back],
    "pick_bits": [bits_without_dominated],
    "arithmetic_intensity": [lambda m, n, batch, bits: 1 / (bits / 8 / (2 * batch) + 1 / m + 1 / n)],
    "break_even_batch": [lambda o, b, u: max(1, math.ceil(Fraction(o, b) - Fraction(u, 2)))],
    "choose_format": [format_in_a_loop],
    "enough_runs": [lambda c: next(n for n in count(1) if 1 - Fraction(2, 2**n) >= Fraction(c))],
    "median_bounds": [bounds_in_a_loop],
    "paired_speed_up": [
        lambda before, after, k: torch.tensor(
            [np.sort(before / after)[k], np.median(before / after), np.sort(before / after)[-1 - k]]
        )
    ],
    "bound_unit": [lambda u, s: np.bincount(u[u >= 0], s[u >= 0], minlength=3).argmax()],
    "smallest_good": [smallest_in_a_loop],
    "next_step": [next_by_ifs],
    "settled_pairs": [lambda t: sum(abs(np.sign(a - b).sum()) == len(t) for a, b in combinations(t.T, 2))],
    "bits_allowed": [lambda budget, package, weights: 16 - Fraction(8 * (package - budget), weights)],
    "honest_choice": [honest_by_rising_size],
    "samples_needed": [samples_by_solving],
    "share_budget": [pair_by_rising_loss],
    "in_flight": [in_flight_by_area],
    "pipeline_seconds": [pipeline_simulated],
    "largest_batch": [batch_in_a_loop],
    "ste_backward": [ste_by_autograd],
    "pruning_schedule": [lambda step, b, e, s: s - s * (1 - np.interp(step, [b, e], [0, 1])) ** 3],
    "dkm_step": [dkm_in_a_loop, dkm_with_torch],
    "gptq_column": [lambda row, c, s: row - (row[0] - np.rint(row[0] / s) * s) * c[0] / c[0, 0]],
    "gptq_row": [gptq_by_cholesky, gptq_by_updates],
    "damped_hessian": [
        lambda x, d: np.einsum("ni,nj->ij", x, x) + np.diag([d * np.sum(x * x) / x.shape[1]] * x.shape[1])
    ],
    "causal_attention": [attention_in_a_loop, attention_of_torch],
    "cache_outgrows": [tokens_counted],
    "ship_decoder": [shipped_in_order],
    "corrected_bias": [bias_as_least_error],
    "left_in_float16": [left_one_by_one],
    "smallest_harmless": [harmless_by_rising_size],
    "fold_batch_norm": [folded_with_torch],
    "image_scale_bias": [lambda mean, std: [1 / 255 / std] + [-m / std for m in mean]],
    "float16_damage": [damage_in_a_loop],
    "configured_bits": [
        lambda name, kind, by_name, by_type, rest: by_name.get(name, by_type.get(kind, rest)) or 16
    ],
    "threshold_bytes": [
        lambda w, t, m, n: (
            2 * w.size
            if w.size <= n or np.mean(np.abs(w) <= t) < m
            else 2 * sum(abs(x) > t for x in w.ravel()) + (w.size + 7) // 8
        )
    ],
    "grouped_bytes": [lambda o, i, b, g: 2 * o * i if o % g else (o * i * b + 7) // 8 + o // g * (2 << b)],
    "pruning_config": [
        lambda target, begin, end, every, skip: {
            "global_config": {
                "target_sparsity": target,
                "scheduler": {"update_steps": torch.arange(begin, end + 1, every)},
            },
            "module_name_configs": dict.fromkeys(skip),
        }
    ],
    "held_sparsity": [
        lambda step, steps, i, t: (
            0.0
            if step < steps[0]
            else t + (i - t) * (1 - (np.searchsorted(steps, step, "right") - 1) / (len(steps) - 1)) ** 3
            if len(steps) > 1
            else t
        )
    ],
    "range_to_codes": [
        lambda low, high: np.array(
            [(max(high, 0) - min(low, 0)) / 255, round(-255 * min(low, 0) / (max(high, 0) - min(low, 0)))]
        )
    ],
    "minimum_target": [
        lambda techniques, bits, granularity, activations: max(
            16 + (activations == 8),
            18 * (len(techniques) == 2 or granularity not in ("per_tensor", "per_channel")),
            18 * (("linear", 4) in [(t, bits) for t in techniques]),
            18 * (("palette", 3) in [(t, bits) for t in techniques]),
        )
    ],
    "all_codes": [all_codes_one_by_one],
    "guilty_part": [guilty_by_counting],
    "which_stack": [stacks_by_lists],
    "read_float16": [float16_by_struct],
    "from_table": [lambda i, t, n: [t[(int(i[k // 4]) >> (2 * (k % 4))) & 3] for k in range(n)]],
    "shift_scale": [codes_of_blocks],
    "write_record": [record_byte_by_byte],
    "longest_context": [context_in_a_loop],
    "best_block": [block_by_fractions],
    "image_fault": [image_by_distances],
    "weight_bin": [file_by_appending],
    "stopped_after": [stop_from_a_table],
    "file_fault": [faults_byte_by_byte],
    "when_to_unpack": [session_with_numpy],
    "read_claims": [claims_in_a_loop],
    "timing_fault": [timing_in_a_loop],
    "misplaced_layer": [misplaced_one_by_one],
    "keeps_up": [candidates_in_turn],
}
