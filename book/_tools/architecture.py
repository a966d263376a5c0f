"""The architecture of toykit, read from its source: rooms on their layers, and who imports whom.

`LAYERS` is the one table of layers. The tests hold every import to it, and the page on the architecture is
written from it whenever the book is built, so neither can drift from the code.
"""

import ast
import functools
import graphlib
import html
from dataclasses import dataclass

from .project import ROOT

# From the ground up. A room may import from its own layer and from those below it. Modules that begin with an
# underscore are helpers of all rooms. `toykit` and `coreml` are what the two faces offer, and nothing else.
LAYERS = {
    "The common form": ("bits", "compressed", "small_floats"),
    "Settings and clusters": ("settings", "kmeans"),
    "Techniques": ("pruning", "quantization", "palettization", "joint"),
    "What is stored": ("stored", "coreml.format", "coreai.asset", "coreai.container"),
    "Compressed constants": ("coreml.constants",),
    "Packages at work": (
        "coreml.writing",
        "coreml.runtime",
        "coreml.view",
        "coreai.program",
        "coreai.names",
        "coreai.constants",
        "coreai.compression",
        "coreai.weights_of",
        "coreai.saving",
    ),
    "Sizes, sweeps, speed, pictures": ("size", "sweep", "latency", "kernels", "plots", "verification"),
    "With torch and Apple's packages": ("data", "models", "training", "coreml.tools", "coreai"),
    "For readers": (
        "toykit",
        "coreml",
        "widgets",
        "exercises",
        "quiz",
        "weighing",
        "capstone",
        "marking",
        "exploration",
        "doctor",
        "cli",
    ),
}
LEVEL = {room: number for number, rooms in enumerate(LAYERS.values()) for room in rooms}


@dataclass(frozen=True)
class Import:
    """One module imports another.

    Attributes
    ----------
    module : str
        The module of toykit that imports.
    imported : str
        A module of toykit, or the name of another package.
    line : int
    late : bool
        Inside a function: it is imported when the function runs.
    """

    module: str
    imported: str
    line: int
    late: bool


def room_of(module):
    """The room that a module is in: the longest name in `LAYERS` that it begins with; else None."""
    if module.partition(".")[0] != "toykit":  # Apple's coreai has the name of a room
        return None
    name = module.removeprefix("toykit.")
    while name not in LEVEL and "." in name:
        name = name.rpartition(".")[0]
    return name if name in LEVEL else None


class Source:
    """The modules of a package and what they import, read without running them.

    Parameters
    ----------
    path : Path
        The package's folder, which has its name.

    Attributes
    ----------
    modules : dict of str to Path
        By the full name of the module.
    imports : list of Import
        Those inside functions and those by `require` among them; not those for type checkers alone.
    """

    def __init__(self, path):
        self.modules, self._stubs = {}, {}
        for file in sorted(path.rglob("*.py")):
            parts = (path.name, *file.relative_to(path).with_suffix("").parts)
            self.modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
        self.imports = [one for module in self.modules for one in self._imports(module)]

    def _imports(self, module):
        file = self.modules[module]
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for node, late in _statements(ast.parse(file.read_text(encoding="utf-8")), False):
            if isinstance(node, ast.ImportFrom):
                names = [self._imported(package, node, alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.args[0].value]
            for name in dict.fromkeys(names):
                yield Import(
                    module, name if name in self.modules else name.partition(".")[0], node.lineno, late
                )

    def _imported(self, package, node, name):
        """The module that `from ... import name` leads to, in a module of `package`."""
        base = package.split(".")[: 1 - node.level or None] if node.level else []
        base = ".".join([*base, *filter(None, [node.module])])
        inner = f"{base}.{name}"
        return inner if inner in self.modules else self.public_names(base).get(name, base)

    def public_names(self, package):
        """The module that each public name of a package comes from, as its stub says."""
        if package not in self._stubs:
            stub = self.modules[package].with_suffix(".pyi") if package in self.modules else None
            self._stubs[package] = {
                alias.name: self._imported(package, node, alias.name)
                for node in (
                    ast.parse(stub.read_text(encoding="utf-8")).body if stub and stub.is_file() else ()
                )
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
        return self._stubs[package]

    def find_circle(self):
        """Modules that import each other in a circle, the first one also last; [] where there is none.

        What a package only offers counts as imported by it: that happens when the name is first used.
        """
        graph = {module: {*self.public_names(module).values()} - {module} for module in self.modules}
        for one in self.imports:
            if one.imported in self.modules and one.imported != one.module:
                graph[one.module].add(one.imported)
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            return error.args[1]
        return []


def _statements(node, late):
    """Yield each node that imports, and whether it does so inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue  # it never runs
        asked = isinstance(child, ast.Call) and getattr(child.func, "id", "") == "require"
        if isinstance(child, ast.Import | ast.ImportFrom) or (
            asked and isinstance(child.args[0], ast.Constant)
        ):
            yield child, late
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _statements(child, late or inside)


@functools.cache
def toykit():
    """The `Source` of toykit as it lies here."""
    return Source(ROOT / "toykit")


def arrows():
    """Which layers import from which others: sorted (number, number)."""
    ends = {(LEVEL.get(room_of(one.module)), LEVEL.get(room_of(one.imported))) for one in toykit().imports}
    return sorted((above, below) for above, below in ends if None not in (above, below) and above != below)


# --- the page ---

# In pixels of a screen 390 wide, where the drawing is shown as large as it is.
_WIDTH, _BOXES, _RAIL = 356, 266, 9
_CHARACTER, _BOX, _GAP, _TITLE = 6.7, 22, 6, 20


def drawing():
    """The drawing, as SVG whose colours are those of the page around it."""
    parts, rows, top = [], {}, 1
    for number, (name, rooms) in reversed(list(enumerate(LAYERS.items()))):
        inside, x, y = [], 8, top + _TITLE
        for room in rooms:
            width = round(_CHARACTER * len(room) + 12)
            if x + width > _BOXES - 8:
                x, y = 8, y + _BOX + _GAP
            inside.append(
                f'<rect class="room" x="{x}" y="{y}" width="{width}" height="{_BOX}" rx="3"/>'
                f'<text class="name" x="{x + width / 2:g}" y="{y + 15}">{room}</text>'
            )
            x += width + _GAP
        bottom = y + _BOX + 8
        parts.append(
            f'<rect class="layer" x="1" y="{top}" width="{_BOXES}" height="{bottom - top}" rx="5"/>'
            f'<text class="title" x="8" y="{top + 14}">{html.escape(name)}</text>' + "".join(inside)
        )
        rows[number], top = (top, bottom), bottom + 10
    parts += _lines(rows)
    size = f'viewBox="0 0 {_WIDTH} {top - 9}"'
    return (
        f'<div class="architecture"><svg xmlns="http://www.w3.org/2000/svg" {size} role="img" '
        f'aria-label="{html.escape(_in_words())}">\n' + "\n".join(parts) + "\n</svg></div>"
    )


def _lines(rows):
    """A line from each layer to the right, and from its dots down to an arrow at each layer that it imports from.

    The lowest layer's line is the outermost, so that no line crosses an arrow.
    """
    targets = sorted({below for _, below in arrows()}, reverse=True)
    place = {below: _BOXES + 14 + _RAIL * number for number, below in enumerate(targets)}
    height = {above: rows[above][1] - 12 for above, _ in arrows()}
    for above, y in height.items():
        end = max(place[below] for source, below in arrows() if source == above)
        yield f'<path class="line" d="M{_BOXES + 1} {y}H{end}"/>'
    for below, x in place.items():
        start = min(height[above] for above, target in arrows() if target == below)
        tip, y = _BOXES + 2, rows[below][0] + 12
        yield f'<path class="line" d="M{x} {start}V{y}H{tip + 5}"/><path class="tip" d="M{tip} {y}l7 -3.5v7z"/>'
    for above, below in arrows():
        yield f'<circle class="dot" cx="{place[below]}" cy="{height[above]}" r="2.6"/>'


def _in_words():
    """What the drawing shows, for those who cannot see it."""
    names = list(LAYERS)
    said = []
    for above, name in reversed(list(enumerate(names))):
        if below := [names[target] for source, target in reversed(arrows()) if source == above]:
            said.append(f"{name}: imports from {'; '.join(below)}.")
    return (
        f"{len(names)} layers of rooms, with lines from each to those that it imports from. {' '.join(said)}"
    )


def rooms_in_words():
    """Markdown: what each room is for, as its own docstring says, layer by layer from the ground up."""
    lines = []
    for name, rooms in LAYERS.items():
        lines += [f"**{name}**", ""]
        for room in rooms:
            module = room if room == "toykit" else f"toykit.{room}"
            docstring = ast.get_docstring(ast.parse(toykit().modules[module].read_text(encoding="utf-8")))
            lines += [f"`{room}`", f": {docstring.partition(chr(10))[0]}", ""]
    return "\n".join(lines)
