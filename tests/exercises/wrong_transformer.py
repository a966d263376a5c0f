"""Wrong answers that people give to the exercises of the chapter about transformers."""

import numpy as np


def _softmax(scores, axis=1):
    raised = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def _plain(scores):
    with np.errstate(all="ignore"):
        raised = np.exp(scores)
        return raised / raised.sum(axis=1, keepdims=True)


def _attend(scaled=True, blocked=lambda t: np.triu(np.ones((t, t)), 1), instead=-np.inf, softmax=_softmax):
    def answer(queries, keys, values):
        scores = queries @ keys.T / (queries.shape[1] ** 0.5 if scaled else 1)
        with np.errstate(all="ignore"):
            return softmax(np.where(blocked(len(keys)), instead, scores)) @ values

    return answer


def _ship(nbytes, perplexity, fits, key=None):
    return int(min(np.flatnonzero(fits), key=key or (lambda one: (perplexity[one], nbytes[one])), default=-1))


def _room(nbytes, perplexity, limit, token, *most):
    good = perplexity <= limit
    return max(0, *((min(most) - nbytes[good]) // token).tolist()) if good.any() else 0


WRONG = {
    "causal_attention": [
        (_attend(blocked=lambda t: np.zeros((t, t))), "come after it"),
        (_attend(scaled=False), "square root"),
        (_attend(instead=0), "its exp is 1"),
        (_attend(softmax=lambda scores: _softmax(scores, axis=0)), "over the keys"),
        (_attend(blocked=lambda t: np.tril(np.ones((t, t)), -1)), "other way round"),
        (_attend(softmax=_plain), "infinite"),
        (_attend(blocked=lambda t: np.triu(np.ones((t, t)))), "may ask itself"),
        (lambda queries, keys, values: values, "A table of scores"),
        (lambda queries, keys, values: queries @ keys.T, ""),
    ],
    "cache_outgrows": [
        (lambda w, b, layers, heads, width, c: w * b // (layers * heads * width * c) + 1, "two rows"),
        (lambda w, b, layers, heads, width, c: w * b // (2 * heads * width * c) + 1, "Each layer"),
        (lambda w, b, layers, heads, width, c: w * b // (2 * layers * width * c) + 1, "Each head"),
        (lambda w, b, layers, heads, width, c: w // (2 * layers * heads * width) + 1, "not compressed"),
        (lambda w, b, layers, heads, width, c: -(-w * b // (2 * layers * heads * width * c)), "still equal"),
        (
            lambda w, b, layers, heads, width, c: w * b / (2 * layers * heads * width * c) + 1,
            "Tokens are whole",
        ),
        (lambda w, b, layers, heads, width, c: 2048, "one token leave behind"),
        (lambda w, b, layers, heads, width, c: [1, 2], ""),
    ],
    "ship_decoder": [
        (
            lambda n, p, cache, memory, speed, needed: _ship(
                n, p, (n <= memory) & ((n + cache) * needed <= speed)
            ),
            "in memory, too",
        ),
        (
            lambda n, p, cache, memory, speed, needed: _ship(
                n, p, (n + cache <= memory) & (n * needed <= speed)
            ),
            "as well as the weights",
        ),
        (lambda n, p, cache, memory, speed, needed: _ship(n, p, n + cache <= memory), "too slow"),
        (
            lambda n, p, cache, memory, speed, needed: _ship(
                n, p, (n + cache <= memory) & ((n + cache) * needed <= speed), key=lambda one: -p[one]
            ),
            "when it is lower",
        ),
        (
            lambda n, p, cache, memory, speed, needed: _ship(
                n, p, (n + cache <= memory) & ((n + cache) * needed <= speed), key=lambda one: p[one]
            ),
            "ship the smallest",
        ),
        (
            lambda n, p, cache, memory, speed, needed: _ship(
                n, p, (n + cache <= memory) & ((n + cache) * needed <= speed), key=lambda one: n[one]
            ),
            "so does a better one",
        ),
        (
            lambda n, p, cache, memory, speed, needed: _ship(
                n, p, (n + cache < memory) & ((n + cache) * needed < speed)
            ),
            "exactly at a limit",
        ),
        (lambda n, p, *rest: -1, "First mark"),
        (lambda n, p, *rest: n.min(), ""),
    ],
    "longest_context": [
        (
            lambda n, p, limit, t, m, b, needed: _room(n, p, p.max(), t, m, b // needed),
            "above the limit is out",
        ),
        (
            lambda n, p, limit, t, m, b, needed: _room(n, p, limit - 1e-9, t, m, b // needed),
            "exactly at the limit",
        ),
        (
            lambda n, p, limit, t, m, b, needed: (
                _room(n, p, p.min(), t, m, b // needed) if p.min() <= limit else 0
            ),
            "is not asked for",
        ),
        (lambda n, p, limit, t, m, b, needed: _room(n, p, limit, t, m), "not read fast enough"),
        (lambda n, p, limit, t, m, b, needed: _room(n, p, limit, t, b // needed), "does not fit into memory"),
        (
            lambda n, p, limit, t, m, b, needed: _room(n[n * needed <= b], p[n * needed <= b], limit, t, m),
            "all weights and the whole context",
        ),
        (
            lambda n, p, limit, t, m, b, needed: (
                int(((min(m, b // needed) - n[p <= limit]) // t).max()) if (p <= limit).any() else 0
            ),
            "no fewer than 0",
        ),
        (lambda n, p, limit, t, m, b, needed: -(-_room(n, p, limit, 1, m, b // needed) // t), "fits in part"),
        (lambda n, p, limit, t, m, b, needed: _room(n, p, limit, t, m, b), "not read fast"),
        (lambda n, *rest: n.min(), "Two limits"),
        (lambda n, p, *rest: n, ""),
    ],
}
