"""The Sphinx extension of this book: it makes the built site complete in itself.

What Jupyter Book writes is meant for a server with a network behind it. Here every file that a page
needs lies beside the page, and a page that is opened from a USB stick works like one that is served.
"""

import json
import re
from pathlib import Path

from docutils import nodes

from . import (
    architecture,
    board,
    board_pictures,
    code_editor,
    command_line,
    course,
    course_map,
    course_pages,
    licences,
    live,
    live_cells,
    live_coding,
    page_figures,
    page_widgets,
    quizzes,
    slides,
    teaching,
    teaching_pages,
    terms,
    to_do,
)
from .execute import WIDGET_VIEW
from .vendor import vendor

ASSETS = Path(__file__).resolve().parents[1] / "_assets"

CORRECTIONS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # A browser refuses to preload a font for a page opened from a file, and says so in its console. The
        # style sheets ask for the same fonts a moment later.
        (r'\s*<link rel="preload" as="font"[^>]*>', ""),
        # Font Awesome comes twice, as a font and as 1.5 MB of script that draws the same icons.
        (r'\s*<script src="[^"]*fontawesome[^"]*all\.min\.js[^"]*"></script>', ""),
        # What remembers must work where the browser lets no page do so, the theme's first script included.
        (
            r'(<html [^>]*data-content_root="([^"]*)"[^>]*>\s*<head>)(?!\s*<script)',
            r'\1\n    <script src="\2_static/storage.js"></script>',
        ),
        # A list of sources claims roles that its items do not fit; as plain paragraphs it is read in full.
        (r'<div role="list" class="citation-list">', '<div class="citation-list">'),
        (r' role="doc-biblioentry"', ""),
        # The arrow that opens a branch of the table of contents has no name.
        (r'<summary>(?=<span class="toctree-toggle")', '<summary aria-label="Show the pages below">'),
        # A table wider than a phone scrolls in a box of its own, which the keyboard can reach.
        (
            r'<div class="pst-scrollable-table-container">',
            '<div class="pst-scrollable-table-container" tabindex="0">',
        ),
    )
]
# Files that the theme copies and no page asks for.
UNUSED = ("**/*.map", "**/fontawesome/**/*.ttf", "**/fontawesome/**/*.js", "locales", "webpack-macros.html")

# The end of a Markdown link from a notebook to a heading of the same notebook, or of another one.
TO_A_HEADING = re.compile(r"\]\((?:\w+\.ipynb)?#[\w-]+\)")
TO_A_TEMPLATE = re.compile(r"\[([^]]+)]\((templates/[^)]+)\)")

# Tag of a cell: (tag that folds it, text while folded, text while open)
FOLDED = {
    "prediction": ("hide-input", "Show the code, which computes the answer", "Hide the code"),
    "solution": ("hide-cell", "Show a solution", "Hide the solution"),
    "hide-input": ("hide-input", "Show the code", "Hide the code"),
    "hide-cell": ("hide-cell", "Show the code and its output", "Hide the code and its output"),
    "hide-output": ("hide-output", "Show the output", "Hide the output"),
}


def add_files(app, config):
    """Put the book's own files, and those that come out of npm, under `_static/`; draw the architecture."""
    config.html_static_path = [*config.html_static_path, str(ASSETS), str(vendor())]
    config.html_css_files = [
        *config.html_css_files,
        "book.css",
        "folds.css",
        "progress.css",
        "quiz.css",
        "weigh.css",
        "course.css",
        "live/cells.css",
    ]
    config.html_js_files = [
        *config.html_js_files,
        "book.js",
        "folds.js",
        "chapters.js",
        "progress.js",
        ("live/live.js", live_script(config)),
        ("live/cells.js", {"defer": "defer"}),
    ]
    if editor := code_editor.editor():
        config.html_static_path.append(str(editor))
    config.html_theme_options["logo"] = {"text": config.html_title, "alt_text": ""}
    config.myst_substitutions["architecture_drawing"] = architecture.drawing()
    config.myst_substitutions["small_explorer"] = page_widgets.small_explorer()
    config.myst_substitutions["architecture_rooms"] = architecture.rooms_in_words()
    config.myst_substitutions |= live.in_words() | licences.in_words()
    config.myst_substitutions |= quizzes.substitutions()
    config.myst_substitutions["progress_table"] = to_do.table()
    config.myst_substitutions["progress_exercises"] = to_do.exercises_table()
    config.myst_substitutions["progress_quizzes"] = to_do.quizzes_table()


def write_scripts(app):
    """Write the scripts that follow from the notebooks and from toykit."""
    from toykit.widgets.package import PackageExplorer

    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    (static / "chapters.js").write_text(to_do.script(), encoding="utf-8")
    (static / "explorer.js").write_text(page_widgets.script("tkExplorer", PackageExplorer), encoding="utf-8")


def live_script(config):
    """What the pages' script is told of the script that holds Python: nothing where Python cannot be had."""
    pack = live.script()
    if pack is None:
        return {"defer": "defer"}
    config.html_static_path.append(str(pack.parents[1]))
    return {"defer": "defer", "data-pack": pack.name, "data-bytes": str(pack.stat().st_size)}


def write_reference(app, document, source):
    """Put the commands as they are now into the page on the command line."""
    if document == "book/command_line":
        source[0] = source[0].replace(command_line.MARK, command_line.reference())


def write_course(app, document, source):
    """Put the map and the routes into the pages that mark a place for them."""
    filled = course_pages.fill(source[0])
    if filled != source[0]:
        source[0] = page_figures.take_out(filled, *images_of(app, document))
        modules = (course_pages, course_map, teaching, teaching_pages, board, board_pictures)
        scripts = live_coding.FOLDER.glob("*.py")
        for file in (
            course.FILE,
            teaching.FILE,
            slides.FILE,
            *scripts,
            *(module.__file__ for module in modules),
        ):
            app.env.note_dependency(str(file))


def images_of(app, document):
    """The folder of the site's pictures, and how a page calls it."""
    return Path(app.outdir, "_images"), f"{'../' * document.count('/')}_images"


def prepare_notebook(app, document, source):
    """Change what is read of a notebook, and not the notebook itself, before its page is made."""
    path = Path(app.env.doc2path(document))
    if path.suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    live_cells.mark(notebook, path)
    course_pages.add_to_notebook(notebook, path.stem)
    for file in (course.FILE, course_pages.FAULTS, course_pages.__file__):
        app.env.note_dependency(str(file))
    name_headings_as_the_site_does(notebook)
    offer_templates(notebook)
    mark_predictions(notebook)
    mark_asides(notebook)
    fold_cells(notebook)
    page_figures.place(notebook, *images_of(app, document))
    source[0] = json.dumps(notebook)


def name_headings_as_the_site_does(notebook):
    """Links to headings are written for JupyterLab, #Two-at-once, where the site has #two-at-once."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            cell["source"] = TO_A_HEADING.sub(lambda link: link[0].lower(), text)


def offer_templates(notebook):
    """Let a link to a notebook that belongs to the learner, and is no page, give the file."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            cell["source"] = TO_A_TEMPLATE.sub(r"{download}`\1 <\2>`", text)


def mark_asides(notebook):
    """Give a section whose heading is in a cell tagged `curious` that word for a class."""
    for cell in notebook["cells"]:
        if "curious" in cell["metadata"].get("tags", []):
            cell["source"] = "{.curious}\n" + "".join(cell["source"])


def fold_asides(app, document, page):
    """Fold sections for the curious; their first paragraph, which says what is in there, stays in sight."""
    for section in document.findall(nodes.section):
        if "curious" in section["classes"]:
            start = '<details class="book-curious"><summary>For the curious; may be skipped</summary>'
            section.insert(2, nodes.raw("", start, format="html"))
            section.append(nodes.raw("", "</details>", format="html"))


def fold_cells(notebook):
    """Fold the cells that are tagged `solution`, and name every fold for what it hides."""
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        for tag, (fold, show, hide) in FOLDED.items():
            if tag in tags:
                prompts = {"code_prompt_show": show, "code_prompt_hide": hide}
                cell["metadata"]["mystnb"] = {**prompts, **cell["metadata"].get("mystnb", {})}
                cell["metadata"]["tags"] = sorted({*tags, fold})
                break


def mark_predictions(notebook):
    """Tag the cells that ask for a prediction: the page folds what stands below them (folds.js)."""
    questions = to_do.predictions(notebook)
    for cell in notebook["cells"]:
        views = (output.get("data", {}).get(WIDGET_VIEW, {}) for output in cell.get("outputs", ()))
        if any(view.get("model_id") in questions for view in views):
            cell["metadata"]["tags"] = sorted({*cell["metadata"].get("tags", ()), "prediction"})


def number_as_readers_do(app, env):
    """Chapter 6b is 6b, and its sections 6b.1 and so on, where Sphinx goes on behind 6.9 with 6.10 and 6.10.1."""
    for page, chapter in course.chapters().items():
        document = f"notebooks/{page}"
        if document not in env.toc_secnumbers or not chapter.number[-1:].isalpha():
            continue
        numbers = env.toc_secnumbers[document]
        outer = len(numbers[""])
        numbers |= {anchor: (chapter.number, *number[outer:]) for anchor, number in numbers.items()}
        for reference in env.tocs[document].findall(nodes.reference):
            reference["secnumber"] = list(numbers[reference["anchorname"]])
        env.titles[document]["secnumber"] = list(numbers[""])
    return []


def finish_site(app, error):
    """Take out of the finished site what only works on a server, and what nothing uses."""
    if error or app.builder.format != "html":
        return
    pages = {*app.env.found_docs, "index", "search", "genindex", "py-modindex"}
    for page in Path(app.outdir).rglob("*.html"):
        if page.relative_to(app.outdir).with_suffix("").as_posix() not in pages:
            page.unlink()  # built from a file that is gone, or that has left the table of contents
            continue
        text = page.read_text(encoding="utf-8")
        finished = text
        for pattern, replacement in CORRECTIONS:
            finished = pattern.sub(replacement, finished)
        if finished != text:
            page.write_text(finished, encoding="utf-8")
    static = Path(app.outdir, "_static")
    pack = live.script()
    for path in static.glob("live/pack-*.js"):
        if pack is None or path.name != pack.name:  # of an earlier build
            path.unlink()
    for pattern in UNUSED:
        for path in static.glob(pattern):
            remove(path)


def write_slides(app, error):
    """Write the decks, which are no pages of the book: they have no place in its contents or its search."""
    if not error and app.builder.format == "html":
        slides.write(Path(app.outdir))


def remove(path):
    """Remove a file, or a folder with all that it holds."""
    if path.is_dir():
        for inner in path.iterdir():
            remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def keep_type_in_words(app, env, node, contents):
    """Show a type such as "(n,) array of float" as the words that it is.

    Docstrings describe arrays in words, and Sphinx takes every word of a type for the name of a class.
    What an author marks as a reference, with a role, stands in a literal and must still lead somewhere.
    """
    if (
        node["refdomain"] == "py"
        and node["reftype"] in ("class", "obj")
        and not isinstance(contents, nodes.literal)
    ):
        return contents
    return None


def keep_plain_text(app, what, name, item, options, lines):
    """Read a docstring as what it looks like, where reStructuredText would see something else.

    |w| is a magnitude and not a substitution. An indented block after a colon is a table or a drawing
    and keeps its lines.
    """
    for number, line in enumerate(lines):
        if "|" in line and not line.lstrip().startswith((">>>", "...")):
            parts = line.split("`")  # even parts stand outside of literals
            parts[::2] = [re.sub(r"\|(?=\S[^|]*\|)|(?<=\S)\|", r"\\|", part) for part in parts[::2]]
            lines[number] = "`".join(parts)
        following = lines[number + 2] if number + 2 < len(lines) and not lines[number + 1].strip() else ""
        indented = len(following) - len(following.lstrip()) > len(line) - len(line.lstrip())
        if indented and re.search(r"\w:$", line) and not re.match(r"\s*(>>>|\.\. |[-*:])", following):
            lines[number] += ":"


def skip_tuple_fields(app, what, name, member, skip, options):
    """Leave out what Python writes about the fields of a named tuple; the class describes them."""
    return True if str(getattr(member, "__doc__", "")).startswith("Alias for field number") else None


def setup(app):
    # Jupyter Book sets this for sphinx_comments, which the book does without.
    app.add_config_value("comments_config", {}, "html")
    app.connect("config-inited", add_files)
    app.connect("builder-inited", write_scripts)
    app.connect("source-read", prepare_notebook)
    app.connect("source-read", write_course)
    app.add_transform(terms.LinkTerms)
    app.connect("html-page-context", live_cells.add_to_page)
    app.connect("source-read", write_reference)
    app.connect("missing-reference", keep_type_in_words)
    app.connect("env-get-updated", number_as_readers_do, priority=900)  # once Sphinx has numbered
    app.connect("doctree-resolved", fold_asides)
    app.connect("autodoc-process-docstring", keep_plain_text)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("build-finished", finish_site)
    app.connect("build-finished", write_slides)
    # The environment holds the numbers: one of another version is made anew.
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
