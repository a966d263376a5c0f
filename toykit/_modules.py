"""Torch modules that a caller gives: what has to hold of them, and evaluation mode for a while."""

import contextlib


@contextlib.contextmanager
def evaluating(*models):
    """Evaluation mode inside the block; after it every module is in the mode that it was in."""
    modes = [(part, part.training) for model in models for part in model.modules()]
    try:
        for model in models:
            model.eval()
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def check_example(torch, model, example):
    """The example inputs of a module that is to be converted, as a tuple.

    Raises
    ------
    TypeError
        If `model` is no torch module, or `example` neither a tensor nor a tuple of tensors.
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}")
    examples = example if isinstance(example, tuple) else (example,)
    for tensor in examples:
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f"example must be a tensor or a tuple of tensors; got {type(tensor).__name__}")
    return examples
