"""How to make an exploration again: its command, and digests of what went in and came out."""

import ast
import hashlib
import inspect
import shlex
from pathlib import PurePath

from .measuring import digest_of_inputs

_ANYWHERE = ("jobs", "scheduler", "memory", "progress")  # they change how long it takes, and nothing else


def arguments_of(function, values):
    """What a function was called with, as Python text, without what is as by default.

    Parameters
    ----------
    function : callable
    values : dict of str to object
        Of each parameter. What cannot be written down, such as an array or an absolute `Path`, is written as its name.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> def f(model, inputs=None, seed=0): ...
    >>> arguments_of(f, {"model": "a.mlpackage", "inputs": {"x": object()}, "seed": 0})
    {'model': "'a.mlpackage'", 'inputs': 'inputs'}
    """
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        value = values[name]
        if (
            isinstance(value, PurePath) and not value.is_absolute()
        ):  # who makes an absolute path has it in a variable
            value = str(value)
        plain = isinstance(value, str | int | float | list)
        if (
            name not in _ANYWHERE
            and value is not parameter.default
            and not (plain and value == parameter.default)
        ):
            found[name] = (plain and _written(repr(value))) or name
    return found


def command(arguments, **changes):
    """A line for a terminal; for Python, where an argument is an object.

    Parameters
    ----------
    arguments : dict of str to str
        As `arguments_of` gives them.
    **changes
        Other values; None drops an argument.

    Returns
    -------
    str

    Examples
    --------
    >>> command({"model": "'my model.mlpackage'", "at_least": "'40dB'", "out": "'smaller'"}, at_least=30)
    "toykit explore 'my model.mlpackage' --at-least 30 --out smaller"
    >>> command({"model": "model", "inputs": "inputs", "out": "'smaller'"})
    "tk.explore(model, inputs=inputs, out='smaller')"
    """
    texts = arguments | {name: None if value is None else repr(value) for name, value in changes.items()}
    texts = {name: text for name, text in texts.items() if text is not None}
    out, model = texts.pop("out"), texts.pop("model")
    texts["out"] = out
    values = [_written(text) for text in (model, *texts.values())]
    if None in values or "settings" in texts:
        return f"tk.explore({', '.join([model, *(f'{name}={text}' for name, text in texts.items())])})"
    words = ["toykit", "explore", str(ast.literal_eval(model))]
    for name, text in texts.items():
        words += [f"--{name.replace('_', '-')}", str(ast.literal_eval(text))]
    return shlex.join(words)


def _written(text):
    """A text, if it is that of a plain value; else None."""
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return text


def digests_of(package, small, recipe, samples):
    """SHA-256 of what went in and came out, by name.

    Parameters
    ----------
    package, small : Package
    recipe : Path
    samples : list of dict
        Inputs that single weights were tried with.
    """
    files = {recipe.name: recipe}
    for one in (package, small):
        inside = [*(file.path for file in one.weight_files.values()), one.model_file]
        files |= {f"{one.path.name}, {path.name}": path for path in inside}
    found = {}
    for name, path in files.items():
        with path.open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found | {"inputs, by their names, shapes and bytes": digest_of_inputs(samples)}
