"""The Sphinx extension of this book: it makes the built site complete in itself.

What Jupyter Book writes is meant for a server with a network behind it. Here every file that a page
needs lies beside the page, and a page that is opened from a USB stick works like one that is served.
"""

import re
from pathlib import Path

from vendor import vendor

ASSETS = Path(__file__).resolve().parents[1] / "_assets"

# A browser refuses to preload a font for a page opened from a file, and says so in its console. The
# style sheets ask for the same fonts a moment later.
FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


def add_files(app, config):
    """Put the book's own files, and those that come out of npm, under `_static/`."""
    config.html_static_path = [*config.html_static_path, str(ASSETS), str(vendor())]
    config.html_css_files = [*config.html_css_files, "book.css"]


def finish_pages(app, error):
    """Take out of the finished pages what only works on a server."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        finished = FONT_PRELOAD.sub("", text)
        if finished != text:
            page.write_text(finished, encoding="utf-8")


def setup(app):
    # Jupyter Book sets this for sphinx_comments, which the book does without.
    app.add_config_value("comments_config", {}, "html")
    app.connect("config-inited", add_files)
    app.connect("build-finished", finish_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
