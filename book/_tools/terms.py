"""Terms of the glossary, linked where a chapter first uses them, and entered in the index.

Which words are terms is read from book/glossary.md. They are looked for in what a reader reads: not in headings, code,
formulas and links. A word that has another meaning, too, such as "code", is linked only where a chapter says so with
``{term}``: `BY_HAND` names them.
"""

import functools
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from . import course
from .project import ROOT

GLOSSARY = ROOT / "book" / "glossary.md"
# These words mean other things in these chapters as well.
BY_HAND = {"attention", "block", "code", "index", "schedule", "seed", "state", "tap"}
_APART = (
    nodes.title,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.reference,
    nodes.raw,
    nodes.thead,
    nodes.admonition,
    nodes.caption,
    addnodes.pending_xref,
)


@functools.cache
def headwords():
    """The terms of the glossary, in its order."""
    text = GLOSSARY.read_text(encoding="utf-8")
    inside = re.search(r"^```\{glossary\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[1]
    return [line.strip("`") for line in re.findall(r"^(\S.*)$", inside, re.MULTILINE)]


@functools.cache
def forms():
    """Each form in which a term may be met, with the headword that it leads to."""
    found = {}
    for headword in headwords():
        name, _, short = headword.partition(" (")
        for form in filter(None, (name, short.rstrip(")"))):
            if form not in BY_HAND:
                found |= dict.fromkeys((form, f"{form}s", re.sub(r"y$", "ies", form)), headword)
    return found


@functools.cache
def pattern():
    """Finds any form: with capitals as it is written, and without them at the start of a sentence, too."""
    longest = sorted(forms(), key=len, reverse=True)
    words = (
        re.escape(form) if form != form.lower() else f"(?i:{re.escape(form[0])}){re.escape(form[1:])}"
        for form in longest
    )
    return re.compile(rf"(?<![\w/.-])(?:{'|'.join(words)})(?![\w/-]|\.\w)")


def headword_of(word):
    """The headword that a word in a text leads to."""
    return forms().get(word) or forms()[word[0].lower() + word[1:]]


class LinkTerms(SphinxTransform):
    """Links the first use of each term in a chapter; what an author has linked later is then plain text."""

    default_priority = 700  # before Sphinx collects what is to be resolved and what goes into the index

    def apply(self):
        page = self.env.docname.removeprefix("notebooks/")
        chapter = course.chapters().get(page)
        if chapter is None:
            return
        self.env.note_dependency(str(GLOSSARY))
        seen = set()
        for node in list(
            self.document.findall(lambda node: isinstance(node, nodes.Text | addnodes.pending_xref))
        ):
            if isinstance(node, nodes.Text):
                if not _apart(node):
                    self._link(node, seen, chapter)
            elif node.get("reftype") == "term":
                term = node["reftarget"].lower()
                if term in seen:
                    node.replace_self(nodes.inline("", node.astext()))
                elif term in {headword.lower() for headword in headwords()}:
                    seen.add(term)
                    node.parent.insert(node.parent.index(node), self._entry(node["reftarget"], chapter))

    def _link(self, node, seen, chapter):
        made, rest = [], 0
        text = node.astext()
        for match in pattern().finditer(text):
            headword = headword_of(match[0])
            if headword.lower() in seen:
                continue
            seen.add(headword.lower())
            link = addnodes.pending_xref(
                "",
                nodes.inline("", match[0], classes=["xref", "std", "std-term"]),
                refdomain="std",
                reftype="term",
                reftarget=headword,
                refexplicit=True,
                refwarn=True,
                refdoc=self.env.docname,
            )
            made += [nodes.Text(text[rest : match.start()]), *self._entry(headword, chapter), link]
            rest = match.end()
        if made:
            node.parent.replace(node, [*made, nodes.Text(text[rest:])])

    def _entry(self, headword, chapter):
        """What the index says of this place: the term, and below it the chapter."""
        place = nodes.target("", "", ids=["term-here-" + re.sub(r"\W+", "-", headword.lower()).strip("-")])
        self.document.note_explicit_target(place)
        entry = addnodes.index(entries=[("single", f"{headword}; {chapter.name}", place["ids"][0], "", None)])
        return [entry, place]


def _apart(node):
    """Whether a text stands where no term is linked."""
    while node := node.parent:
        if isinstance(node, _APART) or "cell_output" in node.get("classes", ()):
            return True
    return False
