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

from .._lazy import lazy

# Public name -> the module that defines it.
_HOME = {
    "GPTQ": "layerwise",
    "GPTQConfig": "layerwise",
    "PalettizationConfig": "palettization",
    "Palettizer": "palettization",
    "Pruner": "pruning",
    "PruningConfig": "pruning",
    "QuantizationConfig": "quantization",
    "Quantizer": "quantization",
    "SensitiveConfig": "fisher",
    "SensitivePalettizer": "fisher",
    "StraightThrough": "straight_through",
    "attention_bytes": "palettization",
    "calibrate": "calibration",
    "correct_biases": "calibration",
    "dkm_step": "palettization",
    "fake_quantize": "straight_through",
    "magnitude_mask": "pruning",
    "round_through": "straight_through",
    "scheduled_sparsity": "pruning",
    "store": "compression_metadata",
}

__all__, __getattr__, __dir__ = lazy(__name__, _HOME)
