"""Look over the sources of the book before anything is built: links inside it, spelling, and a few rules of style.

    python -m book._tools.prose      part of `make lint`

Spelling is codespell's, with its options in pyproject.toml; it reads code and comments, too. The rules of style
are for what stands in pages and in the text of notebooks. A rule is here if it has a reason and no exceptions.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from .course import anchor, headings_in
from .project import ROOT, chapters, fail, program, say

PAGES = ("*.md", "book/*.md", "notebooks/data/*.md")
SPELLED = (
    "book",
    "toykit",
    "notebooks/data/README.md",
    "Makefile",
    "pyproject.toml",
    "_config.yml",
    "_toc.yml",
)
# What is wrong, and what to do about it.
RULES = {
    r"—": "no dash of this length: two sentences, a colon or brackets",
    r"[“”‘’]": "straight quotation marks, as in code",
    r"[a-z]!(?=\s|$)": "no exclamation mark",
    r"\b(?:\w+n't|it's|let's|(?:you|we)'(?:re|ll|ve))\b": "written out: is not, it is",
    r"\b(?:e\.g\.|i\.e\.|etc\.)": "in words: for example, that is, and so on",
    r"\bin order to\b": "to",
    r"\b(?:simply|obviously|trivially|basically|actually)\b": "says nothing, or that the reader is slow",
    r"\b(?:leverag\w+|utili[sz]\w+|seamless\w*|powerful|blazing\w*|delv\w+)\b": "praise: say what it does",
    r"\b(?:cutting-edge|state-of-the-art|game-chang\w+)\b": "praise: give the number",
    r"\b(?:colors?|behaviors?|center|gray|neighbors?|modeled|labeled|favor)\b": "colour, centre: as elsewhere",
    r"\b(\w{2,}) \1\b": "the same word twice",
}
# Code, formulas, names in roles, addresses: no prose.
BLOCK = re.compile(r"^ *(`{3,}|~{3,}|\$\$).*?^ *\1", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`[^`]*`|\$[^$\n]+\$|\]\([^)]*\)|<[^>\n]*>|\"[^\"\n]*\"")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def texts():
    """The prose of the project by where it stands: a page, or a cell of a notebook."""
    found = {
        str(path.relative_to(ROOT)): path.read_text("utf-8") for glob in PAGES for path in ROOT.glob(glob)
    }
    for path in chapters():
        for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"]):
            if cell["cell_type"] == "markdown":
                found[f"{path.relative_to(ROOT)}: cell {number}"] = "".join(cell["source"])
    return found


def blanked(pattern, text):
    """The text with spaces in the place of what a pattern finds: all else stays in its line."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def style_faults(text):
    """Each breach of a rule as (line, what stands there, the rule)."""
    prose = blanked(INLINE, blanked(BLOCK, text))
    return [
        (prose.count("\n", 0, found.start()) + 1, found[0], rule)
        for pattern, rule in RULES.items()
        for found in re.finditer(pattern, prose, re.IGNORECASE)
    ]


def link_faults(page, text, root=ROOT):
    """The links of a page that lead to no file, or to no heading of it, as (line, address, what is missing)."""
    prose, faults = blanked(re.compile(r"`[^`\n]*`"), blanked(BLOCK, text)), []
    for found in LINK.finditer(prose):
        address, _, place = found[1].partition("#")
        if re.match(r"\w+:", address) or "{{" in address or not re.search(r"[./]|^$", address):
            continue  # elsewhere, filled in when the book is built, or a label, which Sphinx looks up
        target = (root / page).parent / unquote(address) if address else root / page
        line = prose.count("\n", 0, found.start()) + 1
        if not target.exists():
            faults.append((line, found[1], "leads to no file"))
        elif place and place.lower() not in places(target):
            faults.append((line, found[1], "leads to no heading"))
    return faults


def places(path):
    """The ends of addresses that a page or a notebook has: those of its headings, and its labels."""
    text = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    labels = {label.lower() for label in re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE)}
    return labels | {anchor(words)[1:].lower() for _, words in headings_in(text)}


def spelling_faults(paths, notebooks):
    """What codespell says of files, and of the text and code of notebooks, whose outputs are none of its business."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in notebooks:
            cells = json.loads(path.read_text("utf-8"))["cells"]
            Path(scratch, path.name).write_text("\n".join("".join(cell["source"]) for cell in cells), "utf-8")
        command = [sys.executable, "-m", "codespell_lib", *paths, scratch]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.stderr or done.returncode not in (0, 65):  # 65: it found something
            fail(f"codespell stopped: {done.stderr or done.returncode}")
        return done.stdout.replace(f"{scratch}/", "notebooks/").splitlines()


def faults():
    """Everything that is wrong, a line each."""
    found = spelling_faults([*SPELLED, *map(str, ROOT.glob("*.md"))], chapters())
    for place, text in texts().items():
        all_of_it = style_faults(text) + link_faults(place.partition(":")[0], text)
        found += [f"{place}:{line}: {words}: {why}" for line, words, why in sorted(all_of_it)]
    return found


@program
def main():
    if found := faults():
        fail("\n".join(found))
    say("Links, spelling and style: no fault.")


if __name__ == "__main__":
    main()
