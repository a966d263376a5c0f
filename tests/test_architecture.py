"""The page on the architecture: its drawing is the code's, and its walks are those that the code takes."""

import importlib
import inspect
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import toykit as tk
from book._tools import architecture

from . import handmade

PAGE = (Path(__file__).parents[1] / "book" / "architecture.md").read_text(encoding="utf-8")
NAME = r"`(toykit(?:\.\w+)+)`"
WEIGHTS = np.random.default_rng(0).normal(size=(8, 16)).astype(np.float16)
LAYERS = [("linear", WEIGHTS)]


# --- imports, read ---


@pytest.fixture
def read(tmp_path):
    """A function from {name of a file: text} to the `Source` of a package "house" that holds these."""

    def read(files):
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return architecture.Source(tmp_path / "house")

    return read


@pytest.mark.parametrize(
    "statement, imported",
    [
        ("import json", ["json"]),
        ("import os.path, house.a", ["os", "house.a"]),
        ("from . import b", ["house.room.b"]),
        ("from .b import f, g", ["house.room.b"]),
        ("from .. import a, other", ["house.a", "house.other"]),
        ("from ..a import f", ["house.a"]),
        ("from ..other import f, unknown", ["house.other.deep", "house.other"]),
        ("from house.other import deep", ["house.other.deep"]),
        ("from numpy.linalg import norm", ["numpy"]),
        ('torch = require("torch.nn", "why")', ["torch"]),
        ("require(name, why)", []),
        ("if TYPE_CHECKING:\n    import torch", []),
        ("try:\n    import torch\nexcept ImportError:\n    pass", ["torch"]),
        ("class A:\n    import torch", ["torch"]),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_imports_are_found_wherever_they_stand(statement, imported, late, read):
    if late:
        statement = "def run():\n" + "\n".join(f"    {line}" for line in statement.splitlines())
    files = {"a.py": "", "other/__init__.py": "", "other/__init__.pyi": "from .deep import f as f\n"}
    files |= {"other/deep.py": "", "room/__init__.py": "", "room/b.py": "", "room/m.py": statement}
    found = read(files).imports
    assert [(one.module, one.imported, one.late) for one in found] == [
        ("house.room.m", name, late) for name in imported
    ]


@pytest.mark.parametrize(
    "files, circle",
    [
        ({"a.py": "from . import b", "b.py": "from . import c", "c.py": ""}, []),
        ({"a.py": "from . import b", "b.py": "def f():\n    from . import a"}, ["a", "b"]),
        (
            {"a.py": "from .r import f", "r/__init__.py": "", "r/__init__.pyi": "from .m import f as f"}
            | {"r/m.py": "from ..a import g"},
            ["a", "r.m"],
        ),
        (
            {"a.py": "from . import r", "r/__init__.py": "", "r/__init__.pyi": "from .m import f as f"}
            | {"r/m.py": "from ..a import g"},
            ["a", "r", "r.m"],
        ),
    ],
)
def test_circles_are_found_through_functions_and_public_names(files, circle, read):
    assert {name.removeprefix("house.") for name in read(files).find_circle()} == set(circle)


# --- the drawing ---


def test_drawing_holds_every_room_on_its_layer_and_every_arrow():
    svg = ElementTree.fromstring(architecture.drawing())[0]
    kinds = [(node.get("class"), node) for node in svg]
    texts = {node.text: float(node.get("y")) for kind, node in kinds if kind in ("title", "name")}
    order = sorted(architecture.LAYERS, key=texts.get, reverse=True)
    assert order == list(architecture.LAYERS)
    tops = [*(texts[name] for name in order), -1]
    for number, rooms in enumerate(architecture.LAYERS.values()):
        above = tops[number + 1] if number + 1 < len(rooms) else -1
        assert all(texts[room] > tops[number] > above for room in rooms)
    assert sum(kind == "dot" for kind, _ in kinds) == len(architecture.arrows())
    assert sum(kind == "tip" for kind, _ in kinds) == len({below for _, below in architecture.arrows()})


def test_drawing_is_the_same_each_time_and_text_is_text_inside_its_box():
    assert architecture.drawing() == architecture.drawing()
    assert "script" not in architecture.drawing()
    svg = ElementTree.fromstring(architecture.drawing())[0]
    width, height = map(float, svg.get("viewBox").split()[2:])
    assert width <= 358  # what a page leaves on a screen of 390 pixels
    boxes = [node for node in svg if node.get("class") == "room"]
    assert len(boxes) == len(architecture.LEVEL)
    for box in boxes:
        x, y, wide, high = (float(box.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0 and x + wide < width and y >= 0 and y + high < height


def test_every_room_says_what_it_is_for():
    said = dict(re.findall(r"^`(.+)`\n: (.+)$", architecture.rooms_in_words(), re.MULTILINE))
    assert said.keys() == architecture.LEVEL.keys()
    assert all(len(line) > 10 and line.endswith(".") for line in said.values())


# --- the walks ---


def find(name):
    """What a dotted name stands for, and the name under which Python knows its code."""
    parts = name.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in architecture.toykit().modules)
    thing = importlib.import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        thing = getattr(thing, part)
    return thing, name + ".__init__" * inspect.isclass(thing)


def test_every_name_on_the_page_exists():
    for name in re.findall(NAME, PAGE):
        assert find(name)


def called(function):
    """Names of toykit's functions in the order in which they were first called."""
    found, home = {}, str(Path(tk.__file__).parent)

    def note(frame, event, argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(home) and code.co_flags & inspect.CO_OPTIMIZED:
            found.setdefault(f"{frame.f_globals.get('__name__')}.{code.co_qualname}")

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return list(found)


def walk(call):
    """The names of the numbered steps below a call on the page."""
    steps = PAGE.partition(f"`{call}`\n")[2].partition("\n#")[0]
    return re.findall(rf"^\d+\. {NAME}", steps, re.MULTILINE)


@pytest.mark.parametrize(
    "call, take",
    [
        ("tk.palettize(weights, bits=2)", lambda path: tk.palettize(WEIGHTS, bits=2)),
        (
            'tk.size.ledger(path).after("palettize", bits=2)',
            lambda path: tk.size.ledger(path).after("palettize", bits=2),
        ),
        (
            'tk.coreml.run(path, inputs, backend="numpy")',
            lambda path: tk.coreml.run(path, handmade.examples(LAYERS), backend="numpy"),
        ),
    ],
)
def test_the_code_takes_the_walk(call, take, tmp_path):
    path = handmade.write(tmp_path / "small.mlpackage", LAYERS)
    steps = [find(name)[1] for name in walk(call)]
    assert len(steps) > 5
    order = called(lambda: take(path))
    assert [name for name in order if name in steps] == steps
