"""`predict`: a question that the reader answers before the page does.

An honest "skip" opens the reveal too. Both send the event ``tk-opened`` to the page around the
widget: the book's pages fold what stands below a prediction until then. A distance is told in points
for percentages, in decibels for decibels, and otherwise as a share of the answer.

The answer is whatever the cell computed, so it cannot go stale; it travels in the widget's binary
state, where a glance at the page or a search in it does not meet it by accident. What is told about it
can be kept in a file (`feedback`), so that the cell can be read without meeting the answer.

Not here: a memory. A reload asks afresh. The book's pages count, in the reader's browser alone, which questions
were guessed (book/_assets/progress.js), and never what the guess was.
"""

import html
import json
import re
import tomllib
from pathlib import Path

import traitlets

from ..compressed import (
    check_choice,
    check_flag,
    check_int,
    check_names,
    check_number,
    check_path,
    check_type,
    shown,
)
from . import markup
from .base import Instrument


class Prediction(Instrument, js="predict"):
    """A question, the reader's `guess` (None until they commit, and when they skip), and a reveal."""

    question = traitlets.Unicode().tag(sync=True)
    scale = traitlets.Dict().tag(sync=True)
    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    sealed = traitlets.Bytes().tag(sync=True)
    guess = traitlets.Union(
        [traitlets.Float(), traitlets.Unicode()], allow_none=True, default_value=None
    ).tag(sync=True)
    opened = traitlets.Bool(False).tag(sync=True)

    def fallback(self):
        sealed = json.loads(self.sealed)
        reveal = f"<p><strong>{html.escape(sealed['text'])}</strong></p>{sealed['skipped']}"
        choices = "".join(f"<li>{html.escape(option)}</li>" for option in self.options)
        choices = f"<ul>{choices}</ul>" if choices else ""
        return (
            f"<p><strong>Predict.</strong> {self.question}</p>{choices}"
            f"<details><summary>Show the answer</summary>{reveal}</details>"
        )

    def __repr__(self):
        return f"<Prediction {self.digest}: the answer opens when you have committed>"


def _decimals(step):
    text = f"{step:.10f}".rstrip("0")
    return len(text.partition(".")[2])


def predict(
    question,
    answer,
    *,
    min=None,
    max=None,
    step=None,
    unit="",
    options=None,
    reveal="",
    near="",
    low="",
    high="",
    wrong=None,
    tolerance=0.05,
    log=False,
    digits=None,
):
    """Ask the reader to commit to a guess, then show it beside the computed answer.

    Text may use ``**strong**``, ``*emphasis*``, `` `code` `` and links; ``{answer}`` and ``{guess}``
    stand for the two values with their unit. Sentences with ``{guess}`` are left out for a reader
    who skips.

    Parameters
    ----------
    question : str
    answer : float or str
        What this cell computed: a number for a slider, one of `options` for a choice.
    min, max : float
        Ends of the slider. The slider starts in the middle, so put the answer elsewhere.
    step : float, optional
        Of the slider; a hundredth of its range by default.
    unit : str
        Written after each number, for instance "MB".
    options : sequence of str, optional
        Ask for one of these instead of a number.
    reveal : str
        The explanation, shown to every reader after the answer.
    near, low, high : str
        A first sentence for a guess within `tolerance`, below it, and above it. For a choice,
        `near` is for the right one.
    wrong : dict of str to str, optional
        For a choice, a first sentence for each wrong option.
    tolerance : float
        How near is near, as a share of the answer.
    log : bool
        A logarithmic slider, for a guess that may be off by orders of magnitude; `min` > 0.
    digits : int, optional
        Decimals of the answer; those of `step` by default.

    Returns
    -------
    Prediction
        Its `guess` and `opened` follow the reader in a live notebook.

    Raises
    ------
    TypeError, ValueError
        If the answer is not a number between `min` and `max`, or not one of `options`.

    Notes
    -----
    The cell stands above its widget: keep the texts out of it with `feedback`, and give it the tag
    ``hide-input``, since it computes the answer.

    Examples
    --------
    >>> predict("How many bits does a float16 take?", 16, min=1, max=64, step=1)  # doctest: +ELLIPSIS
    <Prediction ...: the answer opens when you have committed>
    """
    for name, text in {
        "question": question,
        "unit": unit,
        "reveal": reveal,
        "near": near,
        "low": low,
        "high": high,
    }.items():
        check_type(name, text, str, "a text")
    wrong = {} if wrong is None else check_type("wrong", wrong, dict, "a dict of texts by options")
    for option, text in wrong.items():
        check_type("an option in wrong", option, str, "a text")
        check_type(f"wrong[{option!r}]", text, str, "a text")
    tolerance, log = check_number("tolerance", tolerance, least=0), check_flag("log", log)
    digits = None if digits is None else check_int("digits", digits, range(16))
    if options is not None:
        options = list(check_names("options", options))
        if len(options) < 2 or len(set(options)) != len(options):
            raise ValueError(f"options must be two or more different answers; got {options}.")
        if not isinstance(answer, str) or answer not in options:
            raise ValueError(f"answer must be one of the options {options}; got {shown(answer)}.")
        unknown = set(wrong) - set(options) | ({answer} & set(wrong))
        if unknown:
            raise ValueError(f"wrong must explain wrong options only; got {sorted(unknown)}.")
        scale, text = {}, answer
    else:
        answer = check_number("answer", answer)
        low_end, high_end = check_number("min", min), check_number("max", max)
        if not low_end < high_end:
            raise ValueError(f"min must be less than max; got {min} and {max}.")
        if not low_end <= answer <= high_end:
            raise ValueError(f"answer must lie between min and max, {min} and {max}; got {answer}.")
        if log and low_end <= 0:
            raise ValueError(f"min must be more than 0 for a logarithmic slider; got {min}.")
        step = (high_end - low_end) / 100 if step is None else check_number("step", step, above=0)
        decimals = _decimals(step)
        digits = decimals if digits is None else digits
        unit = f" {unit}" if unit else ""
        scale = {
            "min": low_end,
            "max": high_end,
            "step": step,
            "unit": unit,
            "log": bool(log),
            "digits": decimals,
        }
        text = f"{answer:,.{digits}f}{unit}".replace("-", "\u2212")

    def prose(source):
        return markup.to_html(source.replace("{answer}", text))

    if options is None:
        answer = float(f"{answer:.10g}")  # another CPU may differ in the last bits, and nobody guesses those
    sealed = {
        "answer": answer,
        "text": text,
        "tolerance": tolerance,
        "digits": digits or 0,
        "near": prose(near),
        "low": prose(low),
        "high": prose(high),
        "wrong": {option: prose(source) for option, source in wrong.items()},
        "reveal": prose(reveal),
        "skipped": prose(markup.without_sentences(reveal, "{guess}")),
    }
    return Prediction(
        label=f"Prediction: {markup.plain(question)}",
        question=markup.inline(question),
        scale=scale,
        options=options or [],
        sealed=json.dumps(sealed).encode(),
    )


def feedback(path, name, **values):
    """What `predict` tells about a guess, from a file: a cell that asks need not hold the answer.

    Parameters
    ----------
    path : str or Path
        A TOML file with a table for each prediction. It may hold `near`, `low`, `high`, `wrong`, `reveal`,
        and the `answer` if no cell computes it, as `predict` takes them.
    name : str
        The table.
    **values : object
        What the texts call ``{name}``, computed by the cell. ``{answer}`` and ``{guess}`` are left for
        `predict`.

    Returns
    -------
    dict
        Arguments for `predict`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file; if it is no TOML, does not hold the table, or holds something else in it;
        or if a text asks for a value that is not given, or a value is given that no text asks for.

    Examples
    --------
    ``predict("How many?", 3, min=0, max=9, **feedback("predictions.toml", "threes", sum=1 + 2))``
    """
    text = Path(check_path("path", path)).read_text(encoding="utf-8")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    table = tables[check_choice("name", name, list(tables))]
    known = ("answer", "near", "low", "high", "wrong", "reveal")
    strange = set(table) - set(known) if isinstance(table, dict) else {name}
    if strange:
        raise ValueError(f"{path} may hold {', '.join(known)} for a prediction; got {sorted(strange)}")
    asked = set()

    def fill(part):
        if isinstance(part, dict):
            return {key: fill(inner) for key, inner in part.items()}
        if not isinstance(part, str):
            return part
        names = set(re.findall(r"{(\w+)}", part)) - {"answer", "guess"}
        asked.update(names)
        return re.sub(r"{(\w+)}", lambda found: str(values.get(found[1], found[0])), part)

    filled = fill(table)
    if asked != set(values):
        raise ValueError(
            f"{name!r} in {path} needs the values {sorted(asked) or 'none'}; got {sorted(values) or 'none'}"
        )
    return filled
