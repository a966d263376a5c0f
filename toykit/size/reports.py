"""What a model weighs and would weigh, for people and programs: as lines, JSON, CSV or a page.

`report` asks a ledger for its size after each of some choices of compression. Not here: how a size is known
(`toykit.size.ledgers`, and what makes ledgers).
"""

import json
from dataclasses import dataclass
from html import escape

from .._page import page
from .._text import as_csv, printable
from ..compressed import check_choice, check_progress, check_type, shown
from .ledgers import MB, Ledger

_GROUPED = {"group_size": 8}
# In the words of the report -> technique and options. Each is a form that Core ML has.
CHOICES = {
    "8-bit linear, a scale for each channel": ("quantize", {"bits": 8}),
    "4-bit linear, a scale for each 32 weights": (
        "quantize",
        {"bits": 4, "granularity": "per_block", "block_size": 32},
    ),
    "6-bit palette": ("palettize", {"bits": 6}),
    "4-bit palette": ("palettize", {"bits": 4}),
    "4-bit palette, a table for each 8 channels": ("palettize", {"bits": 4, **_GROUPED}),
    "2-bit palette, a table for each 8 channels": ("palettize", {"bits": 2, **_GROUPED}),
    "4-bit palette of 8-bit entries": ("joint", {"palettize": {"bits": 4}, "quantize": {"bits": 8}}),
    "half of the weights pruned": ("prune", {"sparsity": 0.5}),
    "three quarters pruned": ("prune", {"sparsity": 0.75}),
    "three quarters pruned, the rest 8-bit linear": (
        "joint",
        {"prune": {"sparsity": 0.75}, "quantize": {"bits": 8}},
    ),
    "three quarters pruned, the rest a 4-bit palette": (
        "joint",
        {"prune": {"sparsity": 0.75}, "palettize": {"bits": 4}},
    ),
}
_ORDERS = {"model": None, "size": lambda row: -row.nbytes, "name": lambda row: row.name}
SORTS = tuple(_ORDERS)


@dataclass(frozen=True)
class Prediction:
    """The size after one choice of compression.

    Attributes
    ----------
    about : str
        The choice, in words.
    technique : str
    options : dict
        As `Ledger.after` takes them.
    ledger : Ledger or None
        None where it is not known.
    problem : str
        Why it is not known, such as that the package is for a system without this form; else "".
    """

    about: str
    technique: str
    options: dict
    ledger: Ledger | None
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What a model weighs, and would weigh.

    Attributes
    ----------
    ledger : Ledger
    predictions : tuple of Prediction
    sort : {"model", "size", "name"}
        The order of the weights: that of the model, the largest first, or by name.
    """

    ledger: Ledger
    predictions: tuple
    sort: str = "model"

    @property
    def rows(self):
        order = _ORDERS[self.sort]
        return self.ledger.rows if order is None else sorted(self.ledger.rows, key=order)

    @property
    def forms(self):
        """(type and form, number of weights, parameters, bytes) of each form that weights are stored in."""
        found = {}
        for row in self.ledger.rows:
            found.setdefault(_kind(row), []).append(row)
        kinds = [
            (kind, len(rows), sum(row.parameters for row in rows), sum(row.nbytes for row in rows))
            for kind, rows in found.items()
        ]
        return sorted(kinds, key=lambda kind: -kind[-1])

    def as_text(self, layers=False):
        """Lines for a terminal, with a table of the weights if `layers`."""
        ledger = self.ledger
        lines = [_total(ledger), "", "now"]
        for kind, count, _, nbytes in self.forms:
            lines.append(f"{_amount(nbytes)}  {count} weight{'s' * (count != 1)} of {kind}")
        lines += [f"{_amount(nbytes)}  {printable(name)}" for name, nbytes in ledger.rest.items()]
        lines += ["", *map(printable, ledger.notes)] if ledger.notes else []
        lines += ["", "compressed"] if self.predictions else []
        for one in self.predictions:
            if one.ledger is None:
                lines.append(f"{'?':>9} MB  {one.about}: {printable(one.problem)}")
            else:
                times = f"{_times(ledger, one.ledger):.1f} times smaller"
                lines.append(f"{_amount(one.ledger.nbytes)}  {one.about}, {times}")
        return "\n".join([*lines, "", *self._table()] if layers else lines)

    def _table(self):
        """The weights in aligned columns; what is longest and a stranger's, the name, comes last."""
        cells = [("bytes", "share", "parameters", "type", "shape", "operation", "name")]
        for row in self.rows:
            shape = "x".join(map(str, row.shape))
            numbers = (f"{row.nbytes:,}", f"{row.share:.1%}", f"{row.parameters:,}")
            cells.append((*numbers, _kind(row), shape, printable(row.op), printable(row.name)))
        columns = [column for column in zip(*cells) if any(column[1:])]
        return [
            "  ".join(_aligned(column[number], column) for column in columns).rstrip()
            for number in range(len(cells))
        ]

    def as_data(self):
        """Dictionaries and lists, for JSON."""
        ledger = self.ledger
        return {
            "source": ledger.source,
            "bytes": ledger.nbytes,
            "parameters": ledger.parameters,
            "forms": [
                {"type": kind, "weights": count, "parameters": parameters, "bytes": nbytes}
                for kind, count, parameters, nbytes in self.forms
            ],
            "rest": ledger.rest,
            "notes": list(ledger.notes),
            "predictions": [_as_data(one) for one in self.predictions],
            "weights": [
                {
                    "name": row.name,
                    "operation": row.op,
                    "shape": list(row.shape),
                    "type": row.dtype,
                    "form": row.form,
                    "parameters": row.parameters,
                    "bytes": row.nbytes,
                    "share": row.share,
                }
                for row in self.rows
            ],
        }

    def as_json(self):
        return json.dumps(self.as_data(), indent=2)

    def as_csv(self):
        """A line for each weight and for what there is besides them, as RFC 4180 has it."""
        head = ("name", "operation", "shape", "type", "form", "parameters", "bytes", "share")
        rows = [
            (
                row.name,
                row.op,
                "x".join(map(str, row.shape)),
                row.dtype,
                row.form,
                row.parameters,
                row.nbytes,
                f"{row.share:.6f}",
            )
            for row in self.rows
        ]
        whole = max(1, self.ledger.nbytes)
        rest = self.ledger.rest.items()
        return as_csv(
            head, [*rows, *((name, *[""] * 5, nbytes, f"{nbytes / whole:.6f}") for name, nbytes in rest)]
        )

    def as_html(self):
        """A page that needs no other file, with all tables."""
        ledger = self.ledger
        about = _total(ledger).strip()
        now = [(kind, count, nbytes) for kind, count, _, nbytes in self.forms]
        now += [(printable(name), "", nbytes) for name, nbytes in ledger.rest.items()]
        then = [
            (one.about, printable(one.problem), "?")
            if one.ledger is None
            else (one.about, f"{_times(ledger, one.ledger):.1f}", one.ledger.nbytes)
            for one in self.predictions
        ]
        weights = [
            (
                *map(printable, (row.name, row.op, "x".join(map(str, row.shape)), _kind(row))),
                row.parameters,
                row.nbytes,
            )
            for row in self.rows
        ]
        tables = (
            _html_table("Now", ("what", "weights", "bytes"), now, ledger.nbytes),
            _html_table("Compressed", ("how", "times smaller", "bytes"), then, ledger.nbytes),
            _html_table(
                "Weights",
                ("name", "operation", "shape", "type", "parameters", "bytes"),
                weights,
                ledger.nbytes,
            ),
        )
        said = "".join(f"<p>{escape(printable(line))}</p>" for line in (about, *ledger.notes))
        head = f"<h1>{escape(printable(ledger.source))}</h1>\n{said}"
        return page(ledger.source, "\n".join((head, *tables)), _BARS)


def report(ledger, choices=None, sort="model", progress=None):
    """A report on a model.

    Parameters
    ----------
    ledger : Ledger
        As `toykit.size.ledger` makes it.
    choices : dict of str to (str, dict), optional
        Words for a choice -> technique and options of `Ledger.after`. By default eleven forms of Core ML, if the
        ledger can predict at all.
    sort : {"model", "size", "name"}
    progress : callable (done, total), optional

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        If an argument is not of these kinds. What a technique refuses is a prediction with a `problem`.

    Examples
    --------
    >>> import numpy as np
    >>> from toykit.size import ledger, report
    >>> weights = {"fc": np.zeros((1000, 2048), np.float16)}
    >>> print(report(ledger(weights), {"a byte each": ("quantize", {"bits": 8})}).as_text())
         4.10 MB = 3.91 MiB, 2,048,000 parameters
    <BLANKLINE>
    now
         4.10 MB  1 weight of float16
    <BLANKLINE>
    compressed
         2.05 MB  a byte each, 2.0 times smaller
    """
    check_type("ledger", ledger, Ledger, "a Ledger, as tk.size.ledger makes it")
    check_choice("sort", sort, SORTS)
    check_progress(progress)
    if choices is None:
        choices = CHOICES if ledger.predicts else {}
    check_type("choices", choices, dict, "a dict of words to settings")
    for about, setting in choices.items():
        if not (isinstance(setting, (tuple, list)) and [*map(type, setting)] == [str, dict]):
            raise TypeError(
                f"choices[{about!r}] must be a technique and a dict of its options, such as "
                f'("quantize", {{"bits": 8}}); got {shown(setting)}'
            )
    predictions = []
    for number, (about, (technique, options)) in enumerate(choices.items()):
        if progress is not None:
            progress(number, len(choices))
        try:
            predictions.append(Prediction(about, technique, options, ledger.after(technique, **options)))
        except ValueError as error:
            # What the model weighs is known, and other choices may be, too.
            predictions.append(Prediction(about, technique, options, None, str(error)))
    return Report(ledger, tuple(predictions), sort)


def _kind(row):
    return f"{row.dtype} {row.form}".strip()


def _amount(nbytes):
    """Bytes as megabytes with two decimals, or as they are where these would be 0.00 or 0.01; nine places."""
    return f"{nbytes / MB:9.2f} MB" if nbytes >= 10_000 else f"{nbytes:9,} B "


def _total(ledger):
    in_mib = f" = {ledger.mib:.2f} MiB" if ledger.nbytes >= 10_000 else ""
    parameters = (
        f", {ledger.parameters:,} parameters" if ledger.parameters else ""
    )  # of blobs they are unknown
    return f"{_amount(ledger.nbytes).rstrip()}{in_mib}{parameters}"


def _times(before, after):
    return before.nbytes / max(1, after.nbytes)


def _aligned(text, column):
    width = max(map(len, column))
    return text.rjust(width) if column[0] in ("bytes", "share", "parameters") else text.ljust(width)


def _as_data(one):
    data = {"about": one.about, "technique": one.technique, "options": one.options}
    if one.ledger is None:
        return data | {"problem": one.problem}
    declined = {name: list(reasons) for name, reasons in one.ledger.declined.items()}
    return data | {"bytes": one.ledger.nbytes, "exact": one.ledger.exact, "declined": declined}


_NUMBERS, _NUMBER = ("weights", "times smaller", "parameters", "bytes"), ' class="number"'


def _html_table(title, head, rows, whole):
    """A table whose last column, bytes, has a bar behind its numbers."""
    lines = ["".join(f'<th scope="col"{_NUMBER * (name in _NUMBERS)}>{name}</th>' for name in head)]
    for row in rows:
        cells = "".join(
            f"<td{_NUMBER * (name in _NUMBERS)}>{f'{value:,}' if isinstance(value, int) else escape(value)}</td>"
            for name, value in zip(head[:-1], row)
        )
        nbytes = row[-1]
        if isinstance(nbytes, int):
            share = f"{nbytes / max(1, whole):.2%}"
            cells += f'<td{_NUMBER} style="--share: {share}">{nbytes:,}</td>'
        else:
            cells += f"<td{_NUMBER}>{nbytes}</td>"
        lines.append(cells)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines[1:])
    return (
        f'<div tabindex="0" role="region" aria-label="{title}"><table><caption>{title}</caption>'
        f"<thead><tr>{lines[0]}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


_BARS = """
:root { --bar: light-dark(#cfe2f3, #1d4467); }
td:last-child { background: linear-gradient(to right, var(--bar) var(--share, 0%), transparent 0); min-width: 7rem; }
"""
