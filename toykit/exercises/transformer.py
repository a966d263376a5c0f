"""The exercises of the chapter about transformers: attention, a cache that grows, and a decoder to ship."""

import math

import numpy as np

from .framework import Case, Exercise, Hint


def _shares(scores, axis=1):
    raised = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return raised / raised.sum(axis=axis, keepdims=True)


def _scores(queries, keys):
    return queries @ keys.T / math.sqrt(queries.shape[1])


def _later(count):
    return np.triu(np.ones((count, count), bool), 1)


def _causal_attention(queries, keys, values):
    scores = np.where(_later(len(keys)), -np.inf, _scores(queries, keys))
    return _shares(scores) @ values


def _attends(attend):
    """Whether the learner attends in a certain wrong way, in a case of several tokens."""

    def same(got, want, queries, keys, values):
        return len(keys) > 1 and np.allclose(got, attend(queries, keys, values), rtol=1e-6, atol=1e-9)

    return same


def _random_tokens(rng):
    count, width = rng.integers(2, 7, 2)
    return rng.normal(size=(count, width)), rng.normal(size=(count, width)), rng.normal(size=(count, 3))


causal_attention = Exercise(
    name="causal_attention",
    level="build",
    task="Return what each token takes from the values, one row a token: the softmax of its query times the keys, "
    "divided by the square root of their width, over the tokens up to and including itself. `queries` and `keys` "
    "are (t, width), `values` is (t, n).",
    reference=_causal_attention,
    cases=[
        Case(
            np.array([[1.0, 0.0], [0.0, 2.0]]),
            np.array([[1.0, 1.0], [2.0, 3.0]]),
            np.array([[10.0, 0.0], [0.0, 10.0]]),
            about="two tokens: the first can ask itself only",
        ),
        Case(np.array([[3.0]]), np.array([[2.0]]), np.array([[7.0, 8.0]]), about="a single token"),
        Case(
            np.array([[1.0, 2.0, 0.0, 0.0], [0.0, 1.0, 0.0, 3.0], [1.0, 1.0, 2.0, 0.0]]),
            np.ones((3, 4)),
            np.array([[1.0], [4.0], [7.0]]),
            about="equal keys: the mean of the values so far",
        ),
        Case(
            np.array([[500.0, 0.0], [900.0, 900.0]]),
            np.array([[4.0, 0.0], [0.0, 4.1]]),
            np.array([[1.0, 2.0], [3.0, 4.0]]),
            about="scores in the thousands, whose exp no float holds",
        ),
        Case(
            np.array([[-1.0, 1.0], [2.0, -2.0], [0.5, 0.5]]),
            np.array([[3.0, 0.0], [-3.0, 1.0], [0.0, -2.0]]),
            np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            about="values that are wider than keys: the rows are the shares themselves",
        ),
    ],
    random=_random_tokens,
    hints=[
        Hint(
            "A token cannot ask those that come after it: they are not written yet.",
            _attends(lambda q, k, v: _shares(_scores(q, k)) @ v),
        ),
        Hint(
            "Divide the products by the square root of the width of a key.",
            _attends(lambda q, k, v: _shares(np.where(_later(len(k)), -np.inf, q @ k.T)) @ v),
        ),
        Hint(
            "A score of 0 is not nothing: its exp is 1. What may not be asked gets minus infinity.",
            _attends(lambda q, k, v: _shares(np.where(_later(len(k)), 0, _scores(q, k))) @ v),
        ),
        Hint(
            "The shares of one *query* sum to 1: the softmax runs over the keys.",
            _attends(lambda q, k, v: _shares(np.where(_later(len(k)), -np.inf, _scores(q, k)), axis=0) @ v),
        ),
        Hint(
            "That is the other way round: these tokens ask those that come after them.",
            _attends(lambda q, k, v: _shares(np.where(_later(len(k)).T, -np.inf, _scores(q, k))) @ v),
        ),
        Hint(
            "exp of a score in the thousands is infinite. Take the largest score of the row away first: the shares "
            "stay the same.",
            lambda got, want, q, k, v: np.isnan(got).any() and np.abs(_scores(q, k)).max() > 700,
        ),
        Hint(
            "A token may ask itself: the first one has nobody else.",
            lambda got, want, q, k, v: np.isnan(got[0]).all(),
        ),
    ],
    hint="A table of scores, one row a query, one column a key; then the mask, the softmax of each row, and the "
    "product with the values.",
    tolerance=1e-9,
)


def _cache_outgrows(weights, bits, layers, heads, width, cache_bits):
    return weights * bits // (2 * layers * heads * width * cache_bits) + 1


def _grows(numbers):
    """Whether the learner took another number of bits a token than the task's."""

    def same(got, want, weights, bits, layers, heads, width, cache_bits):
        other = numbers(layers, heads, width, cache_bits)
        right = 2 * layers * heads * width * cache_bits
        return other != right and got in (weights * bits // other + 1, -(-weights * bits // other))

    return same


def _random_decoder(rng):
    return (
        int(rng.integers(1, 10**6)) * 1000,
        int(rng.choice([2, 3, 4, 8, 16])),
        *map(int, rng.integers(2, 40, 2)),
        int(rng.choice([16, 64, 128])),
        int(rng.choice([8, 16])),
    )


cache_outgrows = Exercise(
    name="cache_outgrows",
    level="build",
    task="Return the smallest number of tokens whose keys and values take more bits than the `weights` weights of "
    "`bits` bits: in each of the `layers` layers each of the `heads` heads keeps a key and a value of a token, each "
    "`width` numbers of `cache_bits` bits.",
    reference=_cache_outgrows,
    cases=[
        Case(1000, 16, 1, 1, 10, 16, about="a token takes 20 numbers: 50 are as large, the 51st is more"),
        Case(1010, 16, 1, 1, 10, 16, about="between two tokens"),
        Case(1000, 4, 3, 1, 10, 16, about="small weights, three layers"),
        Case(1000, 4, 1, 5, 10, 8, about="five heads, and a cache of 8 bits"),
        Case(10, 1, 4, 8, 64, 16, about="the first token is larger already"),
        Case(8_030_261_248, 4, 32, 8, 128, 16, about="Llama 3.1 8B in 4 bits"),
    ],
    random=_random_decoder,
    hints=[
        Hint(
            "A token leaves two rows in each head: a key and a value.",
            _grows(lambda layers, heads, width, bits: layers * heads * width * bits),
        ),
        Hint(
            "Each layer has keys and values of its own.",
            _grows(lambda layers, heads, width, bits: 2 * heads * width * bits),
        ),
        Hint(
            "Each head has keys and values of its own.",
            _grows(lambda layers, heads, width, bits: 2 * layers * width * bits),
        ),
        Hint(
            "The cache is not compressed with the weights: its numbers have `cache_bits` bits.",
            lambda got, want, weights, bits, layers, heads, width, cache_bits: (
                bits != cache_bits and got in (n := weights // (2 * layers * heads * width), n + 1)
            ),
        ),
        Hint(
            "With that many tokens the two are still equal at most: more is asked for.",
            lambda got, want, *decoder: got == want - 1,
        ),
        Hint("Tokens are whole: round, and not to the nearest.", lambda got, want, *decoder: got != int(got)),
    ],
    hint="How many bits does one token leave behind? How often does that go into the bits of the weights?",
)


def _best_of(nbytes, perplexity, cache, memory, bandwidth, needed, within=np.less_equal):
    whole = nbytes + cache
    good = np.flatnonzero(within(whole, memory) & within(whole * needed, bandwidth))
    return int(min(good, key=lambda one: (perplexity[one], nbytes[one]), default=-1))


def _ship_decoder(nbytes, perplexity, cache, memory, bandwidth, needed):
    return _best_of(nbytes, perplexity, cache, memory, bandwidth, needed)


def _random_candidates(rng):
    count = int(rng.integers(3, 8))
    nbytes = rng.permutation(np.arange(1, 20))[:count]
    perplexity = rng.permutation(np.arange(60, 100))[:count] / 4
    cache, needed = int(rng.integers(1, 9)), int(rng.integers(5, 40))
    return nbytes, perplexity, cache, int(rng.integers(8, 24)), int(rng.integers(8, 24)) * needed, needed


ship_decoder = Exercise(
    name="ship_decoder",
    level="decide",
    task="Return the number of the candidate to ship, counted from 0: the one with the lowest perplexity whose "
    "weights and `cache` together fit into `memory` bytes, and can be read `needed` times a second at `bandwidth` "
    "bytes a second, once for each token. Of equally good ones the smallest; -1 if there is none.",
    reference=_ship_decoder,
    cases=[
        Case(
            np.array([16, 8, 4, 5]),
            np.array([16.0, 16.1, 17.0, 31.5]),
            2,
            12,
            400,
            30,
            about="float16 does not fit, and all others are fast enough",
        ),
        Case(
            np.array([16, 8, 4, 5]),
            np.array([16.0, 16.1, 17.0, 31.5]),
            2,
            24,
            200,
            30,
            about="all fit, and only the two smallest are fast enough",
        ),
        Case(
            np.array([16, 8, 4, 5]),
            np.array([16.0, 16.1, 17.0, 31.5]),
            5,
            12,
            1000,
            30,
            about="with a long context the second does not fit",
        ),
        Case(
            np.array([16, 8, 4, 5]),
            np.array([16.0, 16.1, 17.0, 31.5]),
            8,
            24,
            400,
            30,
            about="with a long context the second is too slow",
        ),
        Case(np.array([4, 5, 3]), np.array([23.0, 17.0, 31.5]), 1, 6, 60, 10, about="exactly at both limits"),
        Case(np.array([6, 5, 7]), np.array([17.0, 17.0, 17.0]), 1, 100, 1000, 1, about="equally good"),
        Case(np.array([16, 8]), np.array([16.0, 16.1]), 9, 10, 1000, 1, about="nothing fits"),
    ],
    random=_random_candidates,
    hints=[
        Hint(
            "The cache is in memory, too.",
            lambda got, want, nbytes, perplexity, cache, memory, *rest: (
                got >= 0 and nbytes[int(got)] + cache > memory >= nbytes[int(got)]
            ),
        ),
        Hint(
            "For each token the cache is read as well as the weights.",
            lambda got, want, nbytes, perplexity, cache, memory, bandwidth, needed: (
                got >= 0 and nbytes[int(got)] * needed <= bandwidth < (nbytes[int(got)] + cache) * needed
            ),
        ),
        Hint(
            "That one is too slow: all of its bytes are read for each token.",
            lambda got, want, nbytes, perplexity, cache, memory, bandwidth, needed: (
                got >= 0 and nbytes[int(got)] * needed > bandwidth
            ),
        ),
        Hint(
            "Perplexity is better when it is lower.",
            lambda got, want, nbytes, perplexity, *rest: (
                len(set(perplexity)) > 1 and got == _best_of(nbytes, -perplexity, *rest)
            ),
        ),
        Hint(
            "Of equally good ones, ship the smallest.",
            lambda got, want, *args: got >= 0 and want >= 0 and args[1][int(got)] == args[1][want],
        ),
        Hint(
            "A candidate exactly at a limit is within it.",
            lambda got, want, *args: got == _best_of(*args, within=np.less),
        ),
        Hint(
            "It fits and is fast enough, but so does a better one: smaller than needed wins nothing.",
            lambda got, want, *args: got >= 0 and want >= 0 and args[0][int(got)] < args[0][want],
        ),
    ],
    hint="First mark those that fit, then those that are fast enough; of what is left, the lowest perplexity.",
)


def _tokens(nbytes, token, memory, bandwidth, needed):
    """How many tokens each candidate allows, below 0 where its weights alone are too many."""
    return (np.minimum(memory, bandwidth // needed) - nbytes) // token


def _longest_context(nbytes, perplexity, limit, token, memory, bandwidth, needed):
    good = perplexity <= limit
    return int(max(0, *_tokens(nbytes, token, memory, bandwidth, needed)[good])) if good.any() else 0


def _allows(longest):
    """Whether the learner allows what a certain mistake would, in a case in which nothing else is wrong."""

    def same(got, want, nbytes, perplexity, limit, token, memory, bandwidth, needed):
        good = perplexity <= limit
        return got == longest(nbytes, perplexity, good, token, memory, bandwidth, needed)

    return same


def _random_phone(rng):
    count, needed = int(rng.integers(2, 7)), int(rng.integers(2, 30))
    nbytes = rng.permutation(np.arange(20, 90))[:count]
    room = rng.integers(30, 120, 2)
    quality = rng.permutation(np.arange(60, 100))[:count] / 4
    limit = float(rng.integers(60, 104)) / 4
    return (
        nbytes,
        quality,
        limit,
        int(rng.integers(1, 6)),
        int(room[0]),
        int(room[1]) * needed + int(rng.integers(needed)),
        needed,
    )


longest_context = Exercise(
    name="longest_context",
    level="decide",
    task="Return the most tokens of context that a phone allows, with any of the candidates whose perplexity is at "
    "most `limit`. The weights, and `token` bytes for each token of context, have to fit into `memory` bytes, "
    "and to be read `needed` times a second at `bandwidth` bytes a second. 0 if no candidate allows a single "
    "token.",
    reference=_longest_context,
    cases=[
        Case(
            np.array([80, 40, 20]),
            np.array([16.0, 16.5, 31.0]),
            20.0,
            2,
            100,
            10_000,
            10,
            about="memory is the limit, and the smallest candidate writes too badly",
        ),
        Case(
            np.array([80, 40, 20]),
            np.array([16.0, 16.5, 31.0]),
            20.0,
            2,
            100,
            700,
            10,
            about="reading is the limit: 70 bytes for each token that is written",
        ),
        Case(
            np.array([40, 50]), np.array([16.5, 16.0]), 16.5, 3, 100, 10_000, 10, about="exactly at the limit"
        ),
        Case(
            np.array([40]), np.array([16.5]), 20.0, 3, 100, 1090, 10, about="a token that fits in part only"
        ),
        Case(np.array([80, 60]), np.array([16.0, 17.0]), 20.0, 2, 50, 10_000, 10, about="no weights fit"),
        Case(
            np.array([80, 60]), np.array([26.0, 27.0]), 20.0, 2, 500, 10_000, 10, about="all write too badly"
        ),
    ],
    random=_random_phone,
    hints=[
        Hint("A context has no fewer than 0 tokens.", lambda got, want, *args: want == 0 > got),
        Hint(
            "A candidate whose perplexity is above the limit is out, however small it is.",
            _allows(lambda n, p, good, *rest: max(0, *_tokens(n, *rest))),
        ),
        Hint(
            "A candidate exactly at the limit is within it.",
            lambda got, want, n, p, limit, *rest: (
                (p == limit).any() and got == (_longest_context(n, p, limit - 0.1, *rest))
            ),
        ),
        Hint(
            "The best one is not asked for: a smaller one that is good enough leaves more room.",
            _allows(lambda n, p, good, *rest: max(0, _tokens(n, *rest)[np.argmin(p)])),
        ),
        Hint(
            "It fits, but is not read fast enough: all weights and the whole context are read for "
            "each token that is written.",
            _allows(lambda n, p, good, token, memory, bandwidth, needed: (memory - n[good].min()) // token),
        ),
        Hint(
            "It is read fast enough, but does not fit into memory.",
            _allows(
                lambda n, p, good, token, memory, bandwidth, needed: (
                    (bandwidth // needed - n[good].min()) // token
                )
            ),
        ),
        Hint(
            "Tokens are whole, and one that fits in part does not fit.",
            lambda got, want, *args: 0 < got - want <= 1,
        ),
    ],
    hint="How many bytes may weights and context have together? Two limits say it; then take the weights away.",
)
