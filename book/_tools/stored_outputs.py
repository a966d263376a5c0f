"""Check what is stored in a notebook, without running it.

nbval compares what a cell prints now with what is stored, and has two blind spots: a cell that was
never run is compared with nothing, and an output that names a path, a host or a duration agrees on
one machine and on no other. Both are found here, from the text of the notebook alone.
"""

import ast
import json
import platform
import re

from IPython.core.inputtransformer2 import TransformerManager

from toykit.plots.vector import NARROW

from .page_figures import WIDE

# Tags of cells whose output is shown and not compared.
NOT_COMPARED = {"nbval-ignore-output", "measured", "nbval-skip"}
# A cell with this tag prints durations that somebody published, or that are computed from them.
CITED = "cited"
LARGEST = 3_000_000  # bytes of one notebook
LARGEST_FIGURE = 100_000  # bytes of one drawing
FIGURES = (WIDE, NARROW, "image/png")

# Calls that return nothing although they end a cell. All others are taken to show something.
SILENT_CALLS = {
    "append",
    "clear",
    "extend",
    "filterwarnings",
    "manual_seed",
    "mkdir",
    "seed",
    "set_num_threads",
    "set_printoptions",
    "simplefilter",
    "sort",
    "unlink",
    "update",
    "use_style",
    "write_bytes",
    "write_text",
    "rmtree",
    "load_state_dict",
    "save",
}
SHOWING_CALLS = {"display", "print", "show"}

PATTERNS = {
    "an absolute path": re.compile(
        r"(?<![\w.:/])/(?:home|Users|root|tmp|private|var|usr|opt|mnt|work|content)/[\w.-]+|\b[A-Z]:\\\w+"
    ),
    "a memory address": re.compile(r"\b0x[0-9a-f]{7,16}\b"),
    "a host name": re.compile(r"\b[\w-]+\.(?:local|lan|internal|localdomain)\b"),
    "a clock time": re.compile(r"\b\d{1,2}:\d{2}:\d{2}\b"),
    "a number with more than nine decimals": re.compile(r"\b\d+\.\d{10,}"),
}
DURATION = re.compile(
    r"(?<![\w.])\d+(?:\.\d+)?\s?(?:ns|us|µs|μs|ms|s|sec|secs|seconds|minutes|it/s)(?![\w-])"
    r"|\b(?:Wall time|CPU times)\b"
)


def read(path):
    """Return the notebook at `path` as plain JSON."""
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(notebook):
    """Yield (position, source, tags, cell) of every code cell that holds code."""
    for number, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.strip():
            yield number, source, set(cell["metadata"].get("tags", ())), cell


def syntax_tree(source):
    """Parse the source of a cell; IPython's magics become ordinary calls."""
    return ast.parse(TransformerManager().transform_cell(source))


def called(node):
    """Return the last part of the name of the function that the expression `node` calls, or ""."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def shows_something(source):
    """Tell whether a cell with this source should leave an output when it is run.

    It should if its last statement is an expression whose value Jupyter shows, or if it prints,
    displays or shows a figure outside of a function of its own.
    """
    statements = syntax_tree(source).body
    if not statements:
        return False
    last = statements[-1]
    shown = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
    if shown and not isinstance(last.value, ast.Constant) and not silent(last.value):
        return True
    return any(called(node) in SHOWING_CALLS and not silent(node) for node in run_now(statements))


def silent(node):
    """Tell whether an expression leaves no output: a call that returns nothing, or prints elsewhere."""
    elsewhere = isinstance(node, ast.Call) and any(keyword.arg == "file" for keyword in node.keywords)
    return called(node) in SILENT_CALLS or (called(node) == "print" and elsewhere)


def run_now(statements):
    """Yield the nodes that run with the cell for certain: bodies of functions, classes and ifs do not."""
    waiting = list(statements)
    later = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.If, ast.IfExp, ast.Try)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, later):
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def broken(path):
    """Return why the notebook at `path` cannot be shown, one sentence a fault."""
    faults = []
    for number, source, tags, cell in code_cells(read(path)):
        outputs = cell["outputs"]
        where = f"cell {number} ({source.strip().splitlines()[0][:50]})"
        errors = [output for output in outputs if output["output_type"] == "error"]
        if errors and "raises-exception" not in tags:
            faults.append(f"{where} ended in an error: {errors[0]['ename']}: {errors[0]['evalue'][:100]}")
        if "raises-exception" in tags and not errors:
            faults.append(f"{where} is tagged raises-exception and holds no error")
        if cell["execution_count"] is None and "nbval-skip" not in tags:
            faults.append(f"{where} has not been run: 'make notebooks NB=...' runs it")
        elif not outputs and "exercise" not in tags and shows_something(source):
            faults.append(f"{where} should show something and has no stored output")
    return faults


def texts(output):
    """Yield what a reader sees as text in one stored output."""
    yield "".join(output.get("text", ""))
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/"):
            value = "".join(value)
            if kind == "text/html":
                value = re.sub(
                    r"<style.*?</style>|<script.*?</script>|<svg.*?</svg>|<[^>]*>",
                    " ",
                    value,
                    flags=re.DOTALL,
                )
            yield value


def chance(path):
    """Return what in the stored outputs depends on the machine or the moment, one sentence a find."""
    finds = []
    host = platform.node()
    for number, source, tags, cell in code_cells(read(path)):
        where = f"cell {number} ({source.strip().splitlines()[0][:50]})"
        if tags & NOT_COMPARED:
            continue
        for output in cell["outputs"]:
            if output.get("name") == "stderr":
                finds.append(f"{where} stored a warning: {''.join(output['text']).strip()[:100]}")
            for text in texts(output):
                patterns = PATTERNS if CITED in tags else {**PATTERNS, "a duration": DURATION}
                finds += [
                    f"{where} stored {name}: {match[0]}"
                    for name, pattern in patterns.items()
                    if (match := pattern.search(text))
                ]
                if len(host) > 4 and re.search(rf"\b{re.escape(host)}\b", text):
                    finds.append(f"{where} stored the name of this computer")
    return finds


def untidy(path):
    """Return faults in the notebook's metadata, its size, and figures that lack a description."""
    notebook = read(path)
    faults = []
    extra = sorted(set(notebook["metadata"]) - {"kernelspec", "language_info", "widgets"})
    if extra:
        faults.append(f"the notebook's metadata holds {', '.join(extra)}")
    kernel = notebook["metadata"].get("kernelspec", {})
    if kernel.get("name") != "python3" or kernel.get("display_name") != "Python 3":
        faults.append(f"the kernel is {kernel.get('display_name')!r}, not 'Python 3'")
    if "version" in notebook["metadata"].get("language_info", {}):
        faults.append("the metadata names the version of one machine's Python")
    if path.stat().st_size > LARGEST:
        faults.append(f"the file takes {path.stat().st_size / 1e6:.1f} MB; at most {LARGEST / 1e6:.0f} MB")
    for number, source, _, cell in code_cells(notebook):
        where = f"cell {number} ({source.strip().splitlines()[0][:50]})"
        drawn = [
            (kind, len("".join(output["data"][kind]).encode()))
            for output in cell["outputs"]
            for kind in FIGURES
            if kind in output.get("data", {})
        ]
        if drawn and not cell["metadata"].get("mystnb", {}).get("image", {}).get("alt", "").strip():
            faults.append(f"{where} draws a figure without alternative text: see book/contributing.md")
        for kind, size in drawn:
            if kind == "image/png":
                faults.append(f"{where} stores pixels: tk.plots.use_style() makes drawings of figures")
            if size > LARGEST_FIGURE:
                faults.append(f"{where} stores a figure of {size:,} bytes; at most {LARGEST_FIGURE:,}")
        if "execution" in cell["metadata"]:
            faults.append(f"cell {number} stores when it was run")
    return faults


def problems_in(path):
    """Return everything that is wrong with the notebook at `path`."""
    return broken(path) + chance(path) + untidy(path)
