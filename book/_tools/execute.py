"""Run notebooks and store their outputs in place: `make notebooks`, or `make notebooks NB=...` for one.

What is stored is as free of chance as it can be, so that running a notebook again changes the file
only where the results changed: no execution times, no random widget names, no interpreter version.
"""

import argparse
import hashlib
import os
import re
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from .project import ROOT, chapters, fail, kernel_environment, say
from .stored_widgets import WIDGET_STATE

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
TIMEOUT = 900  # seconds for one cell; a chapter that needs this long has other problems


def execute(path):
    """Run the notebook at `path` and replace the file by one that holds the outputs.

    The file is written beside the old one and then renamed, so that a run that fails or is stopped
    leaves the old outputs as they were.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises, and is not tagged `raises-exception`.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.pop("widgets", None)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        # The kernel says on every start that it talks over TCP; it does so on this computer only.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    client.execute(env=kernel_environment())
    normalise(notebook)
    temporary = path.with_suffix(".ipynb.tmp")
    try:
        text = nbformat.writes(notebook, version=4)
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def normalise(notebook):
    """Remove from an executed `notebook`, in place, what differs from run to run or machine to machine."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    widgets = notebook.metadata.get("widgets")
    notebook.metadata.clear()
    notebook.metadata.update(kernelspec=dict(KERNELSPEC), language_info=dict(LANGUAGE))
    if widgets and widgets.get(WIDGET_STATE, {}).get("state"):
        notebook.metadata["widgets"] = widgets
    for number, cell in enumerate(notebook.cells):
        # Ids by position rather than by chance; they only need to be unique within the file.
        cell["id"] = f"cell-{number:03d}"
        cell.metadata.pop("execution", None)
        cell.metadata.pop("collapsed", None)
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "code":
            cell["outputs"] = merge_streams(cell.outputs)
    rename_widgets(notebook)


def merge_streams(outputs):
    """Join neighbouring chunks of one stream: how output is cut into chunks depends on timing."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def rename_widgets(notebook):
    """Replace the random ids of widget models by ids that follow from their order of creation."""
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    names = {old: hashlib.sha256(f"widget {n}".encode()).hexdigest()[:32] for n, old in enumerate(state)}
    if not names:
        return
    pattern = re.compile("|".join(map(re.escape, names)))

    def replace(value):
        if isinstance(value, str):
            return pattern.sub(lambda match: names[match[0]], value) if len(value) < 1000 else value
        if isinstance(value, dict):
            return {names.get(key, key): replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        return value

    notebook.metadata["widgets"] = nbformat.from_dict(replace(notebook.metadata["widgets"]))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view:
                output.data[WIDGET_VIEW] = replace(view)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "notebook", nargs="*", type=Path, help="notebooks to run; all of them if none is named"
    )
    paths = [path.resolve() for path in parser.parse_args().notebook] or chapters()
    missing = [path for path in paths if not path.is_file()]
    if missing:
        fail(f"There is no notebook {missing[0]}.")
    for number, path in enumerate(paths, 1):
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        say(f"[{number}/{len(paths)}] running {name}")
        start = time.perf_counter()
        try:
            execute(path)
        except CellExecutionError as error:
            fail(f"{name}: a cell failed; the file was left as it was.\n{error}")
        say(f"[{number}/{len(paths)}] stored {name} ({time.perf_counter() - start:.1f} s)")


if __name__ == "__main__":
    main()
