"""The notebooks in a real JupyterLab: answers and solutions are closed, a prediction asks first, links lead on."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid

import nbformat
import pytest

from book._tools import workshop
from book._tools.project import NOTEBOOKS, kernel_environment

from .visit import WIDE

CHAPTER = "01_where_50_mb.ipynb"
FROM, TO, HEADING = "11_training_time.ipynb", "10_post_training.ipynb", "Two-at-once"
SETTINGS = {
    # All cells are on the page, also those that are out of sight; nobody is asked for news.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
PATIENCE = 120_000  # milliseconds, for a slow machine


@pytest.fixture(scope="module")
def lab(tmp_path_factory, browser):
    """The address of a JupyterLab that shows a chapter as `make lab` does, and its copy for the learner."""
    folder = tmp_path_factory.mktemp("lab")
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    (folder / "root" / "book").mkdir(parents=True)
    for name in (CHAPTER, FROM, TO):
        shutil.copy(NOTEBOOKS / name, folder / "root" / "book")
    workshop.make([NOTEBOOKS / CHAPTER], folder / "root" / "workshop")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    own = {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces"}
    own |= {f"JUPYTER_{name}_DIR": name for name in ("CONFIG", "DATA", "RUNTIME")} | {"IPYTHONDIR": "ipython"}
    options = [
        f"--ServerApp.root_dir={folder / 'root'}",
        f"--ServerApp.port={port}",
        "--IdentityProvider.token=",
    ]
    options += ["--ServerApp.ip=127.0.0.1", "--no-browser", "--expose-app-in-browser"]
    if hasattr(os, "geteuid") and not os.geteuid():
        options.append("--allow-root")  # a container of CI has no other user
    with open(folder / "log", "w") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "jupyter", "lab", *options],
            env=kernel_environment() | {name: str(folder / value) for name, value in own.items()},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    address, last = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE / 1000
    while not answers(f"{address}/api/status"):
        if running.poll() is not None or time.monotonic() > last:
            pytest.fail(f"JupyterLab did not start:\n{(folder / 'log').read_text()[-2000:]}")
        time.sleep(0.2)
    yield address
    running.terminate()
    try:
        running.wait(PATIENCE / 1000)
    except subprocess.TimeoutExpired:  # it waits for a kernel, which ends by itself when its server is gone
        running.kill()


def answers(address):
    try:
        return urllib.request.urlopen(address).status == 200
    except OSError:
        return False


def in_lab(lab, browser, path, count):
    """A notebook in JupyterLab, when all its cells are there."""
    page = browser.new_page(viewport=WIDE)
    page.set_default_timeout(PATIENCE)
    # In a workspace of its own, or it would open what the last one had open, too.
    page.goto(f"{lab}/lab/workspaces/{uuid.uuid4()}/tree/{path}")
    page.wait_for_function(
        "count => document.querySelectorAll('.jp-Notebook .jp-Cell').length === count", arg=count
    )
    return page


@pytest.fixture
def opened(lab, browser, request):
    """A notebook of the folder in JupyterLab, and its cells as they are stored."""
    notebook = nbformat.read(NOTEBOOKS / CHAPTER, as_version=4)
    if request.param == "workshop":
        notebook = workshop.learners_copy(notebook)
    page = in_lab(lab, browser, f"{request.param}/{CHAPTER}", len(notebook.cells))
    yield page, notebook.cells
    page.close()


def hidden(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


@pytest.mark.parametrize("opened", ["book", "workshop"], indirect=True)
def test_answers_and_solutions_are_closed(opened):
    page, cells = opened
    shown = page.locator(".jp-Notebook .jp-Cell")
    closed = [
        number for number in range(len(cells)) if shown.nth(number).locator(".jp-InputPlaceholder").count()
    ]
    assert closed and closed == [number for number, cell in enumerate(cells) if hidden(cell)]
    text = page.locator(".jp-Notebook").inner_text()
    open_lines = {line.strip() for cell in cells if not hidden(cell) for line in cell.source.splitlines()}
    lines = {line.strip() for number in closed for line in cells[number].source.splitlines()[1:]} - open_lines
    secret = [line for line in lines if len(line) > 20]
    assert secret and not [line for line in secret if line in text]


@pytest.mark.parametrize("opened", ["workshop"], indirect=True)
def test_a_prediction_that_is_run_asks_and_stays_closed_until_the_guess(opened):
    page, cells = opened
    number = next(n for n, cell in enumerate(cells) if "widgets.predict(" in cell.source)
    page.evaluate(
        """async number => {
          await jupyterapp.restored;
          const panel = jupyterapp.shell.currentWidget;
          await panel.sessionContext.ready;
          panel.content.activeCellIndex = number;
          await jupyterapp.commands.execute("notebook:run-all-above");
          panel.content.activeCellIndex = number;
          await jupyterapp.commands.execute("notebook:run-cell");
        }""",
        number,
    )
    cell = page.locator(".jp-Notebook .jp-Cell").nth(number)
    readout = cell.locator("[data-instrument=predict] .tk-readout")
    readout.wait_for(state="attached")
    assert readout.inner_text() == "" and cell.locator(".jp-InputPlaceholder").count()
    cell.get_by_role("button", name="This is my guess").click()
    assert "You said" in readout.inner_text()


def test_a_link_leads_to_its_heading_and_another_opens_the_notebook_that_has_it(lab, browser):
    count = len(nbformat.read(NOTEBOOKS / FROM, as_version=4).cells)
    page = in_lab(lab, browser, f"book/{FROM}", count)
    shown, link = ".jp-NotebookPanel:not(.lm-mod-hidden)", "a:not(.jp-InternalAnchorLink)"
    in_view = f"""() => {{
      const box = document.querySelector("{shown} [data-jupyter-id='{HEADING}']")?.getBoundingClientRect();
      return box && box.height > 0 && box.top >= 0 && box.top < innerHeight;
    }}"""
    assert not page.evaluate(in_view)
    page.locator(f"{shown} {link}[href='#{HEADING}']").click()
    page.wait_for_function(in_view)
    page.locator(f"{shown} {link}[href*='{TO}'][href$='#{HEADING}']").click()
    title = nbformat.read(NOTEBOOKS / TO, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")
    page.locator(f"{shown} h1", has_text=title).wait_for(state="attached")
    page.locator(f"{shown} [data-jupyter-id='{HEADING}']").wait_for()
    page.close()
