"""A widget on a page that is no notebook: in the book's prose, and in reports.

Notebook pages load 3.6 MB of scripts that know every widget there is. A page with a small instrument needs
none of them: an instrument asks its model for values and tells it of changes, and a dozen lines can be such
a model.
"""

import base64
import json

MODEL = """
const listeners = {};
const model = {
  get: (name) => state[name],
  set(name, value) {
    if (state[name] === value) return;
    state[name] = value;
    (listeners[`change:${name}`] || []).forEach((react) => react());
  },
  save_changes() {},
  on: (event, react) => (listeners[event] = listeners[event] || []).push(react),
  off() {},
};
"""


def embedded(widget):
    """An instrument as HTML that needs nothing else: its data, its code, its style.

    Parameters
    ----------
    widget : Instrument

    Returns
    -------
    str

    Examples
    --------
    >>> from toykit.widgets import timeline_explorer
    >>> embedded(timeline_explorer()).count("<script")
    1
    """
    values = {name: getattr(widget, name) for name in widget.trait_names(sync=True)}
    state = {name: value for name, value in values.items() if not name.startswith("_")}
    arrays = {name: state.pop(name) for name, value in list(state.items()) if isinstance(value, bytes)}
    texts = [state, {name: base64.b64encode(value).decode() for name, value in arrays.items()}]
    plain, packed = (json.dumps(text, default=str).replace("<", "\\u003c") for text in texts)
    place = f"widget-{widget.digest}"
    return f"""<style>{widget._css}</style>
<div id="{place}"></div>
<noscript><div class="tk-fallback">{widget.fallback()}</div></noscript>
<script type="module">
{widget._esm.replace("export default", "const instrument =")}
const state = {plain};
for (const [name, text] of Object.entries({packed}))
state[name] = new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);{MODEL}
instrument.render({{ model, el: document.getElementById("{place}") }});
</script>"""
