"""Answers across the stacks: toykit's interpreter, Apple's runtime and torch, in any pairing."""

import json

import numpy as np
import pytest

import toykit as tk
from tests.coreai import needs_coreai
from toykit.cli.__main__ import main

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools")


class Words(torch.nn.Module):
    """Rows of a table, and numbers: an input that is whole, and one that is not."""

    def __init__(self):
        super().__init__()
        self.words, self.out = torch.nn.Embedding(50, 64), torch.nn.Linear(64, 64)

    def forward(self, word, shift):
        return self.out(self.words(word)[:, 0] + shift), shift * 2


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Words()


EXAMPLE = torch.tensor([[3]], dtype=torch.int32), torch.randn(1, 64)


@pytest.fixture(scope="module")
def package(net):
    return tk.coreml.convert(net.eval(), EXAMPLE)


@pytest.fixture(scope="module")
def asset(net, tmp_path_factory):
    program = tk.coreai.convert(net, EXAMPLE, precision="float32")
    return tk.coreai.save(program, tmp_path_factory.mktemp("assets") / "net.aimodel")


def test_a_package_and_its_module(net, package):
    found = tk.coreai.compare(net, package)
    assert len(found.outputs) == 2 and found.worst > 50
    assert any("whole numbers from 0 to 49" in note for note in found.inputs)
    with net.train() and torch.no_grad():
        assert tk.coreai.compare(package, net).worst > 50
    assert net.training and net.out.training


def test_rows_of_a_table_are_counted_whichever_side_has_the_program(net):
    newer = tk.coreml.convert(net.eval(), EXAMPLE, target="iOS18")  # which casts the places first
    for reference, model in ((net, newer), (newer, net)):
        found = tk.coreai.compare(reference, model)
        assert any(note.startswith("word: 50 of 50 rows") for note in found.inputs)


@needs_coreai
def test_any_pairing_agrees(net, package, asset):
    models = {"torch": net, "package": package, "asset": asset, "program": tk.coreai.Asset(asset).program()}
    for one, reference in models.items():
        for other, model in models.items():
            if "torch" in (one, other) and one == other:
                continue
            found = tk.coreai.compare(reference, model, samples=2)
            assert found.worst > (50 if "package" in (one, other) else 100), (one, other, found)
            assert [output.samples for output in found.outputs] == [2, 2]


@needs_coreai
def test_a_wrong_model_is_found(net, asset):
    other = Words()
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        other.out.weight[0] += 1
    found = tk.coreai.compare(other, asset)
    first, second = found.outputs
    assert first.worst < 30 and second.identical
    assert tk.coreai.compare(net, asset, samples=3).outputs[0].worst > 100


@needs_coreai
def test_inputs_of_other_names_are_taken_in_order_and_it_is_said(net, asset):
    class Renamed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, token, move):
            return self.net(token, move)

    found = tk.coreai.compare(Renamed(), asset)
    assert found.worst > 100
    assert any(
        "inputs of Renamed taken by their order: token as word, move as shift" in note
        for note in found.inputs
    )
    given = {"token": np.array([[4]]), "move": np.ones((1, 64), np.float32)}
    assert tk.coreai.compare(Renamed(), asset, given).worst > 100


@needs_coreai
def test_the_same_numbers_go_into_both(net, asset):
    """An asset of float16 takes its inputs rounded: the other model gets them rounded, too."""
    half = tk.coreai.convert(net, EXAMPLE)
    found = tk.coreai.compare(asset, half, samples=2)
    assert found.outputs[1].identical  # twice the input
    assert any("shift: rounded to float16" in note for note in found.inputs)


def test_two_modules_need_inputs(net):
    with pytest.raises(ValueError, match="inputs must be a dictionary of arrays"):
        tk.coreai.compare(net, net)
    given = {"word": np.array([[7]]), "shift": np.zeros((1, 64), np.float32)}
    found = tk.coreai.compare(net, net, [given, given])
    assert [one.verdict for one in found.outputs] == ["identical (2 samples)"] * 2


def test_what_does_not_fit_is_said(net, package, tmp_path):
    for wrong, error, said in (
        (3, TypeError, "model must be an .mlpackage, an .aimodel, an AIProgram or a torch module; got 3"),
        ("net.onnx", ValueError, "model must be .*; got 'net.onnx'"),
        (tmp_path / "no.aimodel", FileNotFoundError, "there is no asset"),
        (tmp_path / "no.mlpackage", FileNotFoundError, "there is no package"),
    ):
        with pytest.raises(error, match=said):
            tk.coreai.compare(package, wrong)
    narrow = tk.coreml.convert(torch.nn.Linear(64, 64), torch.zeros(1, 64))
    with pytest.raises(ValueError, match="the models have different inputs"):
        tk.coreai.compare(package, narrow)
    with pytest.raises(ValueError, match="samples counts random inputs"):
        tk.coreai.compare(package, net, {"word": [[1]]}, samples=2)
    with pytest.raises(ValueError, match="Words does not take these inputs: .*63"):
        tk.coreai.compare(net, net, {"word": np.array([[7]]), "shift": np.zeros((1, 63), np.float32)})
    with pytest.raises(ValueError, match="no input 'words'"):
        tk.coreai.compare(package, net, {"words": np.array([[7]])})


@needs_coreai
def test_the_command_takes_an_asset_on_either_side(package, asset, tmp_path, capsys):
    path = tk.coreml.save(package, tmp_path / "net.mlpackage")
    assert main(["compare", str(asset), str(path), "--samples", "2", "--at-least", "50", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert main(["compare", str(path), str(asset), "--samples", "2"]) == 0
    assert "net.mlpackage taken by their order" in capsys.readouterr().out
    assert main(["compare", str(asset), str(path), "--function", "main"]) == 2
    assert "--function is for packages" in capsys.readouterr().err


class _Masked(torch.nn.Module):
    def forward(self, x, mask):
        return torch.where(~mask, x, 0)


def test_a_mask_stays_one_in_torch():
    program = tk.coreai.convert(_Masked(), (torch.zeros(4), torch.zeros(4, dtype=torch.bool)))
    given = {"x": np.ones(4, np.float16), "mask": np.array([True, False, True, False])}
    assert tk.coreai.compare(_Masked(), program, given).worst == np.inf
