"""Still pictures of an exploration: the recipes by bytes and quality, and what each weight alone does to the answers.

HTML with SVG in it, without a library, whose letters keep their size on any width: positions are shares of the width.
A widget that holds the pictures finds its marks by `data-recipe`, `data-weight` and `data-setting`.
"""

from html import escape

from .._text import printable
from .scales import scale_of
from .sensitivity import COLORS, GOAL, HERE, in_decibels, sensitivity

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
        "What each weight alone does to the answers, in dB; further right is better; ringed: the setting in the recipe"
        + "; dashed: what was asked for"
        * (data["goal"]["unit"] == "dB" and data["goal"]["at_least"] is not None),
    )
    drawn = zip(heads, (_front(data), sensitivity(data)), strict=True)
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
        parts.append(f'<line x1="{at}" x2="{at}" y1="0" y2="100%" {GOAL}/>')
    else:
        at = down(asked[0])
        parts.append(f'<line x1="0" x2="100%" y1="{at}" y2="{at}" {GOAL}/>')
    for line, look in (
        (curve, 'stroke="currentColor" stroke-width="1.5" stroke-dasharray="1.5 3"'),
        (best, _FRONT),
    ):
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
        f'<circle cx="{across(one)}" cy="{down(one["value"])}" r="5" fill="{COLORS["joint"]}" data-recipe="{number}"'
        f"{HERE * (one == chosen)}><title>{_said(one, data)}</title></circle>"
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


_FRONT = f'stroke="{COLORS["joint"]}" stroke-width="1.5"'


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
