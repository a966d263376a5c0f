"""From a torch module to a Core AI program, quietly.

A thin layer on `torch.export`, coreai-opt's cast to float16 and coreai-torch's converter. It does two things more:
every weight gets the name that it has in the module, and every operator that of its layer; and no path of the
author's computer gets into the program, which the converter by itself writes there for debuggers.

Not here: programs with several functions. coreai-torch's `TorchConverter` makes them.
"""

import contextlib
from unittest.mock import patch

from .._modules import check_example, evaluating
from .._optional import require
from .._quiet import working
from ..compressed import check_choice
from .asset import apples
from .names import write_names

PRECISIONS = ("float16", "float32")


def convert(model, example, precision="float16"):
    """Convert a torch module to a Core AI program.

    Parameters
    ----------
    model : torch.nn.Module
        In float32, or float16 for "float16". Exported in evaluation mode; left as it was. Its outputs are tensors.
    example : torch.Tensor or tuple of torch.Tensor
        Inputs to export with. Their shapes become the shapes of the program's inputs.
    precision : {"float16", "float32"}
        Of weights and activations. With "float16", floating-point inputs and outputs are float16, too.

    Returns
    -------
    coreai.authoring.AIProgram
        `toykit.coreai.save` writes it, `toykit.coreai.load` runs it.

    Raises
    ------
    ImportError
        Where torch or Apple's packages are missing.
    TypeError, ValueError
        If an argument has the wrong type, a name is unknown, the module has another precision, or `torch.export` or
        coreai-torch cannot convert the module: the error says at which operator.

    Examples
    --------
    >>> program = convert(net, torch.zeros(1, 3, 224, 224))                 # doctest: +SKIP
    """
    torch = require("torch", "toykit.coreai.convert needs torch to export the model")
    examples = check_example(torch, model, example)
    check_choice("precision", precision, PRECISIONS)
    # Others are left as they are by the cast, and of bfloat16 coreai-opt cannot compress.
    taken = {torch.float32, torch.float16} if precision == "float16" else {torch.float32}
    for tensor in (*model.parameters(), *examples):
        if tensor.dtype in {torch.float64, torch.bfloat16, torch.float16} - taken:
            raise ValueError(
                f"model and example must be in {' or '.join(sorted(map(str, taken)))} for precision {precision!r}, as "
                f".float() gives them; got {tensor.dtype}"
            )
    with working():
        coreai_torch = apples("coreai_torch")
        casting = apples("coreai_opt.casting")
        try:
            with evaluating(model), torch.no_grad():
                exported = torch.export.export(model, examples)
            if not all(isinstance(name, str) for name in exported.graph_signature.user_outputs):
                raise ValueError("one of its outputs is no tensor, such as None")
            if precision == "float16":
                exported = casting.cast_fp32_to_fp16(exported)  # in its own places: the module keeps float32
            exported = exported.run_decompositions(coreai_torch.get_decomp_table())
            with _nothing_displayed():
                program = coreai_torch.TorchConverter().add_exported_program(exported).to_coreai()
        except (RuntimeError, ValueError, NotImplementedError, KeyError) as error:
            raise ValueError(f"model cannot be converted: {error}") from error
        write_names(program, exported)
    return program


@contextlib.contextmanager
def _nothing_displayed():
    """Keep rich from showing the converter's progress in Jupyter as an output of its own, which is on no stream."""
    with patch.object(apples("rich.console"), "_is_jupyter", lambda: False):
        yield
