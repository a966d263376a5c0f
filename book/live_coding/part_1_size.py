"""Where the bytes of a layer are.

About ten minutes; NumPy and toykit are enough, also in a cell of a page.
"""

# %% A convolution from 16 channels to 32, with grids of 3 x 3. Ask: how many weights? Let them write it down.
import numpy as np

import toykit as tk
from toykit.coreml.format import weightbin

weights = np.random.default_rng(0).normal(size=(32, 16, 3, 3)).astype(np.float16)
assert weights.size == 4608

# %% How many bytes is that? In float32 it would be twice as much.
assert weights.nbytes == 9216

# %% Twice as many channels on both sides. Ask before you type: twice as many weights?
wider = np.zeros((64, 32, 3, 3), np.float16)
assert wider.size // weights.size == 4

# %% A network is a table of such arrays. This one has a bias, too.
layers = {"conv.weight": weights, "conv.bias": np.zeros(32, np.float16)}
assert tk.size.ledger(layers).parameters == 4640

# %% Now the file: a header, then a record and the data of each array, each from a multiple of 64 on. Who predicts it?
assert weightbin.size([9216, 64]) == 9472
