"""The kit: what is in it, under which names, and its installer, which needs no network and says why it stops."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

from book._tools import kit, wheelhouse, workshop
from book._tools.project import NOTEBOOKS
from tests.nightly import nightly
from toykit import doctor

SOURCE = kit.SOURCES / "install.py"
TEMPLATE = (kit.SOURCES / "index.html").read_text(encoding="utf-8")
RIGHT = ["toykit-kit/site/index.html", "toykit-kit/wheelhouse/torch-2.13.0+cpu-cp311.whl", "a/console.html"]
# A program that stands in for toykit, to be installed.
MAIN = "import sys\ndef main(): print('looked at', *sys.argv[1:])\n"


def test_names_that_every_system_takes_are_no_fault():
    assert kit.bad_names(RIGHT) == []


@pytest.mark.parametrize(
    "name, why",
    [
        ("a/what?.md", "Windows"),
        ("a/aux.md", "Windows"),
        ("NUL", "Windows"),
        ("a/end./b", "Windows"),
        ("a/näme", "Windows"),
        ("a/" + "b" * 140, "longer"),
        ("A/CONSOLE.html", "capitals"),
    ],
)
def test_a_name_that_some_system_refuses_is_said(name, why):
    (said,) = kit.bad_names([*RIGHT, name])
    assert why in said


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A site of the pages that the start page leads to, in the place of the built one."""
    pages = re.findall(r'href="site/([^"#]+)', TEMPLATE)
    for name in {*pages, ".buildinfo"}:
        (tmp_path / "html" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "html" / name).write_text(name)
    monkeypatch.setattr(kit, "HTML", tmp_path / "html")
    return tmp_path / "html"


def test_a_small_kit_has_all_that_its_start_page_names_and_the_same_bytes_each_time(site, tmp_path):
    made = kit.make(tmp_path / "one", wheels=False)
    with zipfile.ZipFile(made) as archive:
        names = set(archive.namelist())
        page = archive.read("toykit-kit/index.html").decode()
    links = {link.partition("#")[0] for link in re.findall(r'href="([^"]+)"', page)}
    assert {f"toykit-kit/{link}" for link in links} <= names and "instructor/index.html" in links
    assert (
        "toykit-kit/notebooks/02_pruning.ipynb" in names
        and "toykit-kit/notebooks/data/crepe_whole.csv" in names
    )
    assert not any("/." in name or "wheelhouse" in name or name.endswith("install.py") for name in names)
    assert "small kit" in page and "install.py" not in page and "$" not in page
    assert kit.make(tmp_path / "two", wheels=False).read_bytes() == made.read_bytes()
    assert [path.name for path in (tmp_path / "two").iterdir()] == [made.name]


def test_without_a_site_and_with_a_bad_name_there_is_no_kit(site, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(kit.instructor, "write", lambda folder: None)
    monkeypatch.setattr(kit.workshop, "make", lambda *arguments: None)
    (site / "aux.html").write_text("")
    with pytest.raises(SystemExit):
        kit.make(tmp_path / "kit", wheels=False)
    (site / "index.html").unlink()
    with pytest.raises(SystemExit):
        kit.make(tmp_path / "kit", wheels=False)
    said = capsys.readouterr().err
    assert "site/aux.html: Windows takes no such name" in said and "'make book'" in said
    assert not any((tmp_path / "kit").iterdir())


@pytest.mark.parametrize(
    "system, shown",
    [
        ("Windows", ["py -3.12 install.py", r".venv\Scripts\jupyter lab"]),
        ("Darwin", ["macOS", ".venv/bin/jupyter"]),
    ],
)
def test_the_start_page_of_a_large_kit_has_the_commands_of_its_system(tmp_path, system, shown):
    made_for = {"python": [3, 12], "command": "py -3.12", "system": system, "machine": "x", "bytes": 2e9}
    file = tmp_path / wheelhouse.MADE_FOR
    file.write_text(json.dumps(made_for))
    page = kit.start_page({f"wheelhouse/{file.name}": file}, TEMPLATE)
    assert all(words in page for words in [*shown, "2.0 GB"]) and "small kit" not in page


def installer():
    spec = importlib.util.spec_from_file_location("kit_installer", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "version, system, machine, free, said",
    [
        ((3, 11, 9), "Linux", "x86_64", 3e9, None),
        ((3, 13, 0), "Linux", "x86_64", 3e9, "python3.11 install.py"),
        ((3, 11, 9), "Darwin", "arm64", 3e9, "this is Darwin on arm64. The book works here all the same"),
        ((3, 11, 9), "Linux", "x86_64", 1e9, "2.0 GB are needed"),
    ],
)
def test_a_computer_that_does_not_fit_is_told_so(version, system, machine, free, said):
    made_for = {
        "python": [3, 11],
        "command": "python3.11",
        "system": "Linux",
        "machine": "x86_64",
        "bytes": 2e9,
    }
    found = installer().complaint(made_for, version, system, machine, free)
    assert found is None if said is None else said in found


def wheel(folder):
    """A wheel of a program `toykit`, of one file."""
    about = "toykit-9.dist-info"
    files = {
        "toykit.py": MAIN,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: toykit\nVersion: 9\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\ntoykit = toykit:main\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(folder / "toykit-9-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return folder / "toykit-9-py3-none-any.whl"


def install(folder, home):
    """Run the installer where pip is told to look elsewhere, with nothing at home."""
    environment = {
        "HOME": str(home),
        "PATH": os.defpath,
        "PIP_INDEX_URL": "nowhere",
        "PYTHONPATH": "nowhere",
    }
    return subprocess.run(
        [sys.executable, "install.py"], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_installer_holds_to_the_digests_and_goes_on_from_where_it_stopped(tmp_path):
    folder, home = tmp_path / "a kit", tmp_path / "home"
    for path in (home, folder / "wheelhouse", folder / "networks" / "part"):
        path.mkdir(parents=True)
    shutil.copy(SOURCE, folder)
    (folder / "networks" / "part" / "weights.bin").write_bytes(b"1")
    line = wheelhouse.locked(wheel(folder / "wheelhouse"))
    lock, made_for = folder / "wheelhouse" / wheelhouse.LOCK, folder / "wheelhouse" / wheelhouse.MADE_FOR
    made_for.write_text(json.dumps(wheelhouse.described(1)))
    lock.write_text(re.sub("sha256:.", lambda found: f"sha256:{int(found[0][-1], 16) ^ 1:x}", line))
    before = {path.name for path in folder.iterdir()}
    other = install(folder, home)
    assert (
        other.returncode
        and "DO NOT MATCH" in other.stderr
        and "Could not install the packages" in other.stderr
    )
    lock.write_text(wheelhouse.HEAD + line)
    done = install(folder, home)
    assert done.returncode == 0, done.stderr
    assert "looked at doctor" in done.stdout and "jupyter lab notebooks" in done.stdout
    assert (folder / ".venv" / "share" / "toykit" / "part" / "weights.bin").read_bytes() == b"1"
    assert {path.name for path in folder.iterdir()} == before | {".venv"} and not any(home.iterdir())


def test_doctor_holds_a_kit_to_its_lock(tmp_path):
    assert doctor.home(tmp_path / ".venv") == Path(doctor.__file__).parents[1]
    (tmp_path / "wheelhouse").mkdir()
    lock = tmp_path / doctor.LOCK
    lock.write_text(wheelhouse.HEAD + f"pytest=={pytest.__version__} --hash=sha256:0\n")
    assert doctor.home(tmp_path / ".venv") == tmp_path
    (found,) = doctor.packages(tmp_path)
    assert (found.status, found.found) == ("ok", "all 1 of the kit")
    lock.write_text(lock.read_text() + "pytest==1 --hash=sha256:0\nno_such_package==1 --hash=sha256:0\n")
    (found,) = doctor.packages(tmp_path)
    assert (
        found.status == "problem"
        and "pytest, no_such_package" in found.found
        and "install.py" in found.advice
    )


# Runs in the kit's own environment: the first exercise of a chapter, with an answer in the place of its stub.
SOLVE = """
import nbformat, sys
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600).execute()
print([output for cell in notebook.cells for output in cell.get("outputs", ())][-1])
"""


@nightly
def test_nightly_a_large_kit_installs_without_a_network_and_a_first_exercise_passes(site, tmp_path):
    made, home = kit.make(tmp_path / "made"), tmp_path / "home"
    home.mkdir()
    with zipfile.ZipFile(made) as archive:
        archive.extractall(home)
    made.unlink()
    folder = home / kit.TOP
    # Where the system allows it, there is no network; elsewhere pip is told to ask none, and that is what is tested.
    alone = (
        ["unshare", "-rn"]
        if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
        else []
    )
    environment = {"HOME": str(home), "PATH": os.defpath}

    def run(*command):
        done = subprocess.run([*alone, *command], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Everything that the book needs is here." in run(sys.executable, "install.py")
    notebook = workshop.answered(nbformat.read(NOTEBOOKS / "02_pruning.ipynb", as_version=4))
    first = next(n for n, cell in enumerate(notebook.cells) if "exercise" in workshop.tags(cell))
    notebook.cells = notebook.cells[: first + 2]
    nbformat.write(notebook, folder / "notebooks" / "solved.ipynb")
    (folder / "solve.py").write_text(SOLVE)
    up = (
        "ip link set lo up && exec " if alone else "exec "
    )  # the notebook's kernel is asked over the loopback
    assert "passed" in run("sh", "-c", f"{up} .venv/bin/python solve.py notebooks/solved.ipynb")
