"""Whatever is typed: an exit status of 0, 1 or 2, a sentence, and no file that is half of one."""

import contextlib
import io
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.nightly import cases
from toykit import cli, coreml

torch = pytest.importorskip("torch")
ct = pytest.importorskip("coremltools")

WHOLE = [
    "-1",
    "0",
    "1",
    "2",
    "3",
    "4",
    "6",
    "8",
    "16",
    "100",
    "4.5",
    "nan",
    "",
    " 4",
    "1_0",
    "٣",
    "0x8",
    "9" * 30,
    "9" * 5000,
]
REAL = [
    "-1",
    "0",
    "-0.0",
    "0.5",
    "1",
    "1.5",
    "30",
    "50",
    "nan",
    "inf",
    "-inf",
    "1e400",
    "5e-324",
    "",
    "half",
    "٠.٥",
]
WORDS = ["", "main", "\x1b[2J", "\0", "\ud800", "a" * 300, "ß|<b>", "--", "-", "../..", "x\ny"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where everything lies: two packages, a classifier, inputs, and things that are none."""
    folder = tmp_path_factory.mktemp("fuzz")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(64, 40), torch.nn.ReLU(), torch.nn.Linear(40, 4)).eval()
    for name, target in (("a", "iOS18"), ("b", "iOS16")):
        net[0].bias.data += 0.01
        inputs = [ct.TensorType(name="x", shape=(1, 64))]
        coreml.save(
            coreml.convert(net, torch.zeros(1, 64), target, inputs=inputs), folder / f"{name}.mlpackage"
        )
    coreml.save(coreml.compress(folder / "a.mlpackage", "palettize", bits=4), folder / "c.mlpackage")
    (folder / "plan.toml").write_text('[[layer]]\nname = "*"\ntechnique = "palettize"\nbits = 4\n')
    (folder / "text.toml").write_text("= no toml")
    np.savez(folder / "in.npz", x=np.ones((2, 1, 64)))
    np.save(folder / "in.npy", np.ones((3, 1, 64)))
    np.savez(folder / "wrong.npz", y=np.ones(3))
    (folder / "text.npz").write_text("text")
    torch.save(net.state_dict(), folder / "net.pt")
    (folder / "bad.safetensors").write_text("text")
    (folder / "empty").mkdir()
    (folder / "file.mlpackage").touch()
    return folder


def contents(folder):
    return {
        file.relative_to(folder): file.read_bytes() if file.is_file() else None for file in folder.rglob("*")
    }


names = st.sampled_from(
    ["a.mlpackage"] * 16
    + ["b.mlpackage"] * 6
    + ["c.mlpackage"] * 6
    + ["none.mlpackage", "empty", "file.mlpackage", "in.npz", "net.pt", "bad.safetensors"]
)
outputs = st.sampled_from(
    ["out.mlpackage"] * 24
    + [
        "a.mlpackage",
        "a.mlpackage/out.mlpackage",
        "no/out.mlpackage",
        "out",
        "out.mlmodel",
        "file.mlpackage",
        "empty",
    ]
)
odd = st.sampled_from(WORDS)
plans = st.sampled_from(["plan.toml"] * 4 + ["text.toml", "none.toml", "empty", "in.npz"])
layers = st.sampled_from(["*", "*linear*", "operator=linear", "operator=conv", "none", *WORDS])
files = st.sampled_from(["in.npz", "in.npy", "wrong.npz", "text.npz", "none.npz", "empty", "a.mlpackage"])


def mostly(*good, of):
    """Three times in four a value that makes sense, which is what gets past the first checks."""
    return st.one_of(*[st.sampled_from(good)] * 3, st.sampled_from(of))


OPTIONS = {
    "size": {
        "--layers": None,
        "--sort": mostly("size", "name", of=["model", "", "Size"]),
        "--dtype": mostly("float16", "int4", of=["bfloat16", "", "float17"]),
        "--json": None,
        "--csv": None,
        "--html": None,
        "--output": outputs.map("/{}".format),
        "--force": None,
    },
    "compress": {
        "--prune": mostly("0.5", "0.9", of=REAL),
        "--palettize": mostly("4", "2", of=WHOLE),
        "--quantize": mostly("8", "4", of=WHOLE),
        "--group-size": mostly("4", "8", of=WHOLE),
        "--block-size": mostly("8", "16", of=WHOLE),
        "--with": st.sampled_from(["toykit", "toykit", "coremltools", "coreml", ""]),
        "--plan": plans,
        "--only": layers,
        "--skip": layers,
        "--target": mostly("iOS18", "iOS17", of=["iOS15", "", "ios18"]),
        "--force": None,
    },
    "compare": {
        "--samples": mostly("1", "3", of=WHOLE),
        "--seed": mostly("1", "2", of=WHOLE),
        "--at-least": mostly("10", "30", of=REAL),
        "--function": odd,
        "--inputs": files,
        "--json": None,
    },
    "diff": {"--json": None},
    "verify": {
        "--samples": mostly("1", "3", of=WHOLE),
        "--seed": mostly("1", "2", of=WHOLE),
        "--at-least": mostly("1", "30", of=REAL),
        "--function": odd,
        "--inputs": files,
        "--given-tables": None,
        "--all-weights": None,
        "--no-answers": None,
        "--json": None,
    },
    "where": {
        "--samples": mostly("1", "3", of=WHOLE),
        "--seed": mostly("1", "2", of=WHOLE),
        "--below": mostly("1", "30", of=REAL),
        "--most": mostly("1", "3", of=WHOLE),
        "--svg": st.sampled_from(["out.svg", "out.svg", "out.png", "no/out.svg", "a.mlpackage", ""]).map(
            "/{}".format
        ),
        "--force": None,
        "--function": odd,
        "--inputs": files,
        "--json": None,
    },
}
FILES = (files, plans)


@st.composite
def command_lines(draw):
    """A command with its options in any number and order; names of files are marked with a slash in front."""
    command = draw(st.sampled_from(["size", "diff", *["compress", "compare", "verify", "where"] * 2]))
    path = lambda name: name.map("/{}".format)
    places = {
        "size": [path(names)],
        "compress": [path(names), path(outputs)],
        "compare": [path(names), path(names)],
        "diff": [path(names), path(names)],
        "verify": [path(names)],
        "where": [path(names)],
    }
    arguments = [[draw(one if draw(st.integers(0, 39)) else odd)] for one in places[command]]
    if command in ("verify", "where"):
        arguments.append(["--against", draw(path(names))])
    known = OPTIONS[command]
    for option in draw(st.lists(st.sampled_from(sorted(known)), max_size=3, unique=True)) if known else []:
        value = known[option]
        value = path(value) if value in FILES else value
        arguments.append([option] if value is None else [option, draw(value)])
    if not draw(st.integers(0, 19)):
        arguments.append([draw(odd)])
    return [command, *(word for part in draw(st.permutations(arguments)) for word in part)]


@settings(max_examples=cases())
@given(arguments=command_lines())
def test_fuzz_every_command_line_ends_in_a_status_and_a_sentence(folder, arguments):
    before = contents(folder)
    arguments = [f"{folder}{word}" if word.startswith("/") else word for word in arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(arguments)
        except SystemExit as stop:  # so argparse ends
            status = stop.code
    out, err = out.getvalue(), err.getvalue()
    assert status in (0, 1, 2)
    assert "Traceback" not in err and "\x1b" not in out + err
    if status == 2:
        assert out == "" and "toykit" in err and len(err.strip()) > 20
    if status == 1:
        assert arguments[0] in ("diff", "verify") or (arguments[0] == "compare" and "--at-least" in arguments)
    if arguments[0] not in ("size", "compress") and "--json" in arguments and status < 2:
        assert json.loads(out).get("ok", True) is (status == 0) or arguments[0] == "diff"
    put_back(folder, before, arguments, status)
    assert contents(folder) == before


def put_back(folder, before, arguments, status):
    """Undo what a command wrote: one package or file, whole, and over another only with --force."""
    after = contents(folder)
    changed = {name.parts[0] for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    if not changed:
        return
    (name,) = changed
    assert status == 0 and arguments[0] in ("size", "compress", "where")
    old = [one for one in before if one.parts[0] == name]
    assert not old or "--force" in arguments
    path = folder / name
    if arguments[0] == "compress":
        assert coreml.Package(path).nbytes > 0
        shutil.rmtree(path)
    else:
        path.unlink()
    for one in old:  # folders come before what is in them
        if before[one] is None:
            (folder / one).mkdir()
        else:
            (folder / one).write_bytes(before[one])
