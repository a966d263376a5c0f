"""The parts of an exploration's report, each as HTML."""

import math
import platform
import re
from html import escape

import numpy as np

from .._page import table
from .._text import printable
from .._version import __version__
from . import advising
from .goals import said
from .repeating import command
from .speed import modelled

_GUIDE = "https://apple.github.io/coremltools/docs-guides/source/opt-resnet.html"


def title(found):
    """The page in a line."""
    return f"{found.model}: {size(found.nbytes_before)} to {size(found.nbytes)}"


def section(name, body, place=""):
    """A heading, and what stands below it."""
    at = f' id="{place}"' if place else ""
    return f"<section><h2{at}>{name}</h2>\n{body}\n</section>"


def verdict(found):
    """Whether it is what was asked for and verified, and that fidelity is no accuracy, where there is no metric."""
    times = found.nbytes_before / found.nbytes
    now = f"{size(found.nbytes)} ({found.nbytes:,} bytes), {times:.1f} times smaller, and {_judged(found)}"
    lines = [
        f"<strong>{'Met' if found.met else 'Not met'}.</strong> Asked for: {text(found.goal)}. Found: {text(now)}.",
        "Every compressed weight was checked against the original, and all else is unchanged."
        if found.verification.ok
        else f"It is <strong>not verified</strong>: {text('; '.join(found.verification.problems))}.",
        *(text(f"{one[0].upper()}{one[1:]}.") for one in found.notes),
    ]
    html = _box("tk-verdict" if found.met else "tk-verdict tk-not", lines)
    if found.metric:
        return html
    warning = (
        "<strong>Fidelity, not accuracy.</strong> No metric was given, so decibels say how close the answers are to "
        "those of the uncompressed model: 20 dB is an error of a tenth, 40 dB of a hundredth. How much of that your "
        "task can spare, only a metric on your own data can say."
    )
    return html + _box("tk-verdict tk-warning", [warning, f"Tried with {text('; '.join(found.inputs))}."])


def _judged(found):
    """What the part that judges says."""
    one = found.held_out or found.judgements[0]
    counted = f"{one.samples} samples" if one.samples else "samples"
    where = "held out from the search" if found.held_out else "it was searched with: nothing was held out"
    return f"{_level(one, found)} on {counted} {where}"


def _box(kind, lines):
    return f'<div class="{kind}">{"".join(f"<p>{line}</p>" for line in lines)}</div>'


def next_steps(found):
    """What to do with it, in order."""
    steps = "".join(f"<li>{_step(*one)}</li>" for one in advising.steps(found))
    return section("What to do next", f"<ol>{steps}</ol>")


def _step(what, how, *lines):
    code = "".join(f"<pre>{_code(line)}</pre>" for line in lines)
    return f"<strong>{text(what)}</strong> {text(how)}{code}"


def recipe(found):
    """A row for each weight, with the reason."""
    rows = [
        [
            _what(one),
            one.chosen.label if one.chosen else "as it is",
            *map("{:,}".format, _bytes(one)),
            one.why,
        ]
        for one in found.weights
    ]
    head = ("weight", "setting", "bytes before", "bytes now", "why")
    said_before = (
        "Each weight was tried alone with every setting; the recipe is what costs least in all. A weight that is not "
        "listed is too small to compress, or cannot be."
    )
    return section(
        "The recipe, with its reasons", f"<p>{said_before}</p>{table('recipe.toml', head, rows, {2, 3})}"
    )


def _what(weight):
    """A weight's name, and what it is: converters often give names that say nothing."""
    return f"{weight.name} ({', '.join(weight.operators)}, {' × '.join(map(str, weight.shape))})"


def _bytes(weight):
    return weight.nbytes, weight.chosen.nbytes if weight.chosen else weight.nbytes


def verified(found):
    """What was held against what."""
    head = [
        "part",
        "samples",
        "this package",
        *(("the original", "difference, 95 %") if found.metric else ()),
    ]
    rows = [
        [
            one.part,
            str(one.samples or "not said"),
            _level(one, found),
            said(one.original, ""),
            _difference(one),
        ][: len(head)]
        for one in found.judgements
    ]
    judged = table(f"Judged by {found.measure}", head, rows)
    lines = [
        f"The package was read back from its file, and its {len(found.verification.weights)} compressed weights were "
        "held against the original's: "
        + ("each is what its setting asks for." if found.verification.ok else "not all is as it should be."),
        "Then it was run, by toykit's interpreter of Core ML's operators, on this computer and not on a phone.",
    ]
    if found.bound.nbytes is not None:
        lines.append(
            f"If damage added up exactly, it would be at most {found.bound.gap:.1%} larger than the smallest recipe of "
            "these settings. Damage adds up roughly, which is why whole recipes were measured."
        )
    each = found.verification
    details = (
        "<details><summary>Every weight's verdict</summary>"
        f'<div tabindex="0" role="region" aria-label="Verdicts">{each._repr_html_()}</div></details>'
    )
    return section(
        "What was verified, and how", "".join(f"<p>{text(line)}</p>" for line in lines) + judged + details
    )


def unknown(found):
    """What nobody has measured, what is modelled of it, and how to measure it."""
    steps = "".join(f"<li>{text(one)}</li>" for one in advising.ON_A_DEVICE.split("\n"))
    lines = [f"<strong>How fast it is</strong> was not measured. {_modelled(found)}"]
    if not found.metric:
        lines.append("<strong>How accurate it is</strong> for your task: no metric was given.")
    lines.append(
        "<strong>How a device rounds:</strong> the Neural Engine computes in float16 with sums of its own."
    )
    body = "".join(f"<p>{line}</p>" for line in lines)
    return section("What is unknown", f"{body}<p>To measure how fast it is:</p><ol>{steps}</ol>", "unknown")


def _modelled(found):
    guess = modelled(found.source, found.recipe.settings)
    if isinstance(guess, str):
        return f"It cannot be modelled either: {text(guess)}."
    return (
        f"Modelled for an iPhone 15 Pro: <strong>{_range(guess.after)}</strong>, and {_range(guess.before)} before, "
        "both modelled. These are the least and the most of two rooflines, with weights decompressed just in time or "
        f"ahead of time, over the {guess.layers} convolutions and linear layers alone. The rooflines were fitted to "
        f'<a href="{_GUIDE}">Apple\'s latencies of ResNet-50</a> (iOS 18 seed) and promise nothing of another network.'
    )


def _range(seconds):
    low, high = (f"{1e3 * one:.2g}" for one in seconds)
    return f"{low} ms" if low == high else f"{low} to {high} ms"


def again(found):
    """The command, versions and digests."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.system()} {platform.machine()}"
    counted = (
        f"{found.measured} measurements were made and {found.remembered} found from earlier, in {found.seconds:.0f} s; "
        "all are in measurements.csv, and the command does not make them again."
    )
    body = (
        f"<pre>{_code(command(found.arguments))}</pre><p>With toykit {__version__}, {versions}. {counted}</p>"
    )
    digests = table("Digests, SHA-256", ("what", "digest"), found.digests.items())
    return section("How to do it again", body + digests)


def _level(one, found):
    interval = "" if math.isnan(one.low) else f" ({one.low:.4g} to {one.high:.4g} with 95 %)"
    unit = "" if found.goal.unit == "dB" else f" by {found.metric}"
    return f"{said(one.value, found.goal.unit)}{unit}{interval}"


def _difference(one):
    if one.difference is None:
        return ""
    low, value, high = one.difference
    return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"


def size(nbytes):
    """Bytes, as a person says them."""
    return f"{nbytes / 1e6:.2f} MB" if nbytes >= 1e5 else f"{nbytes / 1e3:.1f} kB"


def text(anything):
    """Anybody's text, as HTML."""
    return escape(printable(anything))


def _code(lines):
    """Lines to copy, in which the name of an option is not broken."""
    whole = "\n".join(map(text, lines.split("\n")))
    return re.sub(r"(?<= )--[\w-]+", r'<span class="tk-option">\g<0></span>', whole)
