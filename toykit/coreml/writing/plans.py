"""Plans: which technique each weight of a package is asked to take.

A plan is one technique for all weights; a setting for each layer, by its name; or rules in order, of which the
first that fits a weight decides. Rules can be kept in a file of TOML, one table a rule:

    [[layer]]
    name = "*.bias"                 # names or patterns: * is any text, ? any sign
    skip = true

    [[layer]]
    operator = "gather"             # what uses the weight
    technique = "quantize"
    bits = 8

    [[layer]]                       # without a name: all others
    technique = "joint"
    prune = {sparsity = 0.7}
    palettize = {bits = 4}

A palette's `lut`, a table of one's own, is a list of numbers, or the name of an .npy file beside the plan.

Names are those of the package, of the ledger, or of the torch module: `layer4.0.conv1.weight`, `layer4.0.conv1`
and `layer4_0_conv1_weight_to_fp16` are one weight. A name or pattern that fits nothing is refused, for it is a
mistake: a plan that was meant to spare a layer must not silently compress it.

Not here: what the options mean (`toykit.settings`), and whether a weight can take them (`toykit.stored`).
"""

import difflib
import fnmatch
import os
import re
import tomllib
from pathlib import Path

import numpy as np

from ... import settings as _settings
from ...compressed import check_choice, shown
from .candidates import constants_in

_OPERATOR = "operator="
_SELECTORS = ("name", "operator", "skip")


class Weights:
    """The weights of a package that may be compressed, found by what people call them.

    Attributes
    ----------
    operators : dict of str to set of str
        Name of the constant -> the kinds of operators that use it.
    operations : dict of str to str
        The same constants -> names of their operations, which coremltools goes by.
    """

    def __init__(self, package):
        self.operators, self.operations = {}, {}
        self._called = {}  # what it may be called -> names of constants
        for part in package.programs:
            for label, constants in constants_in(part).items():
                for operation in constants.floats:
                    name = part.full_name(label, next(iter(operation.outputs)))
                    self.operators.setdefault(name, set()).update(constants.operators[operation])
                    self.operations[name] = operation.name
                    other = name[: name.rfind("/") + 1] + operation.name
                    for word in (name, other):
                        self._called.setdefault(plain(word), []).append(name)

    def called(self, name):
        """The constants that a name or a pattern means: without a function or model before it, those of all."""
        if name.startswith(_OPERATOR):
            kind = name.removeprefix(_OPERATOR)
            return [name for name, kinds in self.operators.items() if kind in kinds]
        wanted = plain(name)
        if any(sign in wanted for sign in "*?["):
            # A pattern for a weight's name may leave out the function, as a name may.
            return self._found(
                lambda word: any(
                    fnmatch.fnmatchcase(word.split("/", cut)[-1], wanted)
                    for cut in range(word.count("/") + 1)
                )
            )
        before, slash, last = wanted.rpartition("/")
        for after in ("", "_weight"):
            for word in ("", "op_", "var_"):  # what begins with a digit has a word before it in a package
                ending = f"/{before}{slash}{word}{last}{after}"
                if keys := self._found(lambda word, ending=ending: f"/{word}".endswith(ending)):
                    return keys
        return []

    def _found(self, fits):
        keys = [name for word, names in self._called.items() if fits(word) for name in names]
        return list(dict.fromkeys(keys))

    def unknown(self, name):
        """A sentence about a name or pattern that means none of them, with those that are near."""
        if not self.operators:
            return "the package has no weights that may be compressed"
        if name.startswith(_OPERATOR):
            kinds = sorted(set().union(*self.operators.values()))
            return (
                f"no weight is used by an operator {name.removeprefix(_OPERATOR)!r}; "
                f"they are used by {', '.join(kinds)}"
            )
        words = {plain(name): name for name in self.operators}
        near = difflib.get_close_matches(plain(name).strip("*"), words, 3, 0.5)
        listed = [words[word] for word in near] or list(self.operators)
        more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
        hint = "did you mean" if near else "it has"
        return f"the package has no constant for layer {name!r}; {hint} {', '.join(listed[:8])}{more}"


def plain(name):
    """A name with underscores for dots, and not the `_to_fp16` that the conversion appends."""
    return re.sub(r"_to_fp(16|32)$", "", name.replace(".", "_"))


def choose(weights, plan, options=None, only=(), skip=()):
    """What is asked of each weight.

    Parameters
    ----------
    weights : Weights
    plan : str, Path, dict or list of dict
        A technique, the path of a TOML file, a setting for each layer, or rules in order.
    options : dict, optional
        Of a technique.
    only, skip : sequence of str
        Names, patterns, or operators such as "operator=gather": what is left alone in any case.

    Returns
    -------
    dict of str to list of (technique, options)
        For each weight of which something is asked, in the order of the program.

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError, ValueError
        If a technique or an option is unknown or out of range, a name or pattern means no weight, or nothing is
        asked of any.
    """
    chosen = _of_plan(weights, plan, options or {})
    kept = _meant(weights, "only", only) if only else set(weights.operators)
    kept -= _meant(weights, "skip", skip)
    if weights.operators and not kept:
        raise ValueError("only and skip leave no weight to compress")
    return {name: chosen[name] for name in weights.operators if name in kept and chosen.get(name)}


def _of_plan(weights, plan, options):
    path = (
        plan if isinstance(plan, os.PathLike) or (isinstance(plan, str) and plan.endswith(".toml")) else None
    )
    if path is None and isinstance(plan, str):
        check_choice("plan", plan, _settings.TECHNIQUES)
        return dict.fromkeys(weights.operators, _settings.steps(plan, options))
    if options:
        raise TypeError(f"a plan for each layer has its options inside; got {', '.join(options)} as well")
    if path is not None:
        return _by_rules(weights, _read(Path(path)), f"{Path(path).name}: ", Path(path).parent)
    if isinstance(plan, list | tuple):
        return _by_rules(weights, plan, "", Path())
    if not isinstance(plan, dict):
        raise TypeError(
            "plan must be a technique, the path of a .toml file, a dict of settings by layer or a list of rules; "
            f"got {shown(plan)}"
        )
    chosen = {}
    for layer, setting in plan.items():
        steps = _settings.read_setting(setting, model=True)
        names = weights.called(layer)
        if not names and steps:
            raise ValueError(weights.unknown(layer))
        chosen |= dict.fromkeys(names, steps)
    return chosen


def _read(path):
    """The rules of a file."""
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))  # Windows' editors begin a file with a mark
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not TOML: {error}") from error
    if list(content) != ["layer"] or not isinstance(content["layer"], list):
        got = ", ".join(content) or "nothing"
        raise ValueError(f"{path.name} must hold tables [[layer]], and nothing beside them; got {got}")
    return content["layer"]


def _by_rules(weights, rules, where, folder):
    if not rules:
        raise ValueError(f"{where}the plan has no rules")
    chosen = {}
    for number, rule in enumerate(rules, 1):
        place = f"{where}rule {number}: "
        try:
            names, steps = _rule(weights, rule, folder)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}{error}") from error
        new = [name for name in names if name not in chosen]
        if names and not new and _selects(rule):
            raise ValueError(f"{place}the rules before it decide on every weight that it fits; put it first")
        chosen |= dict.fromkeys(new, steps)
    if weights.operators and not any(chosen.values()):
        raise ValueError(f"{where}the plan leaves every weight as it is")
    return chosen


def _selects(rule):
    return "name" in rule or "operator" in rule


def _rule(weights, rule, folder):
    """The weights that a rule fits, and their steps. Files that it names are sought in the folder."""
    if not isinstance(rule, dict):
        raise TypeError(f"a rule is a table such as {{name = '*.bias', skip = true}}; got {shown(rule)}")
    setting = {key: value for key, value in rule.items() if key not in _SELECTORS}
    skip = rule.get("skip", False)
    if not isinstance(skip, bool):
        raise TypeError(f"skip must be true or false; got {shown(skip)}")
    if skip and setting:
        raise ValueError(f"a layer that is skipped has no other settings; got {', '.join(setting)}")
    if not skip and "technique" not in setting:
        near = "".join(f"; got {word!r}" for word in difflib.get_close_matches("technique", setting, 1))
        known = ", ".join(map(repr, (*_settings.TECHNIQUES, "float16")))
        raise ValueError(f"say technique, one of {known}, or skip = true{near}")
    steps = [] if skip else _settings.read_setting(_with_table(setting, folder), model=True)
    names = set(weights.operators)
    for key, mark in (("name", ""), ("operator", _OPERATOR)):
        if key in rule:
            patterns = [rule[key]] if isinstance(rule[key], str) else rule[key]
            if not patterns:
                raise ValueError(f"{key} is empty; leave it out for all weights")
            names &= _meant(weights, key, patterns, mark)
    if weights.operators and not names:
        raise ValueError("no weight has both this name and this operator")
    return [name for name in weights.operators if name in names], steps


def _with_table(setting, folder):
    """A setting with the table itself in place of the name of its file, as numpy.save writes it."""
    if isinstance(joined := setting.get("palettize"), dict):
        return setting | {"palettize": _with_table(joined, folder)}
    name = setting.get("lut")
    if not isinstance(name, str):
        return setting
    if not name.endswith(".npy"):
        raise ValueError(f"lut must be a list of numbers, or the name of an .npy file; got {name!r}")
    try:  # mapped: whatever its header says, no more is read than is there, and no object is made
        return setting | {"lut": np.lib.format.open_memmap(folder / name, mode="r")}
    except ValueError as error:
        raise ValueError(f"{name} does not hold an array of numbers: {error}") from error


def _meant(weights, key, patterns, mark=""):
    """All weights that some names or patterns mean; each has to mean one."""
    if not isinstance(patterns, list | tuple) or not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(f"{key} must be a list of names or patterns; got {shown(patterns)}")
    found = set()
    for pattern in patterns:
        names = weights.called(mark + pattern)
        if not names:
            raise ValueError(f"{key}: {weights.unknown(mark + pattern)}")
        found.update(names)
    return found
