"""How long a model takes: measured on this computer, and modelled from operations and bytes.

Measured: `measure` times functions against each other, `bandwidth` finds how fast memory is read,
`overlap` answers several requests at a time. `median_interval` and `speed_up` say how sure a median
and a ratio are.

Modelled: a layer needs its operations done and its bytes moved. A `Chip` does so many operations and
moves so many bytes a second; if both go on at the same time, the layer takes as long as the slower
of the two, its bottleneck. That is the roofline. `timing` adds it up over the layers of a network,
for weights decompressed ahead of time, just in time, or multiplied in 8 bits; `fit` finds the chip
that explains Apple's published latencies best, and `fit_null` asks whether less would have done.
A modelled time is not a measured one, and everything here that prints one says so.

Not here: kernels to measure (`toykit.kernels`), and what a device really does (profile it in Xcode).
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
