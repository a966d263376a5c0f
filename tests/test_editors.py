"""What editors show of toykit, and what type checkers say of it: no more and no less than there is."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import jedi
import pytest

import toykit as tk

ROOT = Path(tk.__file__).parent
# The rooms with a public face, by what a reader writes.
FACES = {"tk": tk} | {f"tk.{name}": getattr(tk, name) for name in tk.__all__ if (ROOT / name).is_dir()}


def inside(package):
    """The modules and folders in a package's folder."""
    return {path.stem for path in Path(package.__path__[0]).iterdir() if not path.stem.startswith("_")}


def offered(script):
    """What is completed, without names that begin with an underscore."""
    return {found.name for found in script.complete() if not found.name.startswith("_")}


@pytest.mark.parametrize("name", FACES)
def test_notebooks_complete_the_public_names(name):
    assert offered(jedi.Interpreter(f"{name}.", [{"tk": tk}])) == set(FACES[name].__all__)


@pytest.mark.parametrize("name", FACES)
def test_scripts_complete_the_public_names(name):
    script = jedi.Script(f"import toykit as tk\n{name}.", project=jedi.Project(ROOT.parent))
    public = set(FACES[name].__all__)
    # Of every package jedi also offers the files and folders in it, whatever the package says.
    assert public <= offered(script) <= public | inside(FACES[name])


def test_public_names_show_their_signature_and_docstring():
    script = jedi.Script("import toykit as tk\ntk.prune(", project=jedi.Project(ROOT.parent))
    (signature,) = script.get_signatures()
    assert [p.name for p in signature.params][:2] == ["weights", "sparsity"]
    assert signature.docstring(raw=True) == inspect.getdoc(tk.prune)


def test_type_checkers_know_the_public_names(tmp_path):
    public = {f"{face}.{name}" for face, package in FACES.items() for name in package.__all__}
    private = {f"{face}.{name}" for face, package in FACES.items() for name in {"nonsense"} | inside(package)}
    private -= public
    lines = [
        "import toykit as tk",
        *sorted(public | private),
        "reveal_type(tk.prune)",
        "reveal_type(tk.coreml.compress)",
    ]
    path = tmp_path / "script.py"
    path.write_text("\n".join(lines))
    # Run beside pyproject.toml, so that toykit is this one.
    command = [sys.executable, "-m", "basedpyright", "--outputjson", str(path)]
    found = json.loads(subprocess.run(command, cwd=ROOT.parent, capture_output=True, text=True).stdout)
    said = {
        severity: {
            lines[finding["range"]["start"]["line"]]: finding["message"]
            for finding in found["generalDiagnostics"]
            if finding["severity"] == severity
        }
        for severity in ("error", "information")
    }
    assert said["error"].keys() == private
    prune, compress = said["information"].values()
    assert '"(weights: ' in prune and prune.endswith(' -> Sparse"')
    assert '"(package: ' in compress and "plan: " in compress
