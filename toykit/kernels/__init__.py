"""Compressed weights at work on this computer's CPU: decompressed ahead of time, or just in time.

A compressed matrix can be turned back into numbers at two moments. *Ahead of time*: once, when the
model is loaded; every product after that reads the dense weights, so the saving is on disk alone.
*Just in time*: in every product, a weight at a time, in a register; memory holds, and each product
reads, the compressed weights only. That is quicker if reading was what took the time.

    just_in_time = tk.kernels.JustInTime(tk.quantize(w, bits=4))
    ahead_of_time = tk.kernels.AheadOfTime(tk.quantize(w, bits=4))
    just_in_time(x), ahead_of_time(x)           # the same product, up to rounding
    just_in_time.nbytes, ahead_of_time.nbytes   # bytes in memory while running: 1 to 8

`products` is what is called, `formats` lays the stored arrays out in rows, `loops` has the loops, and
`instructions` the two instructions that they need and Numba lacks.
An array of float16 or float32 is multiplied by the same loops, so that a ratio tells what compressing
changed and nothing else. Everything runs on one thread. Not here: timing (`toykit.latency`), other shapes of
convolution than the product that they come down to, and 3-, 6- and 8-bit tables.
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
