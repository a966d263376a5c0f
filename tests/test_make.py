"""The Makefile and the scripts behind it: targets, pinned files, and what is taken out of pages."""

import errno
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils import nodes

from book._tools import (
    book_site,
    build_book,
    check_python,
    core_ai_packages,
    coverage_by_folder,
    execute,
    install,
    next_version,
    page_weights,
    pin_versions,
    project,
    vendor,
)

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "book" / "_tools"

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


GONE = "ERROR: No matching distribution found for coreai-core==1.0.0b3; extra == 'coreai'\n"


class TestCoreAI:
    """What `make coreai` does where the packages are, where they cannot be, and where something else is wrong."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.setattr(core_ai_packages, "ABSENT", tmp_path / "absent")
        monkeypatch.setattr(core_ai_packages, "core_ai_wheel", lambda: "")

    @staticmethod
    def pip(returncode=0, stderr=""):
        return lambda *command, **options: SimpleNamespace(returncode=returncode, stderr=stderr)

    def test_installs(self):
        core_ai_packages.ABSENT.write_text("an earlier reason")
        assert core_ai_packages.install(self.pip()) == "Core AI's packages are installed."
        assert not core_ai_packages.absence()

    def test_leaves_out_what_has_no_wheel(self, monkeypatch):
        monkeypatch.setattr(
            core_ai_packages, "core_ai_wheel", lambda: "there is no wheel of it for Windows on AMD64"
        )
        assert "no wheel of it for Windows" in core_ai_packages.install(run=None)  # pip is not asked
        assert core_ai_packages.absence() == "there is no wheel of it for Windows on AMD64"

    def test_says_what_has_vanished_from_the_registry(self):
        said = core_ai_packages.install(self.pip(1, GONE))
        assert "the registry has no coreai-core==1.0.0b3. Tests" in said
        assert core_ai_packages.absence() in said

    @pytest.mark.parametrize("stderr", ["ERROR: disk full\n", GONE.replace("coreai-core", "numpy")])
    def test_any_other_failure_is_one(self, stderr, capsys):
        with pytest.raises(SystemExit):
            core_ai_packages.install(self.pip(1, stderr.replace("; extra == 'coreai'", "")))
        assert stderr[:12] in capsys.readouterr().err and not core_ai_packages.absence()


def test_help_lists_every_target_that_a_reader_calls():
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    named = set(re.findall(r"^  make (\S+)", listed.stdout, re.MULTILINE))
    assert {
        "book",
        "serve",
        "lab",
        "coverage",
        "test",
        "notebooks",
        "workshop",
        "constraints",
        "bench",
        "clean",
        "setup",
    } <= named
    phony = set(re.search(r"\.PHONY:((?:.*\\\n)*.*)", MAKEFILE)[1].replace("\\", " ").split())
    assert named <= phony


def test_help_is_what_make_says_by_itself():
    assert (
        subprocess.run(["make", "-n"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.count(
            "awk"
        )
        == 1
    )


CALLED = sorted(set(re.findall(r"\$\(TOOLS\)\.(\w+)", MAKEFILE)))


def test_every_tool_that_make_calls_exists():
    assert len(CALLED) > 10 and {*CALLED} <= {path.stem for path in TOOLS.glob("*.py")}


def test_no_tool_has_the_name_of_another_module():
    """Neither of toykit's, nor the standard library's, nor a package's: it would be taken for that one."""
    toykit = {path.stem for path in (ROOT / "toykit").rglob("*.py")}
    toykit |= {path.name for path in (ROOT / "toykit").rglob("*") if path.is_dir()}
    taken = toykit | sys.stdlib_module_names | packages_distributions().keys() | {"build"}
    assert not {path.stem for path in TOOLS.glob("[a-z]*.py")} & taken


def measure(lines, branches):
    """What coverage says of a file: what was taken and what there is, of its lines and of its branches."""
    names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
    summary = dict(zip(names, (*lines, *branches))) | {"percent_covered_display": "?"}
    return {
        "summary": summary,
        "missing_lines": [7],
        "missing_branches": [[8, -1]],
    }


@pytest.mark.parametrize("covered, ends_with", [(9, None), (8, 1)])
def test_the_small_library_has_to_be_covered_and_the_rest_is_shown(monkeypatch, capsys, covered, ends_with):
    """Of lines and branches together, by folder: 19 of 20 is 95 %."""
    measured = {
        Path("toykit/bits.py"): measure((covered, 10), (6, 6)),
        Path("toykit/joint.py"): measure((0, 0), (4, 4)),
        Path("toykit/kmeans/line.py"): measure((5, 5), (1, 1)),
        Path("toykit/widgets/js.py"): measure((0, 4), (0, 0)),
    }
    monkeypatch.setattr(coverage_by_folder, "measured", lambda data: measured)
    try:
        coverage_by_folder.main()
        ended = None
    except SystemExit as end:
        ended = end.code
    said = capsys.readouterr()
    rows = {words[3]: words[:3] for words in map(str.split, said.out.splitlines()) if len(words) > 3}
    assert rows["toykit/widgets"] == ["0.0%", "100.0%", "0.0%"]
    assert rows["toykit"] == [f"{10 * covered:.1f}%", "100.0%", f"{5 * (10 + covered):.1f}%"]
    assert "toykit/bits.py: 7, 8 to the end" in said.out and "widgets/js.py" not in said.out
    assert ended == ends_with and said.err == (
        "" if ended is None else "Less than 95 % of toykit is tested.\n"
    )


@pytest.mark.parametrize("tool", ["check_python", "install", "clean"])
def test_a_tool_that_runs_before_there_is_an_environment_needs_the_standard_library_alone(tool):
    subprocess.run([sys.executable, "-S", "-c", f"import book._tools.{tool}"], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "version, fits", [((3, 9, 6), False), ((3, 11, 0), True), ((3, 13, 5), True), ((3, 14, 0), False)]
)
def test_a_python_that_does_not_fit_is_refused_with_a_sentence(version, fits):
    said = check_python.complaint(version, "/usr/bin/python3")
    assert (said is None) == fits
    assert fits or "Python 3.11, 3.12 or 3.13 is needed, and /usr/bin/python3 is 3." in said


def test_the_environment_of_the_next_version_finds_all_other_packages(tmp_path):
    packages = Path(pytest.__file__).parents[1]
    make, _, find = next_version.steps(str(packages), tmp_path / "next")
    for command in (make, find):
        subprocess.run(command, check=True)
    found = subprocess.run(
        [
            tmp_path / "next" / "bin" / "python",
            "-c",
            "import pytest, sys; print(pytest.__file__, sys.prefix)",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert found == [pytest.__file__, str(tmp_path / "next")]


def test_an_archive_with_another_digest_is_refused(tmp_path, monkeypatch, capsys):
    archive = tmp_path / "x.tgz"
    archive.write_bytes(b"not what npm signed")
    monkeypatch.setattr(vendor, "npm", lambda: (["true"], {}))
    monkeypatch.setattr(vendor.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 0, "", ""))
    with pytest.raises(SystemExit):
        vendor.fetch("mathjax", "3.2.2", "0" * 86 + "==", tmp_path)
    assert "not the one this book was made with" in capsys.readouterr().err


def test_without_a_network_the_fetching_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(vendor, "npm", lambda: (["false"], {}))
    with pytest.raises(SystemExit):
        vendor.fetch("mathjax", "3.2.2", "", tmp_path)
    assert "needs a network, once" in capsys.readouterr().err


def test_only_the_wanted_files_are_unpacked(tmp_path):
    package = tmp_path / "package"
    for name in ("dist/a.js", "dist/b.woff2", "dist/c.woff2", "dist/d.ttf"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    with tarfile.open(tmp_path / "p.tgz", "w:gz") as tar:
        tar.add(package, "package")
    (tmp_path / "out").mkdir()
    vendor.unpack(tmp_path / "p.tgz", {"dist/a.js": "lib/a.js", "dist/*.woff2": "."}, tmp_path / "out")
    assert sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()
    ) == ["b.woff2", "c.woff2", "lib/a.js"]
    with pytest.raises(SystemExit):
        vendor.unpack(tmp_path / "p.tgz", {"dist/z.js": "z.js"}, tmp_path / "out")


def test_the_folder_of_vendored_files_follows_the_versions(monkeypatch):
    before = vendor.key()
    monkeypatch.setitem(vendor.PACKAGES, "requirejs", ("2.3.9", "digest", {}))
    assert vendor.key() != before


def test_solutions_are_folded_and_other_cells_are_not():
    def cell(*tags):
        return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": ""}

    notebook = {"cells": [cell("solution"), cell("exercise"), cell("hide-input"), cell()], "metadata": {}}
    book_site.fold_cells(notebook)
    solution, exercise, plotting, plain = (c["metadata"] for c in notebook["cells"])
    assert solution["tags"] == ["hide-cell", "solution"]
    assert solution["mystnb"]["code_prompt_show"] == "Show a solution"
    assert plotting["mystnb"]["code_prompt_show"] == "Show the code"
    assert exercise == {"tags": ["exercise"]} and plain == {"tags": []}


def test_a_chapter_below_another_has_its_own_number():
    def numbered(anchor, *number):
        return nodes.reference("", anchor, anchorname=anchor, secnumber=list(number))

    page, plain = "notebooks/06b_which_layers", "notebooks/06_accuracy"
    env = SimpleNamespace(
        toc_secnumbers={
            page: {"": (6, 10), "#a": (6, 10, 1), "#b": (6, 10, 1, 2)},
            plain: {"": (6,), "#a": (6, 1)},
        },
        tocs={
            page: nodes.bullet_list(
                "", numbered("", 6, 10), numbered("#a", 6, 10, 1), numbered("#b", 6, 10, 1, 2)
            ),
            plain: nodes.bullet_list("", numbered("", 6), numbered("#a", 6, 1)),
        },
        titles={page: nodes.title(secnumber=[6, 10]), plain: nodes.title(secnumber=[6])},
    )
    book_site.number_as_readers_do(None, env)
    assert env.toc_secnumbers == {
        page: {"": ("6b",), "#a": ("6b", 1), "#b": ("6b", 1, 2)},
        plain: {"": (6,), "#a": (6, 1)},
    }
    shown = [one["secnumber"] for toc in env.tocs.values() for one in toc.findall(nodes.reference)]
    assert shown == [["6b"], ["6b", 1], ["6b", 1, 2], [6], [6, 1]]
    assert [title["secnumber"] for title in env.titles.values()] == [["6b"], [6]]


def test_a_template_is_a_file_beside_the_notebook_and_a_download_on_the_site():
    path = project.NOTEBOOKS / "18_your_own_model.ipynb"
    notebook = json.loads(path.read_text("utf-8"))
    before = "".join("".join(cell["source"]) for cell in notebook["cells"])
    assert "[own_model.ipynb](templates/own_model.ipynb)" in before
    assert (path.parent / "templates/own_model.ipynb").is_file()
    book_site.offer_templates(notebook)
    after = "".join("".join(cell["source"]) for cell in notebook["cells"])
    assert "{download}`own_model.ipynb <templates/own_model.ipynb>`" in after and "](templates" not in after


def test_a_section_for_the_curious_is_folded_below_its_first_paragraph():
    cell = {
        "cell_type": "markdown",
        "metadata": {"tags": ["curious"]},
        "source": ["## Prices\n", "\n", "One."],
    }
    notebook = {"cells": [cell, {"cell_type": "markdown", "metadata": {}, "source": ["Two."]}]}
    book_site.mark_asides(notebook)
    assert [c["source"][:10] for c in notebook["cells"]] == ["{.curious}", ["Two."]]
    document, section = nodes.document(None, None), nodes.section(classes=["curious"])
    document += section
    section += [nodes.title("", "Prices"), nodes.paragraph("", "One."), nodes.section()]
    book_site.fold_asides(None, document, "page")
    assert [type(node).__name__ for node in section] == ["title", "paragraph", "raw", "section", "raw"]
    assert "<details" in section[2].astext() and section[4].astext() == "</details>"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("The median of |w| and |x| is", r"The median of \|w\| and \|x\| is"),
        ("`a | b` stays, |w| does not", r"`a | b` stays, \|w\| does not"),
        (">>> a |b| c", ">>> a |b| c"),
    ],
)
def test_bars_in_docstrings_are_magnitudes(text, expected):
    lines = [text]
    book_site.keep_plain_text(None, "function", "f", None, None, lines)
    assert lines == [expected]


def test_an_indented_drawing_in_a_docstring_keeps_its_lines():
    lines = ["Lowest bit first:", "", "    1 0 1", "    0 0 1", "", "Parameters:", "", "- x"]
    book_site.keep_plain_text(None, "function", "f", None, None, lines)
    assert lines[0] == "Lowest bit first::" and lines[5] == "Parameters:"


def test_pins_keep_their_comment_and_leave_out_what_a_machine_adds():
    frozen = "torch==2.13.0+cpu\nnumpy==2.5.0\npip==30.0\nnvidia-nccl-cu12==2.2\ntriton==3.0\nBabel==2.18.0\n"
    frozen += "setuptools==84.0\ntoykit==0.1\nappnope==0.1.4"
    assert pin_versions.pinned(frozen, "# why\nnumpy==2.4.6\ngone==1.0\n").splitlines() == [
        "# why",
        "appnope==0.1.4",
        "Babel==2.18.0",
        "numpy==2.5.0",
        "setuptools==84.0",
        "torch==2.13.0",
    ]


def test_every_package_that_any_reader_installs_is_pinned():
    needed = pin_versions.needed(pin_versions.installed())
    assert len(needed) > 100 and not needed.keys() - pin_versions.pins(pin_versions.FILE.read_text())


def test_what_another_system_or_python_needs_is_looked_up(monkeypatch):
    """A requirement counts by its marker and its extra, and what it brings counts, too."""
    known = {
        "toykit": ["a[fast]", "numpy>=2"],
        "numpy": [],
        "a": [
            "for-mac>=2; platform_system == 'Darwin'",
            "for-13; python_version >= '3.13'",
            "never; python_version < '3.11'",
            "speed; extra == 'fast'",
            "slow; extra == 'slow'",
            "windows; os_name == 'nt'",
            "nvidia-x",
            "pip",
        ],
        "speed": [],
    }
    assert pin_versions.needed(known).keys() == {"a", "numpy", "for-mac", "for-13", "speed"}
    asked = []

    def look_up(python, *need):
        asked.append(need)
        return "1.0", ["Inner_Part"] if need[0] == "for-mac" else []

    monkeypatch.setattr(pin_versions, "look_up", look_up)
    assert pin_versions.elsewhere("python", known) == ["for-13==1.0", "for-mac==1.0", "inner-part==1.0"]
    assert [need[0] for need in asked] == ["for-13", "for-mac", "inner-part"]
    assert asked[0][1] == "3.13" and asked[1] == ("for-mac", "3.11", ("macosx_14_0_arm64",), ">=2")


def test_pages_are_weighed_with_the_data_of_their_widgets(tmp_path):
    own = {"_anywidget_id": "toykit.widgets.lloyd.Lloyd", "label": "x"}
    models = {
        "a": {"state": own | {"_esm": "long" * 99}, "buffers": [{"path": ["steps"], "data": "AAAA"}]},
        "b": {"state": {"_model_name": "LayoutModel"}},
    }
    kind = "application/vnd.jupyter.widget-state+json"
    (tmp_path / "a.html").write_text(
        f'<p>é</p><script type="{kind}">{json.dumps({"state": models})}</script>'
    )
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "b.html").write_text("<p>")
    heaviest, other = page_weights.weigh(tmp_path)
    assert heaviest == ("a.html", (tmp_path / "a.html").stat().st_size, [("Lloyd", len(json.dumps(own)) + 4)])
    assert other == ("notebooks/b.html", 3, [])


def test_the_kernel_computes_with_one_thread():
    environment = project.kernel_environment()
    assert environment["OMP_NUM_THREADS"] == environment["VECLIB_MAXIMUM_THREADS"] == "1"


def test_a_kernel_imports_the_toykit_of_this_folder_and_nothing_from_the_caller_s_path(monkeypatch, tmp_path):
    (tmp_path / "toykit.py").write_text("raise SystemExit('of the caller')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = "import toykit, sys; print(toykit.__file__, *sys.path)"
    said = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=project.kernel_environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.startswith(str(ROOT / "toykit" / "__init__.py")) and str(tmp_path) not in said


def test_every_public_module_is_in_the_reference():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("api_*.md"))
    listed = set(re.findall(r"automodule:: toykit\.(\w+)", pages))
    # Read by the modules that are listed, or on the command line only.
    inner = {"cli", "settings", "stored"}
    present = {path.stem for path in (ROOT / "toykit").glob("[a-z]*.py")} | {
        path.parent.name for path in (ROOT / "toykit").glob("[a-z]*/__init__.py")
    }
    assert present - inner == listed


def test_every_chapter_is_in_the_table_of_contents():
    assert sorted(project.shown()) == project.chapters()


def test_the_built_notebooks_name_their_widgets_by_order():
    # Names by chance would change the file at every run.
    for path in project.chapters():
        state = (
            json.loads(path.read_text())["metadata"]
            .get("widgets", {})
            .get(execute.WIDGET_STATE, {})
            .get("state", {})
        )
        assert set(state) <= {
            execute.hashlib.sha256(f"widget {n}".encode()).hexdigest()[:32] for n in range(500)
        }


def test_of_two_that_install_at_once_one_waits_and_finds_it_done(tmp_path, monkeypatch, capsys):
    lists, ready = (tmp_path / "pyproject.toml", tmp_path / "constraints.txt"), tmp_path / ".ready"
    [path.write_text("") for path in lists]
    # It installs until both others wait, however long they take to get there.
    slow = (
        "import os, sys, time\n"
        "while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n"
        "open(sys.argv[1], 'a').write('once ')"
    )
    steps = [("try it", [sys.executable, "-S", "-c", slow, tmp_path / "log", tmp_path / "go"])]
    monkeypatch.setattr(install, "steps", lambda: steps)
    monkeypatch.setattr(install, "LISTS", lists)
    monkeypatch.setattr(install, "READY", ready)
    monkeypatch.setattr(install, "alone", lambda: project.alone(tmp_path / "lock"))
    threads = [threading.Thread(target=install.main) for _ in range(3)]
    [thread.start() for thread in threads]
    said, end = "", time.monotonic() + 60
    while (
        said.count("Another make is at work in this folder: waiting for it.") < 2 and time.monotonic() < end
    ):
        said += capsys.readouterr().out
        time.sleep(0.01)
    (tmp_path / "go").touch()
    [thread.join() for thread in threads]
    assert (tmp_path / "log").read_text() == "once " and install.is_ready()
    assert said.count("Another make") == 2
    os.utime(ready, (0, 0))
    assert not install.is_ready()


def test_an_installation_that_fails_is_not_ready(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        install, "steps", lambda: [("install the packages", ["false"]), ("never", ["touch", tmp_path / "x"])]
    )
    monkeypatch.setattr(install, "READY", tmp_path / ".ready")
    monkeypatch.setattr(install, "alone", lambda: project.alone(tmp_path / "lock"))
    with pytest.raises(SystemExit):
        install.main()
    assert "Could not install the packages; the lines above say why." in capsys.readouterr().err
    assert not (tmp_path / ".ready").exists() and not (tmp_path / "x").exists()


def test_a_lock_goes_with_its_process(tmp_path):
    code = (
        "import os, pathlib; from book._tools import project\n"
        f"with project.alone(pathlib.Path({str(tmp_path / 'lock')!r})): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -9
    with project.alone(tmp_path / "lock"):
        pass


@pytest.mark.parametrize(
    "error, words",
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "_build/x"),
            "stopped. No space left on device: _build/x",
        ),
        (PermissionError(errno.EACCES, "Permission denied"), "stopped. Permission denied"),
        (KeyboardInterrupt(), "was stopped."),
    ],
)
def test_a_tool_that_cannot_go_on_ends_with_a_sentence(error, words, capsys):
    @project.program
    def main():
        raise error

    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.endswith(f"{words}\n") and said.count("\n") == 1


@pytest.mark.parametrize(
    "said, words",
    [
        ("Traceback ...\nOSError: [Errno 28] No space left on device\n", "the disk is full"),
        ("page.md:3: WARNING: no such label\n", "each warning above is an error"),
    ],
)
def test_a_book_that_is_not_built_says_why(said, words, monkeypatch, capsys):
    monkeypatch.setattr(
        build_book.subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, 1, stderr=said)
    )
    with pytest.raises(SystemExit):
        build_book.build()
    shown = capsys.readouterr().err
    assert words in shown and ("Traceback" in shown) == ("Traceback" in said and "full" not in words)
    assert ("no such label" in shown) == ("no such label" in said)
