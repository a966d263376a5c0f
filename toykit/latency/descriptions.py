"""What a roofline needs to know: a layer, the format of its weights, and a chip."""

from dataclasses import dataclass

import numpy as np

from ..compressed import check_flag, check_fraction, check_int, check_number, check_shape, check_type


@dataclass(frozen=True)
class Layer:
    """What one layer of a network does for one input.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Of the weights, output channels first.
    macs : int
        Multiplications, each with an addition: a weight is used once for each place of the output
        that it contributes to.
    inputs, outputs : int
        Numbers read and written besides the weights.
    """

    name: str
    shape: tuple
    macs: int
    inputs: int
    outputs: int

    def __post_init__(self):
        check_type("name", self.name, str, "a text")
        check_shape("shape", self.shape)
        for name in ("macs", "inputs", "outputs"):
            check_int(name, getattr(self, name), range(2**63))

    @property
    def weights(self):
        return int(np.prod(self.shape))

    @property
    def channels(self):
        return self.shape[0]


@dataclass(frozen=True)
class Format:
    """How weights are stored.

    Attributes
    ----------
    bits : float
        Bits of a weight, or of a weight that is left after pruning.
    sparsity : float
        Share of the weights that is zero and not stored. A bit a weight says which.
    table : bool
        Whether a weight is a number of an entry in a look-up table.
    group_size : int, optional
        Output channels that share a table; all if left out. A layer whose channels it does not
        divide stays in float16, as in Core ML.

    Examples
    --------
    >>> layer = Layer("fc", (1000, 2048), 2_048_000, 2048, 1000)
    >>> Format().nbytes(layer), Format(bits=4, table=True).nbytes(layer), Format(sparsity=0.5).nbytes(layer)
    (4096000.0, 1024032.0, 2304000.0)
    """

    bits: float = 16
    sparsity: float = 0.0
    table: bool = False
    group_size: int | None = None

    def __post_init__(self):
        check_number("bits", self.bits, above=0, most=32)
        check_fraction("sparsity", self.sparsity)
        check_flag("table", self.table)
        if self.group_size is not None:
            check_int("group_size", self.group_size, range(1, 2**31))

    def tables(self, layer):
        """How many look-up tables the layer has."""
        if not self.table:
            return 0
        if self.group_size is None:
            return 1
        return 0 if layer.channels % self.group_size else layer.channels // self.group_size

    def nbytes(self, layer):
        """Bytes of the layer's weights as they are stored."""
        if self.table and not self.tables(layer):
            return 2.0 * layer.weights
        bits = layer.weights * (1 - self.sparsity) * self.bits
        if self.sparsity:
            bits += layer.weights
        return bits / 8 + self.tables(layer) * 2 * 2**self.bits


@dataclass(frozen=True)
class Chip:
    """A processor as the roofline sees it.

    Attributes
    ----------
    name : str
    operations : float
        A second, on the numbers it computes with by default. A multiplication and an addition are
        two.
    bandwidth : float
        Bytes a second from memory.
    int8_speed : float
        How many times faster it multiplies 8-bit weights with 8-bit inputs.
    table_cost : float
        Seconds for each look-up table that is set up.
    zero_skipping : float
        Share of the multiplications by a pruned weight that it saves, from 0 to 1.
    overhead : float
        Seconds for each run, whatever it does.
    activations_in_memory : bool
        Whether what layers pass on goes through memory. False for a chip that keeps it inside.
    source : str
        Where the numbers come from.
    """

    name: str
    operations: float
    bandwidth: float
    int8_speed: float = 1.0
    table_cost: float = 0.0
    zero_skipping: float = 0.0
    overhead: float = 0.0
    activations_in_memory: bool = False
    source: str = ""

    def __post_init__(self):
        for name in ("name", "source"):
            check_type(name, getattr(self, name), str, "a text")
        for name in ("operations", "bandwidth", "int8_speed"):
            check_number(name, getattr(self, name), above=0)
        for name in ("table_cost", "overhead"):
            check_number(name, getattr(self, name), least=0)
        check_fraction(
            "zero_skipping", self.zero_skipping, "the share of multiplications by zero that it saves"
        )
        check_flag("activations_in_memory", self.activations_in_memory)

    @property
    def ridge(self):
        """Operations a byte at which computing takes as long as reading."""
        return self.operations / self.bandwidth
