"""Still pictures of an exploration: the recipes by bytes and quality, and what each weight alone does to the answers.

HTML with SVG in it, without a library, whose letters keep their size on any width: positions are shares of the width.
A widget that holds the pictures finds its marks by `data-recipe`, `data-weight` and `data-setting`.
"""

from dataclasses import dataclass
from html import escape

from .._text import printable

_STYLE = """
.tk-picture { container-type: inline-size; color: var(--tk-ink, inherit); font-size: 0.85rem; }
.tk-picture svg { display: block; width: 100%; overflow: visible; }
.tk-picture text, .tk-instrument .tk-picture svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
.tk-picture-front { padding: 0.8rem 1.2rem 3.2rem 3.4rem; }
.tk-instrument .tk-picture-which { margin: 1rem 0 0.4rem; }
.tk-picture circle[data-recipe] { stroke: var(--tk-paper, Canvas); stroke-width: 1; }
.tk-picture circle[data-recipe].tk-here { r: 8px; stroke: currentColor; stroke-width: 3; }
.tk-picture-row { display: grid; grid-template-columns: 1fr 1fr; gap: 0 0.8rem; align-items: center;
  border-top: 1px solid var(--tk-line, #8888); padding: 0.15rem 1rem 0.15rem 0; break-inside: avoid; }
.tk-picture-row > :nth-child(2) { grid-column: 1 / -1; grid-row: 2; }
.tk-picture-name { overflow-wrap: anywhere; }
.tk-picture-setting { text-align: right; }
.tk-picture circle.tk-here { stroke: currentColor; stroke-width: 2; r: 6px; fill-opacity: 1; }
.tk-picture-key span { white-space: nowrap; margin-right: 1em; }
@container (min-width: 34rem) {
  .tk-picture-row { grid-template-columns: 11rem 1fr 10rem; }
  .tk-picture-row > :nth-child(2) { grid-column: 2; grid-row: 1; }
  .tk-picture-setting { text-align: left; font-size: 0.8rem; }
}
@media print { .tk-picture { print-color-adjust: exact; } }
"""
_HEIGHT = 220
_COLORS = {  # of a family of settings: the variable of the widgets, or the light colour where there is no widget
    "prune": "var(--tk-pruning, #0067a5)",
    "quantize": "var(--tk-quantization, #c24a00)",
    "palettize": "var(--tk-palettization, #00775a)",
    "joint": "var(--tk-joint, #782070)",
}
_WORDS = {"prune": "pruned", "quantize": "linear codes", "palettize": "a palette", "joint": "two at once"}
_MOST = 40  # weights that are shown without asking


@dataclass(frozen=True)
class Scale:
    """From numbers to shares of a width, with round ticks.

    Examples
    --------
    >>> Scale(0, 50).ticks(), Scale(0, 50).percent(25)
    ([0.0, 10.0, 20.0, 30.0, 40.0, 50.0], 50.0)
    """

    low: float
    high: float

    def percent(self, value):
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)

    def ticks(self, most=6):
        span = self.high - self.low
        ten = 10.0 ** next(n for n in range(-12, 19) if span / 10.0**n < 10)
        step = next(ten * part for part in (0.1, 0.2, 0.5, 1, 2) if span / (ten * part) <= most)
        first = -int(-self.low // step) if self.low > 0 else int(self.low / step)
        return [round(n * step, 12) for n in range(first, int(self.high / step + 1e-9) + 1)]


def scale_of(values, margin=0.05):
    """A scale with all values on it, and some room at either end."""
    low, high = min(values), max(values)
    room = (high - low) * margin or abs(high) * margin or 1.0
    return Scale(low - room, high + room)


def pictures(data):
    """Both pictures, with their style and their headings.

    Parameters
    ----------
    data : dict
        Of `toykit.exploration.result.Exploration.as_data`.

    Returns
    -------
    str
        HTML.
    """
    judged = "decibels of fidelity" if data["goal"]["unit"] == "dB" else f"the metric {data['metric']}"
    heads = (
        f"Recipes that were measured: bytes and {judged}; dashed: what was asked for"
        + "; dotted: what was predicted, if damage adds up" * bool(_curve(data)),
        "What each weight alone does to the answers, in dB; further right is better; ringed: the setting in the recipe",
    )
    drawn = zip(heads, (_front(data), _sensitivity(data)), strict=True)
    parts = (
        f"<p><strong>{escape(printable(head))}</strong></p>{picture}" for head, picture in drawn if picture
    )
    return f"<style>{_STYLE}</style>{''.join(parts)}"


def _front(data):
    """The recipes that were measured, by bytes and by what counts; a line joins those that no other one beats."""
    best = [one for one in data["front"] if one["value"] is not None]
    if not best:
        return ""
    goal, chosen = data["goal"], data["recipe"]
    shown = [one for one in data["recipes"] if one["value"] is not None and one["value"] >= best[0]["value"]]
    unit, name = (1e6, "MB") if shown[-1]["nbytes"] >= 1e5 else (1e3, "kB")
    asked = [goal["at_least"]] if goal["nbytes"] is None else [goal["nbytes"] / unit]
    curve = _curve(data)
    x = scale_of([one["nbytes"] / unit for one in shown + curve] + asked * (goal["nbytes"] is not None))
    y = scale_of([one["value"] for one in shown + curve] + asked * (goal["nbytes"] is None), 0.1)

    def across(one):
        return f"{x.percent(one['nbytes'] / unit)}%"

    def down(value):
        return f"{100 - y.percent(value):g}%"

    parts = [_across(down(tick), f"{tick:g}") for tick in y.ticks()]
    parts += [_upright(f"{x.percent(tick)}%", f"{tick:g}") for tick in x.ticks(5)]
    parts += [
        f'<text x="100%" y="{_HEIGHT + 38}" text-anchor="end">{name} of the package</text>',
        f'<text x="-44" y="-4">{_unit(data)}</text>',
    ]
    if goal["nbytes"] is not None:
        at = f"{x.percent(asked[0])}%"
        parts.append(f'<line x1="{at}" x2="{at}" y1="0" y2="100%" {_GOAL}/>')
    else:
        at = down(asked[0])
        parts.append(f'<line x1="0" x2="100%" y1="{at}" y2="{at}" {_GOAL}/>')
    for line, look in ((curve, 'stroke="currentColor" stroke-dasharray="1 3"'), (best, _FRONT)):
        parts += [
            f'<line x1="{across(a)}" y1="{down(a["value"])}" x2="{across(b)}" y2="{down(b["value"])}" {look}/>'
            for a, b in zip(line, line[1:])
        ]
    parts += [
        f'<circle cx="{across(one)}" cy="{down(one["value"])}" r="3" fill="currentColor" fill-opacity="0.35"/>'
        for one in shown
        if one not in best
    ]
    parts += [
        f'<circle cx="{across(one)}" cy="{down(one["value"])}" r="5" fill="{_COLORS["joint"]}" data-recipe="{number}"'
        f"{_HERE * (one == chosen)}><title>{_said(one, data)}</title></circle>"
        for number, one in enumerate(best)
    ]
    about = (
        f"{len(shown)} recipes by bytes and {_unit(data)}. The {len(best)} that no other one beats go from "
        f"{_said(best[0], data)} to {_said(best[-1], data)}. The one that was written: {_said(chosen, data)}."
    )
    return f'<div class="tk-picture tk-picture-front">{_svg(_HEIGHT, about, parts)}</div>'


def _curve(data):
    """What was predicted, not much smaller and not much larger than what was chosen, for decibels alone."""
    near = (0.5 * data["recipe"]["nbytes"], 1.5 * data["recipe"]["nbytes"])
    return [
        {"nbytes": nbytes, "value": level}
        for nbytes, level in data["curve"] * (data["goal"]["unit"] == "dB")
        if near[0] <= nbytes <= near[1]
    ]


def _sensitivity(data):
    """A row for each weight, with a mark for each setting: how good the answers are if it alone has the setting."""
    weights = data["weights"]
    levels = [
        one["snr_db"] for weight in weights for one in weight["candidates"] if one["snr_db"] is not None
    ]
    x = scale_of([min(100, max(-10, level)) for level in levels] or [0, 1])
    largest = sorted(range(len(weights)), key=lambda n: -weights[n]["nbytes"])[:_MOST]
    rows = {number: _row(number, weight, x, data["goal"]) for number, weight in enumerate(weights)}
    lines = [_axis(x), *(rows.pop(number) for number in sorted(largest))]
    if rows:
        lines.append(
            f"<details><summary>{len(rows)} smaller weights</summary>{''.join(rows.values())}</details>"
        )
    families = {one["setting"]["technique"] for weight in weights for one in weight["candidates"]}
    key = "".join(
        f'<span><svg style="display:inline;width:12px;height:10px" aria-hidden="true"><circle cx="5" cy="5" r="5" '
        f'fill="{_COLORS[name]}"/></svg> {word}</span>'
        for name, word in _WORDS.items()
        if name in families
    )
    return f'<div class="tk-picture"><p class="tk-picture-key">{key}</p>{"".join(lines)}</div>'


def _row(number, weight, x, goal):
    chosen = weight["chosen"]
    marks = "".join(
        f'<circle cx="{100.0 if one["snr_db"] is None else x.percent(one["snr_db"])}%" cy="9" r="4" '
        f'fill="{_COLORS[one["setting"]["technique"]]}" fill-opacity="0.55" data-setting="{place}"'
        f"{_HERE * (one == chosen)}><title>{escape(one['label'])}: {in_decibels(one['snr_db'])}</title></circle>"
        for place, one in enumerate(weight["candidates"])
    )
    name, label = escape(printable(weight["name"])), escape(chosen["label"] if chosen else "as it is")
    line = '<line x1="0" x2="100%" y1="9" y2="9" stroke="var(--tk-line, #8888)"/>'
    if goal["at_least"] is not None and goal["unit"] == "dB":
        at = f"{x.percent(goal['at_least'])}%"
        line += f'<line x1="{at}" x2="{at}" y1="0" y2="18" {_GOAL}/>'
    level = in_decibels(chosen["snr_db"]) if chosen else "the same answers"
    about = f"{name}: {len(weight['candidates'])} settings; {label}: {level}"
    return (
        f'<div class="tk-picture-row" data-weight="{number}"><span class="tk-picture-name">{name}</span>'
        f'<span><svg height="18" role="img" aria-label="{about}">{line}{marks}</svg></span>'
        f'<span class="tk-picture-setting">{label}</span></div>'
    )


def _axis(x):
    ticks = "".join(
        f'<text x="{x.percent(tick)}%" y="13" text-anchor="middle">{tick:g}</text>' for tick in x.ticks()
    )
    return (
        '<div class="tk-picture-row" style="border:0"><span>weight</span>'
        f'<span><svg height="18" aria-hidden="true">{ticks}</svg></span>'
        '<span class="tk-picture-setting">setting in the recipe</span></div>'
    )


_FRONT = f'stroke="{_COLORS["joint"]}" stroke-width="1.5"'
_HERE = ' class="tk-here"'
_GOAL = 'stroke="currentColor" stroke-dasharray="4 4"'


def _svg(height, about, parts):
    return f'<svg height="{height}" role="img" aria-label="{escape(about)}">{"".join(parts)}</svg>'


def _across(at, text):
    return (
        f'<line x1="0" x2="100%" y1="{at}" y2="{at}" stroke="var(--tk-line, #8888)"/>'
        f'<text x="-8" y="{at}" dy="4" text-anchor="end">{text}</text>'
    )


def _upright(at, text):
    return (
        f'<line x1="{at}" x2="{at}" y1="{_HEIGHT}" y2="{_HEIGHT + 5}" stroke="currentColor"/>'
        f'<text x="{at}" y="{_HEIGHT + 19}" text-anchor="middle">{text}</text>'
    )


def _unit(data):
    return "dB" if data["goal"]["unit"] == "dB" else escape(printable(data["metric"]))


def _said(one, data):
    value = in_decibels(one["value"]) if data["goal"]["unit"] == "dB" else f"{one['value']:.4g}"
    return f"{one['nbytes']:,} bytes, {value}"


def in_decibels(level):
    """Decibels in words; None, in data for JSON, is no error at all."""
    return "the same answers" if level is None else f"{level:.1f} dB"
