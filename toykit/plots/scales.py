"""Where a number stands in a picture that is as wide as its page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """From numbers to shares of a width, with round ticks.

    Examples
    --------
    >>> Scale(0, 50).ticks(), Scale(0, 50).percent(25)
    ([0.0, 10.0, 20.0, 30.0, 40.0, 50.0], 50.0)
    """

    low: float
    high: float

    def percent(self, value):
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)

    def ticks(self, most=6):
        span = self.high - self.low
        ten = 10.0 ** next(n for n in range(-12, 19) if span / 10.0**n < 10)
        step = next(ten * part for part in (0.1, 0.2, 0.5, 1, 2) if span / (ten * part) <= most)
        first = -int(-self.low // step) if self.low > 0 else int(self.low / step)
        return [round(n * step, 12) for n in range(first, int(self.high / step + 1e-9) + 1)]


def scale_of(values, margin=0.05):
    """A scale with all values on it, and some room at either end."""
    low, high = min(values), max(values)
    room = (high - low) * margin or abs(high) * margin or 1.0
    return Scale(low - room, high + room)
