"""The texts of the licences of all that the site holds, for its page on licences: each as its authors ship it."""

from importlib.metadata import distribution

from .project import ROOT
from .vendor import PACKAGES, vendor

# Packages of Python whose styles and scripts the site holds, with their licences in short.
OF_PYTHON = {
    "sphinx": "BSD, 2 clauses",
    "sphinx-book-theme": "BSD, 3 clauses",
    "pydata-sphinx-theme": "BSD, 3 clauses",
    "sphinx-copybutton": "MIT",
    "sphinx-design": "MIT",
    "sphinx-togglebutton": "MIT",
    "myst-nb": "BSD, 3 clauses",
    "pygments": "BSD, 2 clauses",
    "anywidget": "MIT",
    "ipywidgets": "BSD, 3 clauses",
}
# Packages of npm: licence in short, and where the site keeps the text.
OF_NPM = {
    "mathjax": ("Apache License 2.0", "mathjax/LICENSE"),
    "@jupyter-widgets/html-manager": ("BSD, 3 clauses, as ipywidgets", "embed-amd.LICENSE.txt"),
    "requirejs": ("MIT", "require.js"),
    "reveal.js": ("MIT", "reveal/LICENSE"),
}


def in_words():
    """What the page says of them: {name of the substitution: Markdown}."""
    texts = {
        "MIT License, and what is under which licence": (ROOT / "LICENSE").read_text(encoding="utf-8"),
        "CC BY 4.0, whole": (ROOT / "book" / "CC-BY-4.0.txt").read_text(encoding="utf-8"),
    }
    return {"own_licences": _folds(texts), "site_licences": _table() + "\n\n" + _folds(_of_others())}


def _table():
    lines = ["| program | version | licence |", "|---|---|---|"]
    lines += [f"| {name} | {distribution(name).version} | {short} |" for name, short in OF_PYTHON.items()]
    lines += [f"| {name} | {PACKAGES[name][0]} | {short} |" for name, (short, _) in OF_NPM.items()]
    return "\n".join(lines)


def _of_others():
    """The texts by the names of the programs; RequireJS has its notice at the head of its script, and no other."""
    texts = {}
    for name in OF_PYTHON:
        files = distribution(name).files or ()
        (file,) = [one for one in files if one.name.startswith("LICENSE") and ".dist-info" in str(one)]
        texts[name] = file.locate().read_text(encoding="utf-8")
    for name, (_, place) in OF_NPM.items():
        text = (vendor() / "vendor" / place).read_text(encoding="utf-8")
        texts[name] = text.partition("*/")[0] if place.endswith(".js") else text
    return texts


def _folds(texts):
    return "\n\n".join(
        f"`````{{dropdown}} {name}\n```text\n{text}\n```\n`````" for name, text in texts.items()
    )
