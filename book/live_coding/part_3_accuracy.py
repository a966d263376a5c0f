"""The nearest code is not the best one, and a staircase learns.

About fifteen minutes; NumPy is enough, also in a cell of a page.
"""

# %% Two weights, and inputs that are nearly alike. Round each weight to a whole number. Ask: what is the best choice?
import numpy as np

inputs = np.array([[1, -2, 3, -1], [1.2, -1.8, 3, -1.4]])
weights = np.array([0.4, 0.4])
assert weights.round().tolist() == [0.0, 0.0]


# %% What counts is what comes out. A function for it, and the nearest codes first.
def lost(codes):
    return float(np.mean(((codes - weights) @ inputs) ** 2).round(2))


assert lost([0, 0]) == 2.44

# %% Ask for a better pair before you type one. One of the two goes up, and makes up for the other.
assert lost([1, 0]) == 0.15

# %% All of them in a table: rows for the first weight, 0 and 1, columns for the second.
assert [[lost([a, b]) for b in (0, 1)] for a in (0, 1)] == [[2.44, 0.18], [0.15, 5.49]]

# %% Now learning. A weight of 0.2 is used rounded, and should become 1. Ask: what is the slope of rounding?
weight, seen = 0.2, []
for _ in range(4):
    slope = 2 * (round(weight) - 1)  # of the squared error, as if rounding were a straight line
    weight -= 0.1 * slope
    seen.append((round(weight, 1), round(weight)))
assert seen == [(0.4, 0), (0.6, 1), (0.6, 1), (0.6, 1)]

# %% With the true slope, 0, nothing would ever have moved. Ask why it stops at 0.6 and not at 1, and look at the slope.
assert 2 * (round(weight) - 1) == 0
