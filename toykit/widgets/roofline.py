"""`roofline_explorer`: one layer on one chip, decompressed ahead of time or just in time.

The arithmetic is that of `toykit.latency.timing`, for a linear layer of one size; the widget does it
itself, because its sliders have too many positions for a table. A test holds the two equal.
"""

import traitlets

from ..compressed import check_int
from ..latency import Chip, Format, Layer, timing
from .base import Instrument, one_of, table

# Sliders that move by powers of two: layers, batches, bandwidths, speeds.
SIDES = tuple(2**k for k in range(6, 15))
BATCHES = tuple(2**k for k in range(11))
BITS = (1, 2, 4, 8, 16)
BANDWIDTHS = (5, 10, 20, 50, 100, 200, 400)  # GB/s
SPEEDS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)  # billion operations a second


class RooflineExplorer(Instrument, js="roofline"):
    """The widget; its options are traits, set by its controls or from Python."""

    scales = traitlets.Dict().tag(sync=True)
    side = traitlets.Int(4096).tag(sync=True)
    batch = traitlets.Int(1).tag(sync=True)
    bits = traitlets.Int(4).tag(sync=True)
    bandwidth = traitlets.Int(20).tag(sync=True)
    speed = traitlets.Int(100).tag(sync=True)

    @traitlets.validate("side", "batch", "bits", "bandwidth", "speed")
    def _check(self, proposal):
        return one_of(proposal, self.scales.get(proposal["trait"].name, [proposal["value"]]))

    def times(self):
        """Return modelled seconds: {"ahead_of_time": Timing, "just_in_time": Timing}."""
        return model(self.side, self.batch, self.bits, self.bandwidth, self.speed)

    def fallback(self):
        rows = []
        for batch in (1, 16, 256):
            for bits in BITS:
                found = model(self.side, batch, bits, self.bandwidth, self.speed)
                rows.append(
                    (
                        batch,
                        bits,
                        *(
                            f"{1e3 * found[when].total:.3g} ms, {found[when].bottleneck[0]}-bound"
                            for when in ("ahead_of_time", "just_in_time")
                        ),
                    )
                )
        return table(
            f"{self.label}: a layer of {self.side} x {self.side}, {self.bandwidth} GB/s, {self.speed} "
            "billion operations a second",
            ("Batch", "Bits", "Ahead of time", "Just in time"),
            rows,
        )


def model(side, batch, bits, bandwidth, speed):
    """The modelled times of a square linear layer, activations through memory included."""
    chip = Chip("of the sliders", speed * 1e9, bandwidth * 1e9, activations_in_memory=True)
    layer = Layer("linear", (side, side), side**2, side, side)
    return {
        when: timing([layer], chip, Format(bits=bits), when, batch)
        for when in ("ahead_of_time", "just_in_time")
    }


def roofline_explorer(side=4096, batch=1, bits=4, bandwidth=20, speed=100):
    """Move a layer under the roofline, and watch which road is shorter.

    Everything shown is modelled: bytes over bandwidth, operations over speed, the longer of the two.

    Parameters
    ----------
    side : int
        Of a square linear layer; a power of two from 64 to 16,384.
    batch : int
        A power of two from 1 to 1,024.
    bits : {1, 2, 4, 8, 16}
        Of a stored weight. Ahead of time, float16 is read whatever is stored.
    bandwidth : int
        GB a second; 5, 10, 20, 50, ... 400.
    speed : int
        Billion operations a second; 20, 50, 100, 200, ... 20,000.

    Returns
    -------
    RooflineExplorer

    Examples
    --------
    >>> times = roofline_explorer(bits=4, batch=1).times()
    >>> round(times["ahead_of_time"].total / times["just_in_time"].total, 2)
    3.99
    """
    scales = {
        "side": list(SIDES),
        "batch": list(BATCHES),
        "bits": list(BITS),
        "bandwidth": list(BANDWIDTHS),
        "speed": list(SPEEDS),
    }
    given = {"side": side, "batch": batch, "bits": bits, "bandwidth": bandwidth, "speed": speed}
    given = {name: check_int(name, value, tuple(scales[name])) for name, value in given.items()}
    return RooflineExplorer(label="The roofline, modelled", scales=scales, **given)
