"""toykit's packages are coremltools': the weight file to the byte, the program operator by operator, the answers.

`python -m tests.parity.report_writing` prints all cases, by network; here are some of them in `make test`, and all in
`make test-all`.
"""

import numpy as np
import pytest

ct = pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")

import toykit as tk
from tests import handmade
from tests.nightly import NIGHTLY
from tests.zoo import fixtures
from toykit.compressed import Compressed
from toykit.coreml.format.package import Package, open_package
from toykit.coreml.tools.opening import open_mlmodel
from toykit.coreml.writing import forms

from . import architectures, packages, sizes, writing

CASES = [(name, target) for name in architectures.EXAMPLES for target in writing.TARGETS]
FEW = {
    ("attention", "iOS18"): writing.settings("iOS18")[::9],
    ("lstm", "iOS16"): writing.settings("iOS16")[::8],
}


@pytest.mark.parametrize(("name", "target"), CASES if NIGHTLY else list(FEW))
def test_networks(name, target):
    source, unchanging = writing.network(name, target)
    for technique, options in writing.settings(target) if NIGHTLY else FEW[name, target]:
        found = writing.compare(source, technique, options, unchanging)
        assert found.all, (sizes.label(technique, options), found)


@pytest.mark.parametrize("name", writing.zoo() if NIGHTLY else writing.zoo()[-1:])
def test_packages_of_the_zoo(name):
    """Of every system; small weights are compressed, too."""
    source, unchanging = writing.fixture(name)
    cases = writing.settings(name.split()[0], weight_threshold=16)
    for technique, options in cases if NIGHTLY else cases[::12]:
        found = writing.compare(source, technique, options, unchanging)
        assert found.all, (sizes.label(technique, options), found)


@pytest.mark.parametrize(
    ("technique", "options"),
    [
        ("palettize", {"bits": 4}),
        ("joint", {"prune": {"sparsity": 0.5}, "palettize": {"bits": 4}}),
    ],
)
def test_best_tables(technique, options):
    """Scalar k-means of at least 10,000 float16 weights a table: coremltools finds the best one, too."""
    source = Package(packages.network("iOS18").package_path)
    assert writing.compare(source, technique, options, unchanging=writing.settled(source)).all


@pytest.mark.parametrize("target", writing.TARGETS if NIGHTLY else ["iOS16", "iOS26"])
def test_every_option(target):
    """Each value of each option, and what coremltools says of the weights."""
    source = writing.settled(open_package(packages.network(target)))
    cases, stopped = writing.every(target), 0
    assert len(cases) == (276 if target in ("iOS18", "iOS26") else 45)
    for technique, options in cases if NIGHTLY else cases[7::90]:
        found = writing.compare(source, technique, options, source)
        assert found.all, (sizes.label(technique, options), found)
        stopped += bool(found.stopped)
        if not found.stopped:
            ours, theirs = writing.with_both(source, technique, options)
            assert writing.metadata(ours) == writing.metadata(theirs), sizes.label(technique, options)
    assert stopped == (28 if NIGHTLY and target == "iOS26" else 0)


def test_of_two_best_tables_either_is_taken(tmp_path):
    """Of a weight that is its own mirror image, the mirror image of a best table is as good; coremltools takes that."""
    half = np.random.default_rng(7).integers(0, 6, size=(64, 128))
    weight = np.concatenate([half, 5 - half]).astype(np.float16)
    source = writing.settled(Package(handmade.write(tmp_path / "net.mlpackage", [("linear", weight)])))
    ours = tk.coreml.compress(source, "palettize", bits=2)
    theirs = tk.coreml.compress(source, "palettize", bits=2, engine="coremltools")
    mine, other = (tk.coreml.weights(package)["w0"].dense() for package in (ours, theirs))
    assert not np.array_equal(mine, other)
    assert tk.verify(theirs, source, run=False).ok


@pytest.mark.parametrize("options", [{}, {"mode": "affine", "signed": False}] if NIGHTLY else [{}])
@pytest.mark.parametrize("bits", [4, 6] if NIGHTLY else [4])
def test_tables_in_8_bits_for_the_newest_system(bits, options):
    """coremltools stops (see the page of known failures); what toykit writes is what it writes for iOS 18."""
    joint = {"palettize": {"bits": bits, "mode": "uniform"}, "quantize": options}
    old, new = (writing.settled(open_package(packages.network(target))) for target in ("iOS18", "iOS26"))
    with pytest.raises(ValueError, match="coremltools cannot quantize .* same rank.*engine='toykit' can"):
        tk.coreml.compress(new, "joint", engine="coremltools", **joint)
    ours = tk.coreml.compress(new, "joint", **joint)
    theirs = tk.coreml.compress(old, "joint", engine="coremltools", **joint)
    assert sizes.weight_file(ours) == sizes.weight_file(theirs)
    blocks = [
        [(step.op, step.name) for step in package.program.walk() if step.op.startswith("constexpr")]
        for package in (ours, theirs)
    ]
    assert blocks[0] == blocks[1] and ours.spec_version == 10
    assert writing.metadata(ours) == writing.metadata(theirs)


def nearest(table):
    """A function as coremltools wants it: every distance is calculated."""

    def function(weights):
        vectors = np.moveaxis(weights.reshape(-1, table.shape[1], *weights.shape[1:]), 1, -1)
        vectors = vectors.reshape(-1, 1, table.shape[1]).astype(np.float64)
        entries = np.square(vectors - table.astype(np.float64)).sum(2).argmin(1).astype(np.uint8)
        own = table.astype(weights.dtype)
        return own if table.shape[1] > 1 else own[:, 0], entries

    return function


OWN = [
    (7, 4, {}),
    (9, 256, {}),
    (9, 8, {"group_size": 8}),
    (9, 16, {"cluster_dim": 2}),
    (9, 16, {"per_channel_scale": "across"}),
]


@pytest.mark.parametrize(("version", "entries", "options"), OWN)
def test_a_table_of_ones_own(version, entries, options, tmp_path):
    """coremltools' custom mode, asked directly, with a function that is not toykit's; the table is in no order."""
    import coremltools.optimize.coreml as cto

    random = np.random.default_rng(0)
    layers = [
        (kind, random.normal(size=shape).astype(np.float16))
        for kind, shape in (("linear", (64, 48)), ("conv", (64, 64, 1)))
    ]
    table = random.normal(size=(entries, options.get("cluster_dim", 1))).astype(np.float16)
    source = writing.settled(Package(handmade.write(tmp_path / "net.mlpackage", layers, version)))
    config = cto.OpPalettizerConfig(
        mode="custom",
        lut_function=nearest(table),
        cluster_dim=options.get("cluster_dim", 1),
        enable_per_channel_scale="per_channel_scale" in options,
        **({"granularity": "per_grouped_channel"} | options if "group_size" in options else {}),
    )
    theirs = cto.palettize_weights(open_mlmodel(source), cto.OptimizationConfig(global_config=config))
    ours, asked = (
        tk.coreml.compress(source, "palettize", lut=table, engine=engine, **options)
        for engine in ("toykit", "coremltools")
    )
    expected = sizes.weight_file(Package(theirs.package_path))
    assert sizes.weight_file(ours) == sizes.weight_file(asked) == expected
    assert writing.contents(ours) == writing.contents(theirs) == writing.contents(asked)


def test_what_is_said_of_the_model(tmp_path):
    """Its author, licence, version and notes, and what its inputs are, stay with both."""
    mlmodel = packages.network("iOS18")
    mlmodel.author, mlmodel.license, mlmodel.short_description = "someone", "MIT", "a network"
    mlmodel.version, mlmodel.user_defined_metadata["trained on"] = "1.2", "stars"
    mlmodel.input_description["x"] = "an image"
    source = Package(tk.coreml.save(mlmodel, tmp_path / "net.mlpackage"))
    said = [package.description for package in (source, *writing.with_both(source, "quantize", {}))]
    assert said[0] == said[1] == said[2] and said[0].metadata["author"] == "someone"


def test_a_judge_that_sees_a_difference(tmp_path):
    """A name, a bit or an order that differs is seen."""
    random = np.random.default_rng(0)
    layers = [("linear", random.normal(size=(64, 48)).astype(np.float16)) for _ in range(2)]
    source = handmade.write(tmp_path / "a.mlpackage", layers)
    turned = handmade.write(tmp_path / "b.mlpackage", layers[::-1])
    named = handmade.write(tmp_path / "c.mlpackage", layers, names=["w0", "w2"])
    same = handmade.write(tmp_path / "d.mlpackage", layers)
    first = writing.contents(source)
    assert first == writing.contents(same)
    assert first != writing.contents(turned) and first != writing.contents(named)
    assert all(
        isinstance(value, Compressed)
        for value in tk.coreml.weights(tk.coreml.compress(source, "quantize")).values()
    )
    assert fixtures.versions()


def test_layers_with_numbers_for_names_are_called_as_coremltools_calls_them():
    network = torch.nn.Sequential(torch.nn.Linear(64, 64))
    source = Package(tk.coreml.convert(network, torch.zeros(1, 64), target="iOS18", check=False).package_path)
    names = [
        next(step.name for step in tk.coreml.compress(source, "quantize", engine=engine).program.walk())
        for engine in ("toykit", "coremltools")
    ]
    assert names == ["op_0_weight_to_fp16_quantized"] * 2


class TestDifferences:
    """Those that the page on writing packages names; `test_writing.py` has the others."""

    def test_programs_that_coremltools_did_not_convert_are_not_optimized(self, tmp_path):
        weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16)
        source = Package(handmade.write(tmp_path / "net.mlpackage", [("linear", weight), ("linear", weight)]))
        ours, theirs = (
            tk.coreml.compress(source, "quantize", engine=engine) for engine in ("toykit", "coremltools")
        )
        kept = [step.name for step in source.program.walk() if step.op != "const"]
        assert [step.name for step in ours.program.walk() if not step.op.startswith("const")] == kept
        assert [
            step.name for step in theirs.program.walk() if not step.op.startswith("const")
        ] != kept or len(list(theirs.program.walk())) != len(list(ours.program.walk()))

    def test_gathers_are_guarded_anew_at_each_pass(self):
        source, settled = writing.network("embedding", "iOS18")
        assert settled is None
        ours, theirs = (
            tk.coreml.compress(source, "quantize", engine=engine) for engine in ("toykit", "coremltools")
        )
        steps = lambda package: sum(not step.op.startswith("const") for step in package.program.walk())
        assert steps(ours) == steps(source) < steps(theirs) < steps(writing.passed(theirs))

    def test_what_the_program_says_of_its_writer_stays(self):
        source = fixtures.Fixture("8.3", "iOS18 plain").package
        ours, theirs = (
            tk.coreml.compress(source, "quantize", weight_threshold=16, engine=engine)
            for engine in ("toykit", "coremltools")
        )
        info = [package.model_file.read_bytes().split(b"buildInfo")[1:] for package in (source, ours, theirs)]
        assert info[0][0][:140] == info[1][0][:140] and b"8.3.0" in info[0][0] and not info[2]

    def test_scales_of_weights_above_half_of_float16(self, tmp_path):
        weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float16)
        weight[0, 0] = 40_000
        source = Package(handmade.write(tmp_path / "net.mlpackage", [("linear", weight)]))
        stored = tk.coreml.weights(tk.coreml.compress(source, "quantize", granularity="per_tensor"))["w0"]
        assert np.isfinite(stored.scale).all() and abs(float(stored.dense()[0, 0]) - 40_000) < 200
        with pytest.raises(tk.coreml.PackageError, match="'w0' is not stored as asked"):
            tk.coreml.compress(source, "quantize", granularity="per_tensor", engine="coremltools")


class TestRaising:
    """What `toykit.coreml.writing.forms.raised` takes for granted, asked of coremltools' own definitions."""

    VERSIONS = ((ct.target.iOS15, 6), (ct.target.iOS16, 7), (ct.target.iOS17, 8), (ct.target.iOS18, 9))

    def test_only_these_operators_are_defined_anew(self):
        from coremltools.converters.mil.mil.ops.registry import SSAOpRegistry

        number, changed, defaults = dict(self.VERSIONS), {}, set()
        for op, kinds in SSAOpRegistry.core_ops.items():
            order = sorted(kinds, key=lambda target: target.value)
            for old, new in zip(order, order[1:]):
                before, after = kinds[old].input_spec.input_types, kinds[new].input_spec.input_types
                required = {name for name in after.keys() - before.keys() if not after[name].optional}
                if before.keys() - after.keys() or required:
                    changed.setdefault(number[new], set()).add(op)
                elif op.startswith("gather") and new is ct.target.iOS17:
                    defaults.add(op)
        told = {version: set(ops) for version, ops in forms._REDEFINED.items()}
        assert all(ops <= told[version] for version, ops in changed.items())
        assert {"crop_resize", "non_maximum_suppression"} == changed[8]
        assert {"constexpr_lut_to_dense", "constexpr_sparse_to_dense"} == changed[9]
        assert defaults == set(forms._GATHERS)

    @pytest.mark.parametrize("name", ["depthwise", "lstm", "attention"])
    def test_coremltools_reads_a_package_that_was_raised(self, name):
        source, _ = writing.network(name, "iOS16")
        raised = tk.coreml.compress(source, "palettize", bits=3, mode="uniform", target="iOS18")
        read = writing.passed(raised)
        assert read.spec_version == raised.spec_version == 9
        for engine in ("toykit", "coremltools"):
            again = tk.coreml.compress(
                source, "palettize", bits=3, mode="uniform", target="iOS18", engine=engine
            )
            assert sizes.weight_file(again) == sizes.weight_file(raised)
        found = tk.coreml.compare(read, raised, samples=1)
        assert all(min(one.decibels) == np.inf for one in found.outputs)


@pytest.mark.parametrize(
    "name", ["iOS16 palette 4", "iOS18 palette 4", "iOS18 int4 blocks", "iOS18 pruned half"]
)
def test_what_is_compressed_already_stays(name):
    source = fixtures.Fixture("9.0", name).package
    written = tk.coreml.compress(source, "palettize", bits=4, mode="uniform")
    before, after = tk.coreml.weights(source), tk.coreml.weights(written)
    for key, weight in before.items():
        if isinstance(weight, Compressed):
            assert type(after[key]) is type(weight)
            np.testing.assert_array_equal(after[key].dense(), weight.dense())
