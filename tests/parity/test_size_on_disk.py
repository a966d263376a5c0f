"""The ledger's predictions against the packages that toykit writes, and these against coremltools'."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")

import toykit as tk
from tests.nightly import sampled
from toykit.coreml.format import weightbin

from . import architectures, sizes


@pytest.fixture(scope="module")
def converted():
    """(architecture, target) -> coremltools model, converted once."""
    torch.set_num_threads(1)
    done = {}

    def convert(name, target):
        if (name, target) not in done:
            if name == "resnet50":
                network, example = tk.models.resnet50(), torch.zeros(1, 3, 224, 224)
            else:
                network, example = architectures.build(name)
            done[name, target] = tk.coreml.convert(network, example, target=target, check=False)
        return done[name, target]

    return convert


def cases(targets):
    """Parameters of a test: a target, a technique, its options."""
    found = []
    for target, chosen in targets:
        for technique, options in chosen:
            name = f"{target}-{sizes.label(technique, options)}"
            found.append(pytest.param(target, technique, options, id=name))
    return found


def check(found, equal=True):
    """The package as predicted, to the byte and row by row; weight.bin that of coremltools, byte for byte.

    Where coremltools leaves its tables to chance, only their size is.
    """
    assert found.predicted.exact
    assert found.whole[0] == found.whole[1] and found.weights[0] == found.weights[1]
    assert rows(found.predicted) == rows(found.written) == rows(found.theirs)
    assert found.equal or not equal
    # What else differs is the note of what was converted, which coremltools forgets, and guards of gathers.
    assert found.written.nbytes == pytest.approx(found.theirs.nbytes, abs=4000)


def rows(ledger):
    return [replace(row, share=0) for row in ledger.rows]


@pytest.mark.parametrize("name", architectures.EXAMPLES)
@pytest.mark.parametrize(
    ("target", "technique", "options"),
    cases([("iOS16", sizes.OLD), ("iOS18", [*sizes.OLD[::2], *sizes.NEW, *sizes.KMEANS])]),
)
def test_small_networks(name, target, technique, options, converted):
    found = sizes.compare(converted(name, target), technique, options)
    check(found, sizes.deterministic(technique, options))


GROUPS = ("palettize", {"bits": 4, "mode": "uniform", "group_size": 16})


@pytest.mark.parametrize(
    ("technique", "options"),
    sampled(
        [
            ("prune", {"sparsity": 0.5}),
            ("quantize", {"bits": 8}),
            ("palettize", {"bits": 2, "mode": "uniform"}),
            GROUPS,
            ("joint", {"prune": {"sparsity": 0.75}, "quantize": {"bits": 8}}),
        ],
        daily=[GROUPS],
    ),
)
def test_resnet50(technique, options, converted):
    found = sizes.compare(converted("resnet50", "iOS18"), technique, options)
    check(found)
    if "group_size" in options:  # 16 does not divide 1,000 classes: the last layer stays in float16
        assert found.predicted.declined["fc_weight_to_fp16"] == (
            "palettize: group_size must divide the 1000 channels of axis 0; got 16",
        )
        last = [row for row in found.written.rows if row.name == "fc_weight_to_fp16"]
        assert [(row.dtype, row.nbytes) for row in last] == [("float16", 2 * 2_048_000)]


def test_resnet50_as_it_is(converted, tmp_path):
    path = tk.coreml.save(converted("resnet50", "iOS18"), tmp_path / "ResNet50.mlpackage")
    ledger = tk.size.ledger(path)
    assert ledger.nbytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    # Batch norms are folded: 53 biases in place of their weights and biases.
    assert ledger.parameters == 25_557_032 - 2 * 26_560 + 26_560
    assert len(ledger.rows) == 2 * 54
    assert sizes.weight_bytes(ledger) == weightbin.size(row.nbytes for row in ledger.rows)
    assert round(ledger.mb, 1) == 51.1
    # Half of its weights from shapes alone, without a package: the same to a tenth of a percent.
    shapes = tk.size.ledger(tk.models.resnet50(device="meta"), dtype="float16")
    guess, told = (kind.after("prune", sparsity=0.5).nbytes for kind in (shapes, ledger))
    assert guess == pytest.approx(told, rel=5e-3)


@pytest.mark.parametrize(("technique", "options"), sizes.NEW)
def test_old_packages_cannot_hold_new_forms(technique, options, converted):
    model = converted("pointwise", "iOS16")
    with pytest.raises(ValueError, match="need a package for iOS 18: convert with target='iOS18'"):
        tk.size.ledger(model).after(technique, **options)
    for engine in ("toykit", "coremltools"):
        with pytest.raises(ValueError, match="need a package for iOS 18: convert with target='iOS18'"):
            tk.coreml.compress(model, technique, engine=engine, **options)


def test_widths_that_core_ml_does_not_store(converted):
    with pytest.raises(ValueError, match="Core ML quantizes to 4 or 8 bits; got bits=3"):
        tk.size.ledger(converted("pointwise", "iOS18")).after("quantize", bits=3)


def test_unique_values_and_shared_weights():
    """Weights on a lattice, and one that two layers use."""

    class Shared(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(64, 64, bias=False)
            self.second = torch.nn.Linear(64, 64, bias=False)

        def forward(self, x):
            return self.second(self.first(self.first(x)).relu())

    network = Shared().eval()
    with torch.no_grad():
        for number, layer in enumerate(network.children()):
            lattice = np.random.default_rng(number).integers(-3, 4, (64, 64)) / 8
            layer.weight.copy_(torch.from_numpy(lattice.astype(np.float32)))
    model = tk.coreml.convert(network, torch.zeros(1, 64), target="iOS18", check=False)
    unique = ("palettize", {"mode": "unique"})
    for technique, options in [unique, ("quantize", {}), ("prune", {"sparsity": 0.6})]:
        check(sizes.compare(model, technique, options))


def test_float32_packages():
    network, example = architectures.build("unet")
    model = tk.coreml.convert(network, example, target="iOS18", precision="float32", check=False)
    uniform = ("palettize", {"bits": 4, "mode": "uniform"})
    for technique, options in [uniform, ("quantize", {}), ("prune", {"sparsity": 0.5})]:
        check(sizes.compare(model, technique, options))
