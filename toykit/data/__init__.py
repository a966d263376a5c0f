"""Test data made on the spot, with answers that are known exactly.

Each kind of data is one module: `tk.data.tones` synthesises sounds, `tk.data.pitch` measures how
well their pitch was heard; both need NumPy alone. `tk.data.digits1d` generates MNIST-1D. Nothing is
ever downloaded.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
