"""Compression that uses data: while the network trains, or with a few samples after it.

Every method has the same three steps, `prepare(model, config)`, `step()` and `finalize()`, described
in `toykit.training.common`; one readable file each:

    straight_through      the trick that all training-time methods need
    pruning               gradual magnitude pruning
    quantization          fake quantization, learned step sizes; `observers` for activations
    palettization         differentiable k-means
    calibration           run a few samples, no training; correct biases
    layerwise, gptq       GPTQ and SparseGPT: as methods, and their mathematics
    fisher                k-means weighted with sensitivities
    compression_metadata  from compressed weights to what coremltools converts
"""

from .. import _lazy

__all__, __getattr__, __dir__ = _lazy.attach(__name__)
