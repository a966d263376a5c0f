"""Prune, quantize and palettize one row, and count what is stored.

About fifteen minutes; NumPy and toykit are enough, also in a cell of a page.
"""

# %% Eight weights. Ask: half of them are to go. Which, and what is stored?
import numpy as np

import toykit as tk

weights = np.array([[0.1, -0.9, 0.3, 2.0, -0.2, 0.6, -1.4, 0.0]], np.float16)
pruned = tk.prune(weights, sparsity=0.5)
assert pruned.dense().astype(float).round(1).tolist() == [[0.0, -0.9, 0.0, 2.0, 0.0, 0.6, -1.4, 0.0]]

# %% Sixteen bytes before. Ask: eight now? Four values take 8, and something has to say where they go.
assert pruned.nbytes == 9
assert bin(pruned.parts["mask"][0]) == "0b1101010"

# %% Keep all of them, with a code of 4 bits each. The largest gets the code 7. Ask: what is the scale?
quantized = tk.quantize(weights, bits=4)
assert round(float(quantized.parts["scale"].item()), 3) == 0.286
assert quantized.dense().astype(float).round(2).tolist() == [[0.0, -0.86, 0.29, 2.0, -0.29, 0.57, -1.43, 0.0]]

# %% Make the largest four times as large. Ask: who suffers?
spoiled = weights.copy()
spoiled[0, 3] = 8
assert tk.quantize(spoiled, bits=4).dense().astype(float).round(2).tolist() == [
    [0.0, -1.14, 0.0, 8.0, 0.0, 1.14, -1.14, 0.0]
]

# %% A table of four values instead of a ruler. Ask first: which four would you take?
palette = tk.palettize(weights, bits=2)
assert palette.parts["lut"].ravel().astype(float).round(2).tolist() == [-1.15, -0.03, 0.45, 2.0]

# %% Its bytes: eight indices of two bits, and the table, which is here the larger part.
assert {name: part.nbytes for name, part in palette.parts.items()} == {"indices": 2, "lut": 8}

# %% Which technique is the smallest? Ask what would change with a million weights.
assert (pruned.nbytes, quantized.nbytes, palette.nbytes) == (9, 6, 10)
