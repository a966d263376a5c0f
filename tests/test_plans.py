"""Plans for each layer: which weights a rule means, what is refused, and what a newer target changes."""

import os

import numpy as np
import pytest

import toykit as tk
from tests import handmade
from toykit import cli
from toykit.compressed import Compressed
from toykit.coreml.tools.compression import outcome
from toykit.coreml.writing.plans import Weights

NAMES = {
    "features_0_conv_weight_to_fp16": "conv",
    "features_1_conv_weight_to_fp16": "conv",
    "embedding_weight_to_fp16": "gather",
    "head_weight_to_fp16": "linear",
    "head_scale": "add",
}
FIRST, SECOND, EMBEDDING, HEAD, SMALL = NAMES


def written(folder, version=9):
    """Five weights, named as a converter names them; the last is a small one."""
    random = np.random.default_rng(0)
    shapes = {"conv": (64, 64, 1), "add": (4, 8)}
    layers = [
        (kind, random.normal(size=shapes.get(kind, (64, 64))).astype(np.float16)) for kind in NAMES.values()
    ]
    return handmade.write(folder / "net.mlpackage", layers, version, list(NAMES))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return written(tmp_path_factory.mktemp("plans"))


@pytest.fixture(scope="module")
def weights(path):
    return Weights(tk.coreml.Package(path))


@pytest.mark.parametrize(
    ("called", "meant"),
    [
        ("features.0.conv.weight", [FIRST]),
        ("features.0.conv", [FIRST]),
        (FIRST, [FIRST]),
        ("features.*", [FIRST, SECOND]),
        ("features.?.conv.weight", [FIRST, SECOND]),
        ("*.weight", [FIRST, SECOND, EMBEDDING, HEAD]),
        ("*", list(NAMES)),
        ("head_scale", [SMALL]),
        ("operator=conv", [FIRST, SECOND]),
        ("operator=gather", [EMBEDDING]),
        ("operator=con", []),
        ("feature.*", []),
        ("ead", []),
        ("head.weigh", []),
    ],
)
def test_what_a_name_means(weights, called, meant):
    assert weights.called(called) == meant


def forms(package):
    """Name -> the class of what is stored."""
    return {
        name: type(weight).__name__ if isinstance(weight, Compressed) else "as it was"
        for name, weight in tk.coreml.weights(package).items()
    }


PALETTE = {"technique": "palettize", "bits": 4}
JOINT = {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"bits": 4}}
TOML = """
# The first rule that fits decides.
[[layer]]
name = ["head", "*.1.*"]
skip = true

[[layer]]
operator = "gather"
technique = "quantize"
bits = 8

[[layer]]
technique = "joint"
prune = {sparsity = 0.5}
palettize = {bits = 4}
"""
RULES = [
    {"name": ["head", "*.1.*"], "skip": True},
    {"operator": "gather", "technique": "quantize", "bits": 8},
    JOINT,
]


def test_a_file_and_a_list_of_rules_are_one_plan(path, tmp_path):
    file, marked = tmp_path / "plan.toml", tmp_path / "marked.toml"
    file.write_text(TOML)
    marked.write_text(TOML, "utf-8-sig")  # as some editors of Windows do
    for plan in (file, str(file), marked, RULES):
        found = outcome(path, plan)
        assert found.compressed == {
            FIRST: ("prune", "palettize"),
            EMBEDDING: ("quantize",),
        }
        assert found.left == (SECOND, HEAD) and list(found.declined) == [SMALL]
        stored = tk.coreml.weights(found.package)
        whole = tk.coreml.weights(path)
        assert stored[SECOND].tobytes() == whole[SECOND].tobytes()
        np.testing.assert_array_equal(stored[EMBEDDING].dense(), tk.quantize(whole[EMBEDDING]).dense())
        expected = tk.palettize(tk.prune(whole[FIRST], sparsity=0.5), bits=4)
        np.testing.assert_array_equal(stored[FIRST].dense(), expected.dense())


TABLE = np.random.default_rng(1).permutation(np.linspace(-2, 2, 256)).astype(np.float16)


@pytest.mark.parametrize("joint", [False, True])
def test_a_table_of_ones_own_is_a_list_or_a_file_beside_the_plan(path, tmp_path, joint):
    """Of 256 entries, which NumPy's repr would shorten; and two tables that it would write alike stay two."""
    np.save(tmp_path / "table.npy", TABLE)
    other = TABLE.copy()
    other[100] = 0.125
    palette = {"technique": "palettize", "lut": "table.npy"}
    if joint:
        palette = {"technique": "joint", "prune": {"sparsity": 0.5}, "palettize": {"lut": "table.npy"}}
    toml = [f'[[layer]]\nname = "head"\ntechnique = "palettize"\nlut = {other.tolist()}\n\n[[layer]]\n']
    toml += [f"{key} = {value!r}\n" for key, value in palette.items() if not isinstance(value, dict)]
    toml += ["prune.sparsity = 0.5\n", 'palettize.lut = "table.npy"\n'] * joint
    (tmp_path / "plan.toml").write_text("".join(toml))
    stored, whole = (
        tk.coreml.weights(tk.coreml.compress(path, tmp_path / "plan.toml")),
        tk.coreml.weights(path),
    )
    for name in (FIRST, HEAD):
        source = tk.prune(whole[name], sparsity=0.5) if joint and name == FIRST else whole[name]
        expected = tk.palettize(source, lut=other if name == HEAD else TABLE)
        assert stored[name].bits == 8
        np.testing.assert_array_equal(stored[name].dense(), expected.dense())
        assert stored[name].lut.tobytes() == expected.lut.tobytes()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", np.array([{}])])
def test_a_file_without_numbers_is_refused(path, tmp_path, content):
    file = tmp_path / "table.npy"
    file.write_bytes(content) if isinstance(content, bytes) else np.save(file, content)
    (tmp_path / "plan.toml").write_text('[[layer]]\ntechnique = "palettize"\nlut = "table.npy"\n')
    with pytest.raises(ValueError, match="plan.toml: rule 1: table.npy does not hold an array of numbers"):
        tk.coreml.compress(path, tmp_path / "plan.toml")


def test_layers_that_cannot_hold_the_table_stay(path):
    """65,536 is more than float16 holds; and vectors need a table of vectors."""
    found = outcome(path, [{"name": "head", "technique": "palettize", "lut": [0.0, 65536.0]}, PALETTE])
    assert "lut must fit into the weights' type, float16; it has 65536" in found.declined[HEAD][0]
    with pytest.raises(ValueError, match="entries of cluster_dim = 2 values"):
        tk.coreml.compress(path, "palettize", lut=[0.0, 1.0], cluster_dim=2)


@pytest.mark.parametrize(
    "options",
    [{}, {"group_size": 8}, {"lut": np.stack([TABLE, TABLE[::-1]], 1), "cluster_dim": 2}],
    ids=["one", "groups", "vectors"],
)
def test_a_table_of_ones_own_is_predicted_and_verified(path, options):
    options = {"lut": TABLE} | options
    small = tk.coreml.compress(path, "palettize", **options)
    predicted, written = tk.size.ledger(path).after("palettize", **options), tk.size.ledger(small)
    assert predicted.nbytes == written.nbytes
    assert [row.nbytes for row in predicted.rows] == [row.nbytes for row in written.rows]
    assert tk.verify(small, path, tables="given", run=False).ok
    if "cluster_dim" not in options:  # tables of vectors are found by chance, and a bad one is less bad
        found = tk.verify(small, path, run=False)
        assert not found.ok and "--given-tables" in str(found)


def test_three_techniques_in_one_rule(path):
    joint = JOINT | {"quantize": {"granularity": "per_tensor"}}
    assert outcome(path, [{"name": "head", **joint}]).compressed == {HEAD: ("prune", "palettize", "quantize")}


@pytest.mark.parametrize(
    ("only", "skip", "compressed"),
    [
        (["features.*"], [], [FIRST, SECOND]),
        ([], ["operator=gather", "head"], [FIRST, SECOND]),
        (["operator=conv", "head"], ["features.0.conv"], [SECOND, HEAD]),
    ],
)
def test_only_and_skip(path, only, skip, compressed):
    found = outcome(path, "palettize", bits=4, only=only, skip=skip)
    assert list(found.compressed) == compressed
    assert set(found.left) | set(found.compressed) | {SMALL} == set(NAMES)


REFUSED = [
    (
        {"name": "featurs.0.conv", **PALETTE},
        "no constant for layer 'featurs.0.conv'; did you mean features_0",
    ),
    ({"name": "decoder.*", **PALETTE}, "no constant for layer 'decoder.*'; it has features_0_conv_weight"),
    (
        {"operator": "lstm", **PALETTE},
        "used by an operator 'lstm'; they are used by add, conv, gather, linear",
    ),
    ({"name": "head", "operator": "conv", **PALETTE}, "no weight has both this name and this operator"),
    ({"name": "head", "tecnique": "palettize"}, "say technique, .*; got 'tecnique'"),
    ({"name": "head"}, "say technique"),
    ({"technique": "palettize", "bit": 4}, "palettize has no option 'bit'; it has bits, mode"),
    ({"technique": "palettize", "bits": 5}, "bits must be one of"),
    ({"technique": "palettize", "lut": [0.1, 0.2, 0.3]}, "lut must hold 2, 4, 8, 16, 64 or 256 entries"),
    ({"technique": "palettize", "lut": [0.1, float("nan")]}, "lut must be finite"),
    ({"technique": "palettize", "lut": ["a", "b"]}, "lut must be"),
    (
        {"technique": "palettize", "lut": [0.1, 0.2], "bits": 2},
        "bits follows from lut: 1 for 2 entries; got 2",
    ),
    ({"technique": "palettize", "lut": [0.1, 0.2], "mode": "unique"}, "leave out one of them; got 'unique'"),
    ({"technique": "palettize", "lut": "table.csv"}, "or the name of an .npy file; got 'table.csv'"),
    ({"technique": "float16"}, "leaves every weight as it is"),
    ({"skip": True}, "leaves every weight as it is"),
    ({"skip": True, "bits": 4}, "a layer that is skipped has no other settings; got bits"),
    ({"skip": "yes"}, "skip must be true or false"),
    ({"name": 3, **PALETTE}, "name must be"),
    ({"name": [], **PALETTE}, "name is empty"),
    ("head", "a rule is a table"),
]


@pytest.mark.parametrize(("rule", "words"), REFUSED)
def test_a_rule_that_makes_no_sense_is_refused_before_any_work(path, rule, words):
    seen = []
    with pytest.raises((TypeError, ValueError), match=words.replace("*'", r"\*'")):
        tk.coreml.compress(path, [rule], progress=lambda *at: seen.append(at))
    assert not seen


def test_a_rule_that_comes_too_late_is_refused(path):
    with pytest.raises(ValueError, match="rule 2: the rules before it decide on every weight"):
        tk.coreml.compress(path, [PALETTE, {"name": "head", "skip": True}])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "must hold tables"),
        ("[[layer]\n", "plan.toml is not TOML: .*line 1"),
        ("[layer]\nbits = 4\n", "must hold tables"),
        ("[[layers]]\nbits = 4\n", "must hold tables .*; got layers"),
        ("layer = []\n", "has no rules"),
        ("[[layer]]\ntechnique = 'palettize'\nbits = '4'\n", "plan.toml: rule 1: bits must be"),
    ],
)
def test_a_file_that_is_no_plan(path, tmp_path, content, words):
    file = tmp_path / "plan.toml"
    file.write_text(content)
    with pytest.raises((TypeError, ValueError), match=words):
        tk.coreml.compress(path, file)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"skip": ["decoder"]}, "skip: the package has no constant for layer 'decoder'"),
        ({"only": ["operator=lstm"]}, "only: no weight is used by an operator 'lstm'"),
        ({"only": "head"}, "only must be a list"),
        ({"only": ["head"], "skip": ["head"]}, "leave no weight to compress"),
        ({"target": "iOS15"}, "target must be one of"),
        ({"bits": 4}, None),
    ],
)
def test_what_is_spared_must_be_there(path, options, words):
    if words is None:
        with pytest.raises(TypeError, match="a plan for each layer has its options inside; got bits"):
            tk.coreml.compress(path, RULES, **options)
        return
    with pytest.raises((TypeError, ValueError), match=words):
        tk.coreml.compress(path, "quantize", **options)


class TestTargets:
    @pytest.mark.parametrize(("target", "version"), [("iOS18", 9), ("iOS26", 10)])
    @pytest.mark.parametrize("old", [6, 7, 8])
    def test_a_package_is_raised_where_that_is_what_it_takes(self, tmp_path, old, target, version):
        path = written(tmp_path, old)
        with pytest.raises(ValueError, match="convert with target='iOS18', or compress with it"):
            tk.coreml.compress(path, "palettize", bits=3)
        found = outcome(path, "palettize", bits=3, target=target)
        assert found.package.spec_version == version
        assert found.changes[0].startswith(f"the package needs {target} or newer: version {version}")
        assert (len(found.changes) == 2) == (old < 8)  # a gather is given indices
        function = found.package.program.functions["main"]
        assert function.opset == f"CoreML{version - 1}"
        same = tk.coreml.compress(written(tmp_path / "new", version), "palettize", bits=3)
        assert bytes(found.package.program_bytes) == bytes(same.program_bytes)

    def test_a_package_is_not_raised_where_nothing_takes_it(self, tmp_path):
        found = outcome(written(tmp_path, 7), "quantize", target="iOS18")
        assert found.package.spec_version == 7 and not found.changes

    def test_what_no_target_can_do(self, tmp_path):
        with pytest.raises(ValueError, match="for 3-bit palettes you need a package for iOS 18"):
            tk.coreml.compress(written(tmp_path, 7), "palettize", bits=3, target="iOS17")
        packed = tk.coreml.compress(written(tmp_path / "old", 7), {"head": PALETTE})
        with pytest.raises(ValueError, match=r"constexpr_lut_to_dense, which newer systems define otherwise"):
            tk.coreml.compress(packed, {"embedding": {"technique": "palettize", "bits": 3}}, target="iOS18")


class TestCommand:
    @pytest.fixture
    def here(self, path, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "plan.toml").write_text(TOML)
        return path

    def run(self, path, *arguments):
        return cli.main(["compress", str(path), "out.mlpackage", *arguments])

    def test_a_plan(self, here, capsys):
        assert self.run(here, "--plan", "plan.toml") == 0
        said = capsys.readouterr().out
        assert "2 weights compressed, 1 small ones not\n" in said
        assert f"left alone: {SECOND}, {HEAD}\n" in said
        assert forms("out.mlpackage")[SECOND] == "as it was"

    def test_only_skip_and_force(self, here, capsys):
        assert self.run(here, "--quantize", "8", "--only", "features.*", "--skip", "operator=linear") == 0
        assert self.run(here, "--quantize", "8") == 2
        assert "exists" in capsys.readouterr().err
        assert self.run(here, "--palettize", "3", "--group-size", "8", "--force") == 0
        assert set(forms("out.mlpackage").values()) == {"Palettized", "as it was"}

    def test_a_target(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        path = written(tmp_path, 7)
        assert self.run(path, "--palettize", "3") == 2
        assert self.run(path, "--palettize", "3", "--target", "iOS18") == 0
        assert (
            "the package needs iOS18 or newer: version 9 of the specification, was 7\n"
            in capsys.readouterr().out
        )

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--plan", "none.toml"], "No such file"),
            (["--plan", "plan.toml", "--quantize", "8"], "--plan says what each layer gets"),
            (["--quantize", "8", "--skip", "head.weigth"], "did you mean head_weight_to_fp16"),
            (["--quantize", "8", "--only", "head_scale"], "32 elements are not more than 2,048"),
        ],
    )
    def test_what_is_refused_writes_nothing(self, here, arguments, words, capsys):
        assert self.run(here, *arguments) == 2
        assert words in capsys.readouterr().err
        assert os.listdir() == ["plan.toml"]
