"""Who is waiting for whom: a layer on a chip of round numbers, and what a measured time is worth.

About fifteen minutes; NumPy and toykit are enough, also in a cell of a page. All times of the first half are modelled.
"""

# %% A chip that reads 10 GB a second and does 1,000 billion operations in it. A layer of 1000 x 2048. Ask: how long?
from statistics import mean, median

from toykit.latency import Chip, Format, Layer, coverage, median_interval, timing

chip = Chip("a chip of round numbers", operations=1e12, bandwidth=10e9)
layer = Layer("fc", (1000, 2048), 2_048_000, 2048, 1000)
half, four = Format(), Format(bits=4)


def milliseconds(*args, **options):
    return round(1e3 * timing([layer], chip, *args, **options).total, 2)


assert milliseconds(half) == 0.41

# %% A quarter of the bits. Ask: a quarter of the time?
assert milliseconds(four) == 0.1

# %% And if all weights are written out before the first product? Ask what is read then.
assert milliseconds(four, "ahead_of_time") == 0.41

# %% Now 200 inputs share one reading. Ask: how much do 4 bits gain?
assert (milliseconds(half, batch=200), milliseconds(four, batch=200)) == (0.82, 0.82)

# %% Times of a real run, in ms. Ask: which single number would you report?
times = [89.0, 40.2, 40.4, 40.4, 57.0, 41.3, 40.9]
assert (round(mean(times), 1), round(median(times[1:]), 2)) == (49.9, 40.65)

# %% How sure is that? Six runs are six coins: all alike in 2 of 64 cases.
assert coverage(6, 0) == 0.96875
assert str(median_interval(times[1:])) == "40.65 (40.2 to 57, 96.9 %)"
