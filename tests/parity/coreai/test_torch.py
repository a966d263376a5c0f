"""coreai-opt's compressors of torch modules, before there is a program: Quantizer, MagnitudePruner, KMeansPalettizer.

They are other code than its passes over programs (`test_arrays`), and the oracle for what those do wrong: scales in
powers of two, and FP4. Each is exported, converted, and read back by `tk.coreai.weights`; Apple's runtime answers as
the module did in torch.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import toykit as tk
from tests.coreai import needs_coreai
from tests.strategies import trained
from toykit._quiet import quiet

from . import cases, stored

pytestmark = needs_coreai
WEIGHT = trained((64, 96), 3, "float32")
LARGE = trained((128, 96), 3, "float32")  # of enough weights for an exact search


def through(weight, compressor, config):
    """A linear layer after a compressor: what torch says its weights are, and its program."""
    import coreai_torch

    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = torch.from_numpy(weight.copy())
    example = (torch.eye(weight.shape[1]),)
    with quiet(), torch.no_grad():
        made = compressor(torch.nn.Sequential(layer).eval(), config)
        prepared = made.prepare(example)
        dense = prepared(*example).numpy().T
        exported = torch.export.export(made.finalize(prepared), example)
        exported = exported.run_decompositions(coreai_torch.get_decomp_table())
        program = coreai_torch.TorchConverter().add_exported_program(exported).to_coreai()
    return dense, program


def quantized(weight, granularity, activations=None, **options):
    with quiet():
        from coreai_opt.quantization import (
            ExecutionMode,
            ModuleQuantizerConfig,
            QuantizationSpec,
            Quantizer,
            QuantizerConfig,
            spec,
        )

    which, where = granularity
    options = {name: getattr(torch, value) if name != "qscheme" else value for name, value in options.items()}
    layer = ModuleQuantizerConfig(
        op_input_spec=activations and {"*": QuantizationSpec(dtype=getattr(torch, activations))},
        op_output_spec=None,
        op_state_spec={"weight": QuantizationSpec(granularity=getattr(spec, which)(**where), **options)},
    )
    config = QuantizerConfig(global_config=layer, execution_mode=ExecutionMode.EAGER)
    return through(weight, Quantizer, config)


TENSOR, CHANNEL = ("PerTensorGranularity", {}), ("PerChannelGranularity", {"axis": 0})
BLOCK = ("PerBlockGranularity", {"axis": 1, "block_size": 32})
POWERS = {"scale_dtype": "float8_e8m0fnu"}


@pytest.mark.parametrize(
    ("granularity", "options", "ours"),
    [
        (CHANNEL, {"dtype": "int8", "qscheme": "symmetric_with_clipping"}, {"bits": 8}),
        (TENSOR, {"dtype": "int8", "qscheme": "asymmetric"}, {"mode": "affine", "granularity": "per_tensor"}),
        (TENSOR, {"dtype": "uint8", "qscheme": "asymmetric"}, {"mode": "affine", "signed": False}),
        (
            BLOCK,
            {"dtype": "int4", "qscheme": "symmetric_with_clipping"},
            {"bits": 4, "granularity": "per_block"},
        ),
        (CHANNEL, {"dtype": "float8_e4m3fn"}, {"format": "fp8_e4m3"}),
        (CHANNEL, {"dtype": "float8_e5m2"}, {"format": "fp8_e5m2"}),
        (BLOCK, {"dtype": "float8_e4m3fn"} | POWERS, {"format": "fp8_e4m3", "granularity": "per_block"}),
        (BLOCK, {"dtype": "float8_e5m2"} | POWERS, {"format": "fp8_e5m2", "granularity": "per_block"}),
        (BLOCK, {"dtype": "float4_e2m1fn_x2"} | POWERS, {"format": "fp4_e2m1", "granularity": "per_block"}),
    ],
    ids=str,
)
def test_the_quantizer_stores_what_toykit_stores(granularity, options, ours):
    if granularity == TENSOR:
        ours = ours | {"granularity": "per_tensor"}
    dense, program = quantized(WEIGHT, granularity, **options)
    mine = tk.quantize(WEIGHT, **ours)
    (form,) = tk.coreai.weights(program).values()
    assert cases.differences(stored.parts(mine), stored.parts(form)) == []
    np.testing.assert_array_equal(mine.dense(), dense)
    np.testing.assert_array_equal(stored.run(program, [WEIGHT])[0], dense)


def test_symmetric_means_another_range():
    """Of the two symmetric schemes, the default uses -128 as well: a step is the largest weight by 127.5."""
    _, program = quantized(WEIGHT, CHANNEL, dtype="int8")
    (form,) = tk.coreai.weights(program).values()
    largest = np.abs(WEIGHT).max(axis=1, keepdims=True)
    np.testing.assert_array_equal(form.scale, largest / np.float32(127.5))
    np.testing.assert_array_equal(form.integers, np.clip(np.rint(WEIGHT / form.scale), -128, 127))


def test_with_activations_of_8_bits_the_runtime_answers_as_torch():
    dense, program = quantized(WEIGHT, TENSOR, "int8", dtype="int8", qscheme="asymmetric")
    np.testing.assert_array_equal(stored.run(program, [WEIGHT])[0], dense)
    assert (
        0 < np.abs(dense - tk.quantize(WEIGHT, mode="affine", granularity="per_tensor").dense()).max() < 0.02
    )


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_the_pruner_zeroes_what_toykit_zeroes(share):
    """It counts where toykit compares with a percentile: without ties the two are the same."""
    with quiet():
        from coreai_opt.pruning import (
            MagnitudePruner,
            MagnitudePrunerConfig,
            ModuleMagnitudePrunerConfig,
            PruningSpec,
        )
    layer = ModuleMagnitudePrunerConfig(op_state_spec={"weight": PruningSpec(target_sparsity=share)})
    dense, program = through(WEIGHT, MagnitudePruner, MagnitudePrunerConfig(global_config=layer))
    mine = tk.prune(WEIGHT, sparsity=share)
    (form,) = tk.coreai.weights(program).values()
    assert cases.differences(stored.parts(mine), stored.parts(form)) == []
    np.testing.assert_array_equal(mine.dense(), dense)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("bits", [2, 4])
def test_the_palettizer_finds_toykits_table(bits, fast):
    """To the bit without its fast mode, which rounds weights to four decimals: with it toykit's error is no larger."""
    with quiet():
        from coreai_opt.palettization import (
            KMeansPalettizer,
            KMeansPalettizerConfig,
            ModuleKMeansPalettizerConfig,
            PalettizationSpec,
        )
    table = PalettizationSpec(n_bits=bits)
    layer = ModuleKMeansPalettizerConfig(op_state_spec={"weight": table}, enable_fast_kmeans_mode=fast)
    dense, program = through(LARGE, KMeansPalettizer, KMeansPalettizerConfig(global_config=layer))
    mine = tk.palettize(LARGE, bits=bits)
    np.testing.assert_array_equal(stored.run(program, [LARGE])[0], dense)
    if fast:
        assert cases.error(mine.dense(), LARGE) <= cases.error(dense, LARGE)
    else:
        (form,) = tk.coreai.weights(program).values()
        np.testing.assert_array_equal(mine.dense(), dense)
        np.testing.assert_array_equal(form.dense(), dense)
