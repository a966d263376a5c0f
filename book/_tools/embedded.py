"""Widgets on pages of prose: that of the landing page, and those that a page draws from data of its own."""

import functools
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
