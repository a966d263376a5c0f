"""What each weight alone does to the answers, as a still picture: a row for each weight, a mark for each setting."""

from html import escape

from .._text import printable
from .scales import scale_of

COLORS = {  # of a family of settings: the variable of the widgets, or the light colour where there is no widget
    "prune": "var(--tk-pruning, #0067a5)",
    "quantize": "var(--tk-quantization, #c24a00)",
    "palettize": "var(--tk-palettization, #00775a)",
    "joint": "var(--tk-joint, #782070)",
}
_WORDS = {"prune": "pruned", "quantize": "linear codes", "palettize": "a palette", "joint": "two at once"}
_MOST = 40  # weights that are shown without asking
HERE = ' class="tk-here"'
GOAL = 'stroke="currentColor" stroke-dasharray="4 4"'


def in_decibels(level):
    """Decibels in words; None, in data for JSON, is no error at all."""
    return "the same answers" if level is None else f"{level:.1f} dB"


def sensitivity(data):
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
        f'fill="{COLORS[name]}"/></svg> {word}</span>'
        for name, word in _WORDS.items()
        if name in families
    )
    return f'<div class="tk-picture"><p class="tk-picture-key">{key}</p>{"".join(lines)}</div>'


def _row(number, weight, x, goal):
    chosen = weight["chosen"]
    marks = "".join(
        f'<circle cx="{100.0 if one["snr_db"] is None else x.percent(one["snr_db"])}%" cy="9" r="4" '
        f'fill="{COLORS[one["setting"]["technique"]]}" fill-opacity="0.55" data-setting="{place}"'
        f"{HERE * (one == chosen)}><title>{escape(one['label'])}: {in_decibels(one['snr_db'])}</title></circle>"
        for place, one in enumerate(weight["candidates"])
    )
    name, label = escape(printable(weight["name"])), escape(chosen["label"] if chosen else "as it is")
    line = '<line x1="0" x2="100%" y1="9" y2="9" stroke="var(--tk-line, #8888)"/>'
    if goal["at_least"] is not None and goal["unit"] == "dB":
        at = f"{x.percent(goal['at_least'])}%"
        line += f'<line x1="{at}" x2="{at}" y1="0" y2="18" {GOAL}/>'
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
