"""Published latencies: a table read, and its configurations understood."""

import csv
import re
from dataclasses import dataclass

from ..compressed import check_path, check_type
from .descriptions import Format


@dataclass(frozen=True)
class Published:
    """One published latency.

    Attributes
    ----------
    source, model, device, config, technique : str
        As in the table.
    format : Format
    when : {"just_in_time", "int8_int8"}
    seconds : float
    system : str
        "iOS 17", or "iOS 18 seed" for a beta. "" if the table does not say.
    """

    source: str
    model: str
    device: str
    config: str
    technique: str
    format: Format
    when: str
    seconds: float
    system: str = ""

    @property
    def series(self):
        """Its model, device and system; only rows that share all three are alike."""
        return self.model, self.device, self.system


def read_published(path, model=None, device=None, source=None, system=None):
    """Rows of a table of published latencies.

    Parameters
    ----------
    path : str or Path
        A CSV file with the columns source, model, device, config, technique and latency_ms, and perhaps
        system, such as notebooks/data/apple_published.csv.
    model, device, source, system : str, optional
        Keep only rows with this.

    Returns
    -------
    tuple of Published
        The rows that state a latency.
    """
    wanted = {"model": model, "device": device, "source": source, "system": system}
    for name, value in wanted.items():
        check_type(name, value, (str, type(None)), "a text or None")
    rows = []
    with open(check_path("path", path), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not {"source", "model", "device", "config", "technique", "latency_ms"} <= row.keys():
                raise ValueError(
                    f"path must be of a table of latencies; the one at {path} has the columns {list(row)}"
                )
            row.setdefault("system", "")
            if not row["latency_ms"] or any(value not in (None, row[key]) for key, value in wanted.items()):
                continue
            kept = {key: row[key] for key in ("source", "model", "device", "config", "technique", "system")}
            stored, when = read_config(row["config"])
            rows.append(Published(**kept, format=stored, when=when, seconds=float(row["latency_ms"]) / 1e3))
    if not rows:
        raise ValueError(f"no row of {path} with a latency matches {wanted}")
    return tuple(rows)


def read_config(config):
    """What a configuration in the table means: the format of its weights, and how they are used.

    Examples
    --------
    >>> read_config("palettize 4-bit group_size=16")
    (Format(bits=4, sparsity=0.0, table=True, group_size=16), 'just_in_time')
    >>> read_config("W8A8 symmetric per-channel")[1]
    'int8_int8'
    """
    if config == "float16":
        return Format(), "just_in_time"
    if config.startswith("W8A8"):
        return Format(bits=8), "int8_int8"
    if config == "int8 weight-only":
        return Format(bits=8), "just_in_time"
    if found := re.fullmatch(r"prune (\d+)%", config):
        return Format(sparsity=int(found[1]) / 100), "just_in_time"
    if found := re.fullmatch(r"palettize (\d)-bit(?: per-tensor| group_size=(\d+))?", config):
        group_size = int(found[2]) if found[2] else None
        return Format(int(found[1]), table=True, group_size=group_size), "just_in_time"
    raise ValueError(f"config {config!r} is of no known kind: float16, W8A8, int8, prune or palettize")
