"""A package made, compressed, opened and run, on any computer that converts.

About fifteen minutes; needs torch and Core ML Tools, and no Mac. Where they are missing, show chapter 12 instead.
"""

# %% A small network becomes a package. Of its 4,420 numbers the weight file has 4,416. Ask: where are the others?
import tempfile
from pathlib import Path

import numpy as np
import torch

import toykit as tk

torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4)).eval()
folder = Path(tempfile.mkdtemp())
model, small = folder / "Model.mlpackage", folder / "Small.mlpackage"
tk.coreml.save(tk.coreml.convert(network, torch.zeros(1, 64), target="iOS18"), model)
assert tk.size.ledger(model).parameters == 4416

# %% Open the folder. Ask: what takes more than two bytes a number?
weights = "Data/com.apple.CoreML/weights/weight.bin"
assert (model / weights).stat().st_size == 9088

# %% A palette of 4 bits. Small layers are left alone. Ask: which are small?
tk.coreml.save(tk.coreml.compress(model, "palettize", bits=4), small)
stored = tk.coreml.weights(small)
assert [type(one).__name__ for one in stored.values()] == ["Palettized", "ndarray", "ndarray"]
assert (small / weights).stat().st_size == 3072

# %% Run the first, without Core ML. Ask: does it answer as torch does?
inputs = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
loaded = tk.coreml.load(model)
(name,) = loaded.inputs
answer = next(iter(loaded.predict({name: inputs}).values()))
wanted = network(torch.from_numpy(inputs)).detach().numpy()
assert float(np.abs(answer - wanted).max().round(2)) == 0.0

# %% And the small one? Let them guess the decibels before you type.
other = next(iter(tk.coreml.run(small, {name: inputs}).values()))
noise = np.square(other - answer).sum() / np.square(answer).sum()
assert round(float(-10 * np.log10(noise))) == 28
