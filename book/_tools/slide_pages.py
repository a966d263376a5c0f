"""The HTML of a deck of slides: a page that reads from top to bottom, of which slides.js makes a deck."""

import html
import json
import re
from importlib import import_module

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from toykit.widgets.markup import inline, plain

from . import course, page_figures
from .slide_sources import streams, widget

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="../_static/logo.svg">
<link rel="stylesheet" href="../_static/vendor/reveal/reveal.css">
<link rel="stylesheet" href="../_static/pygments.css">
<link rel="stylesheet" href="../_static/slides.css">
<script src="../_static/storage.js"></script>
<script src="../_static/vendor/reveal/reveal.js"></script>
<script src="../_static/vendor/reveal/notes.js"></script>
<script src="instruments.js"></script>
<script src="../_static/slides.js"></script>
</head>
<body>
<main class="deck"><div class="slides">
{slides}
</div></main>
</body>
</html>
"""
HINTS = """<p class="hints">Next: <kbd>space</kbd>, arrows or a clicker. Notes: <kbd>S</kbd>. All keys: <kbd>?</kbd>.
Print <a href="?print-pdf">the slides</a> or <a href="?print-pdf&amp;showNotes=separate-page">with notes</a>; or
<a href="?page">read as one page</a>.</p>"""


def page(deck, images, kinds):
    """A deck as a page of its own.

    Parameters
    ----------
    deck : Deck
    images : Path
        Where pictures are written.
    kinds : dict
        Gets the class of each widget on the slides, by its name.
    """
    slides, spent = [], 0
    for slide in deck.slides:
        spent += slide.minutes
        body = _body(slide, images, kinds) if slide.at else _opening(deck)
        slides.append(_slide(slide, body, f"{spent:g} of {deck.minutes:g}"))
    return PAGE.format(title=html.escape(f"{deck.caption}: slides"), slides="\n".join(slides))


def _slide(slide, body, clock):
    level = 2 if slide.at else 1
    return f"""<section data-timing="{60 * slide.minutes:g}"><div class="slide {slide.show or "plain"}">
<h{level}>{inline(slide.filled(slide.title))}</h{level}>
{body}
<aside class="notes"><p class="clock">{slide.minutes:g} min; then {clock}</p>
<p>{inline(slide.filled(slide.say))}</p>
<p><strong>Ask:</strong> {inline(slide.filled(slide.ask))}</p></aside>
</div></section>"""


def _opening(deck):
    """What stands on the first slide of a deck: the chapters of the part."""
    chapters = [course.chapters()[name] for name in deck.pages]
    rows = (
        f'<li><a href="../notebooks/{one.page}.html">{one.label}</a> <span>{one.ideas}</span></li>'
        for one in chapters
    )
    length = f'<p class="length">{len(deck.slides)} slides, {deck.minutes:g} minutes</p>'
    return f'{length}<ul class="chapters">{"".join(rows)}</ul>\n{HINTS}'


def _body(slide, images, kinds):
    parts = [f'<p class="big">{inline(slide.filled(slide.big))}</p>'] if slide.big else []
    if slide.show:
        cell = slide.section.cell(slide.show, slide.cell)
        parts.append(_SHOWN[slide.show](slide, cell, images, kinds))
    if slide.text:
        parts.append(f'<p class="words">{inline(_unlinked(slide.text))}</p>')
    where = f"{course.chapters()[slide.section.page].label}: {plain(slide.section.heading)}"
    parts.append(f'<p class="from"><a href="{slide.section.link}">{html.escape(where)}</a></p>')
    return "\n".join(parts)


def _unlinked(text):
    return re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)


def _picture(slide, cell, images, kinds):
    shown = json.loads(json.dumps(cell))  # a cell of its own: `place` changes what it is given
    page_figures.place({"cells": [shown]}, images, "../_images")
    texts = ("".join(output.get("data", {}).get("text/html", "")) for output in shown["outputs"])
    return f'<div class="shown">{next(text for text in texts if "<picture>" in text)}</div>'


def _widget(slide, cell, images, kinds):
    model, fallback = widget(slide.section.page, cell)
    module, _, name = model["state"]["_anywidget_id"].rpartition(".")
    kinds[name] = getattr(import_module(module), name)
    state = {key: value for key, value in model["state"].items() if not key.startswith("_")}
    arrays = {buffer["path"][0]: buffer["data"] for buffer in model.get("buffers", ())}
    data = json.dumps({"state": state, "arrays": arrays}, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<div class="shown" data-widget="{name}" data-prevent-swipe><div class="fits">'
        f'<script type="application/json">{data}</script>{fallback}</div></div>'
    )


def _printed(slide, cell, images, kinds):
    lines = "".join(streams(cell)).rstrip().splitlines()
    first, last = slide.lines or (1, len(lines))
    text = html.escape("\n".join(lines[first - 1 : last]))
    return f'<div class="shown"><pre class="fits">{text}</pre></div>'


def _code(slide, cell, images, kinds):
    lines = "".join(cell["source"]).rstrip().splitlines()
    first, last = slide.lines or (1, len(lines))
    text = highlight("\n".join(lines[first - 1 : last]), PythonLexer(), HtmlFormatter(nowrap=True))
    return f'<div class="shown highlight"><pre class="fits">{text}</pre></div>'


def _table(slide, cell, images, kinds):
    texts = ("".join(output.get("data", {}).get("text/html", "")) for output in cell["outputs"])
    return (
        f'<div class="shown"><div class="fits">{next(text for text in texts if "<table" in text)}</div></div>'
    )


_SHOWN = {"picture": _picture, "widget": _widget, "output": _printed, "code": _code, "table": _table}
