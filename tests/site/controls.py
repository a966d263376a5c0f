"""Move the controls of a widget by keyboard, as a reader without a mouse does."""

# The name that a screen reader announces, by the rules that matter for native controls.
NAME = """control => {
  const words = nodes => [...nodes].map(node => node.textContent.trim()).join(" ").trim();
  const by = (control.getAttribute("aria-labelledby") || "").split(/\\s+/).filter(Boolean);
  return words(by.map(id => document.getElementById(id)).filter(Boolean))
    || (control.getAttribute("aria-label") || "").trim()
    || words(control.labels || [])
    || (control.tagName === "BUTTON" ? control.textContent.trim() : "")
    || (control.getAttribute("title") || "").trim();
}"""

# Everything that a widget draws: its elements, and the pixels of its canvases.
DRAWING = """instrument => [...instrument.querySelectorAll(".tk-view")].map(view =>
  view.innerHTML + [...view.querySelectorAll("canvas")].map(canvas => canvas.toDataURL()).join()).join()"""

CONTROLS = "input[type=range], input[type=checkbox], input[type=radio], input[type=number], select, button"


def name_of(control):
    """Return the accessible name of a control, or ""."""
    return control.evaluate(NAME)


def kind_of(control):
    """Return "range", "radio", "select", "button" and so on."""
    return control.evaluate("c => c.tagName === 'INPUT' ? c.type : c.tagName.toLowerCase()")


def usable(control):
    """Tell whether a reader could reach the control now."""
    return control.is_visible() and control.is_enabled()


def drawing(visit, instrument):
    visit.settle()
    return instrument.evaluate(DRAWING)


KEYS = {
    # The first key that changes the value is enough; a slider may stand at one of its ends.
    "range": ("ArrowRight", "ArrowLeft", "End", "Home"),
    "number": ("ArrowUp", "ArrowDown"),
    "radio": ("Space", "ArrowDown", "ArrowUp"),
    "select": ("ArrowDown", "ArrowUp"),
    "checkbox": ("Space",),
    "button": ("Enter",),
}


def move(visit, instrument, control):
    """Press the keys that move `control` until the drawing changes; return whether it did."""
    kind = kind_of(control)
    before = drawing(visit, instrument)
    for key in KEYS[kind]:
        control.focus()
        visit.page.keyboard.press(key)
        for _ in range(10):
            if drawing(visit, instrument) != before:
                return True
            visit.page.wait_for_timeout(40)
    return False
