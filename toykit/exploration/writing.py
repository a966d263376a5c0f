"""The folder: a plan in TOML with the reason for each line, and the package that is written by it."""

import contextlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path

from .._text import printable
from ..compressed import check_path
from ..coreml.tools.compression import outcome
from ..coreml.writing import forms
from ..coreml.writing.candidates import constants_in
from ..coreml.writing.plans import Weights, choose
from ..coreml.writing.saving import save
from ..settings import read_setting
from ..size.packages import weigh
from .store import NAME

RECIPE, PACKAGE, SOURCE = "recipe.toml", "compressed.mlpackage", "uncompressed.mlpackage"
REPORT = "report.html"
_OURS = {NAME, RECIPE, PACKAGE, SOURCE, REPORT}


def check_folder(out, source=None):
    """The folder of an exploration: a new one, an empty one, or one that an exploration has begun.

    Raises
    ------
    TypeError, ValueError
        If it is something else, lies in a package, or cannot be written to.
    """
    folder = Path(check_path("out", out))
    real = folder.resolve()
    around = [one for one in (real, *real.parents) if one.suffix == ".mlpackage"]
    if around:
        raise ValueError(f"out must not lie in the package {around[0].name}; got {str(out)!r}")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"out must be a folder, which may be new; {out} is a file")
    if folder.is_dir():
        others = sorted(one.name for one in folder.iterdir() if one.name not in _OURS and one.name[0] != ".")
        if others or (any(folder.glob("*.mlpackage")) and not (folder / NAME).exists()):
            held = others[0] if others else PACKAGE
            raise ValueError(f"out must be new, or a folder of an earlier run; {out} holds {printable(held)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out cannot be made: {error.strerror}: {str(out)!r}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"out cannot be written to: {str(out)!r}")
    return folder


class Writer:
    """Packages of one source with a setting for each weight: their bytes, and themselves.

    Parameters
    ----------
    package : Package
    target : str or None
    version : int
        Of the specification that goes with the target.
    """

    def __init__(self, package, target, version):
        self.package, self.target, self.version = package, target, version
        self._constants, self._known = cache(constants_in), {}

    def nbytes(self, recipe):
        """Bytes of the package, predicted exactly."""
        key = json.dumps(recipe, sort_keys=True)
        if key not in self._known:
            steps = {name: read_setting(setting, model=True) for name, setting in recipe.items()}
            newer = any(forms.needs(self.package, chosen) for chosen in steps.values())
            version = self.version if newer else forms.IOS16
            files, _ = weigh(self.package, lambda name: steps.get(name, ()), self._constants, version)
            self._known[key] = sum(files.values()) if recipe else self.package.nbytes
        return self._known[key]

    def write(self, folder, text, recipe, progress=None):
        """Write the plan and its package, and hold the one against the other.

        Stopped at any moment, there are the plan and the package of an earlier run, or these. A report of an earlier
        run goes once they are there: it tells of another package.

        Returns
        -------
        Path
            Of the package.

        Raises
        ------
        OSError
            If the disk is full.
        """
        with tempfile.TemporaryDirectory(prefix=".toykit-", dir=folder) as hidden:
            plan = Path(hidden, RECIPE)
            with written(folder / RECIPE):
                plan.write_text(text, "utf-8")
            weights = Weights(self.package)
            chosen = choose(weights, plan)
            wanted = {name: read_setting(setting, model=True) for name, setting in recipe.items()}
            assert chosen == {name: wanted[name] for name in weights.operators if name in wanted}
            with written(folder / PACKAGE):
                found = outcome(self.package, plan, target=self.target, progress=progress)
                path = save(found.package, folder / PACKAGE)
            plan.replace(folder / RECIPE)
            (folder / REPORT).unlink(missing_ok=True)
        return path


@contextlib.contextmanager
def written(path):
    """A block that writes a file, and says where it cannot what becomes of the measurements.

    Raises
    ------
    OSError
    """
    try:
        yield
    except OSError as error:
        said = str(error) if error.errno is None else f"{path} was not written: {error.strerror}"
        raise OSError(
            f"{said}. What was measured is kept, and the same command goes on from there"
        ) from error


def recipe_text(weights, head):
    """A plan for `toykit compress --plan`: a rule for each weight, with the reason above it.

    Parameters
    ----------
    weights : sequence of WeightFound
    head : sequence of str
        Sentences that begin it.
    """
    lines = [f"# {printable(one)}" for one in head]
    for weight in weights:
        setting = weight.chosen.setting if weight.chosen else {"skip": True}
        lines += ["", f"# {printable(weight.why)}", "[[layer]]", f"name = {_toml(_pattern(weight.name))}"]
        lines += [f"{key} = {_toml(value)}" for key, value in setting.items()]
    # What is too small, or cannot be compressed, is left alone.
    return "\n".join([*lines, "", "[[layer]]", "skip = true", ""])


def _pattern(name):
    """A name as a pattern that means it alone."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def _toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
