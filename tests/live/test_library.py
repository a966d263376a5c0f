"""The core tests of toykit, in the page: Python of WebAssembly, NumPy 2.0, whole numbers of 32 bits."""

import importlib.util
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILES = (
    "bits",
    "compressed",
    "pruning",
    "quantization",
    "palettization",
    "joint",
    "kmeans",
    "stored_forms",
    "size",
)
# What only another process could show, or the list of installed packages; and two that take most of a minute there.
NOT_THERE = (
    "need_numpy_alone",
    "without_numba",
    "named_with_the_version",
    "two_methods",
    "are_indices_and_tables",
)
PYTEST = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")


def files():
    """The tests, what they share, and pytest from this Python's packages: it is all Python."""
    chosen = [TESTS / f"test_{name}.py" for name in FILES]
    shared = [TESTS / f"{name}.py" for name in ("__init__", "nightly", "handmade", "strategies", "careless")]
    yield from ({"path": f"tests/{path.name}", "place": str(path)} for path in [*chosen, *shared])
    yield {"path": "hypothesis.py", "place": str(Path(__file__).with_name("hypothesis_standin.py"))}
    for name in PYTEST:
        origin = Path(importlib.util.find_spec(name).origin)
        paths = origin.parent.rglob("*.py") if origin.name == "__init__.py" else [origin]
        home = origin.parents[origin.name == "__init__.py"]
        yield from ({"path": path.relative_to(home).as_posix(), "place": str(path)} for path in paths)


def test_the_core_tests_pass_there(page):
    options = ["-q", "-s", "--noconftest", "-p", "no:cacheprovider", "-p", "no:faulthandler", "--tb=short"]
    options += ["-k", "not (" + " or ".join(NOT_THERE) + ")", *(f"tests/test_{name}.py" for name in FILES)]
    code = f"import pytest\nint(pytest.main({options!r}))"
    result = page.run(code, namespace="library", files=list(files()), timeout=300)
    assert result["error"] is None, result["error"]
    assert result["value"]["json"] == 0, result["output"]
    assert int(re.search(r"(\d+) passed", result["output"])[1]) > 400, result["output"]


def test_numpy_is_the_one_that_the_mends_are_for(page):
    told = page.run(
        "import numpy as np\n[np.__version__, np.dtype(np.intp).itemsize, np.dtype(int).itemsize]"
    )
    assert told["value"]["json"] == ["2.0.2", 4, 4]


def test_more_clusters_than_a_byte_can_number(page):
    code = """
import numpy as np
from toykit.kmeans import line, vectors
values = np.arange(600.0)
exact = line.exact(values, 300)
steps = line.lloyd(values, 300, steps=2)
clusters = vectors.cluster_vectors(np.stack([values, values]).T, 300, steps=2, starts=1)
[exact.labels.dtype.name, int(exact.labels.max()), clusters.labels.dtype.name, int(clusters.labels.max())]
"""
    result = page.run(code)
    assert result["error"] is None, result["error"]
    assert result["value"]["json"] == ["int32", 299, "int32", 299]
