"""Widgets on pages of prose: that of the landing page, and those that a page draws from data of its own."""

import functools
import itertools
import json

from .project import DATA


@functools.cache
def small_explorer():
    """Return the accuracy explorer of the landing page, as Markdown."""
    from toykit.widgets import accuracy_explorer
    from toykit.widgets.embedded import embedded

    html = embedded(accuracy_explorer(DATA / "crepe_explorer.npz", small=True))
    return f"````{{raw}} html\n{html}\n````"


def script(name, instrument):
    """Return a script that draws an instrument of toykit from data that the page has: `NAME(place, state)`."""
    from toykit.widgets.embedded import MODEL

    code, style = instrument._esm.replace("export default", "const instrument ="), json.dumps(instrument._css)
    return f"""window.{name} = (() => {{
{code}
return (el, state) => {{
{MODEL}
const style = document.createElement("style");
style.textContent = {style};
el.append(style);
instrument.render({{ model, el }});
}};
}})();
"""


def _beginning(texts):
    """The lines with which all of the texts begin."""
    same = itertools.takewhile(lambda lines: len({*lines}) == 1, zip(*(text.splitlines() for text in texts)))
    return "\n".join(lines[0] for lines in same)


def scripts(name, kinds):
    """Return a script that draws instruments of several kinds, with what they share in it once.

    Parameters
    ----------
    name : str
        Of the object that the script makes: `NAME.KIND(place, state)` draws one.
    kinds : dict
        The classes of the instruments, two or more, by their names.
    """
    from toykit.widgets.embedded import MODEL

    code, style = ([getattr(kind, part) for kind in kinds.values()] for part in ("_esm", "_css"))
    base, look = (_beginning(texts) for texts in (code, style))
    parts = []
    for kind, whole, looks in zip(kinds, code, style):
        own = whole[len(base) :].replace("export default", "const instrument =")
        parts.append(
            f"draws.{kind} = (() => {{{own}\nreturn draw(instrument, {json.dumps(looks[len(look) :])});\n}})();"
        )
    return f"""window.{name} = (() => {{
{base}
const draws = {{}}, look = {json.dumps(look)};
const draw = (instrument, own) => (el, state) => {{
{MODEL}
const style = document.createElement("style");
style.textContent = look + own;
el.append(style);
instrument.render({{ model, el }});
}};
{chr(10).join(parts)}
return draws;
}})();
"""
