"""Two chips that explain what Apple published of one phone, for a first guess about other networks."""

from .descriptions import Chip

_SOURCE = "least squares on the 11 latencies of ResNet-50 that Apple's guide states, opt-resnet, iOS 18 seed"
# As `toykit.latency.fit` finds them, of either kind: with what layers pass on inside the chip, and in memory.
IPHONE_15_PRO = (
    Chip(
        "iPhone 15 Pro, activations inside",
        operations=1.0309e13,
        bandwidth=5.0360e10,
        int8_speed=1.5768,
        table_cost=7.6482e-08,
        zero_skipping=0.3568,
        overhead=3.2706e-04,
        source=_SOURCE,
    ),
    Chip(
        "iPhone 15 Pro, activations in memory",
        operations=9.5829e12,
        bandwidth=6.1616e10,
        table_cost=7.5709e-08,
        zero_skipping=0.7753,
        overhead=3.7528e-05,
        activations_in_memory=True,
        source=_SOURCE,
    ),
)
