"""Sweeps as small text files: measured once, read by everyone.

One line a setting, in CSV. The setting itself is a column of JSON, so a test can apply it again, and
numbers have nine digits, more than a float32 network's answers can carry.
"""

import contextlib
import csv
import json
import os
from pathlib import Path

from .._rows import Rows
from ..compressed import check_each, check_names, check_path


def write(path, rows, settings, columns=()):
    """Save the rows of a sweep.

    Parameters
    ----------
    path : path
        A .csv file, replaced as a whole.
    rows : Rows
        From `run` or `sensitivity`.
    settings : list of dict
        The setting of each row; a recipe with a setting for each layer will do too.
    columns : tuple of str
        Columns to keep beside the numbers that were measured, such as "layer".

    Raises
    ------
    ValueError
        If there are no rows, or not one setting a row.
    """
    path, columns = Path(check_path("path", path)), check_names("columns", columns)
    rows, settings = check_each("rows", rows, dict, "dicts"), check_each("settings", settings, dict, "dicts")
    if not rows or len(rows) != len(settings):
        raise ValueError(
            "there must be a setting in settings for every one of rows, and rows at all; "
            f"got {len(settings)}, {len(rows)}"
        )
    options = {name for setting in settings for name in setting}
    measured = [
        name for name in rows[0] if name not in options and name not in ("label", "technique", *columns)
    ]
    for row in rows:
        for name in (*columns, "label", *measured):
            if name not in row:
                raise ValueError(
                    f"every one of rows needs a column {name!r}; one has {', '.join(map(str, row))}"
                )
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*columns, "label", "setting", *measured])
        for row, setting in zip(rows, settings, strict=True):
            kept = [row[name] for name in (*columns, "label")]
            numbers = [f"{row[name]:.9g}" if isinstance(row[name], float) else row[name] for name in measured]
            table.writerow([*kept, json.dumps(setting), *numbers])
    os.replace(part, path)


def read(path):
    """Load what `write` saved.

    Returns
    -------
    Rows
        Each row has its `setting`, the setting's options as columns of their own, and its numbers.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    path = Path(check_path("path", path))
    if not path.is_file():
        raise FileNotFoundError(f"no sweep at {path}; the book's own are written by `make data`")
    rows = Rows()
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            setting = json.loads(line.pop("setting"))
            options = setting if "technique" in setting else {"technique": "mixed"}
            rows.append(
                {**options, "setting": setting} | {name: _number(text) for name, text in line.items()}
            )
    return rows


def _number(text):
    """The text as an int, else as a float, else as it is."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
