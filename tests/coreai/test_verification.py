"""Whether a compressed program is what it should be."""

import json
import shutil

import numpy as np
import pytest

import toykit as tk
from tests.coreai import needs_coreai
from toykit.cli.__main__ import main
from toykit.quantization import quantize
from toykit.verification.promises import judge

torch = pytest.importorskip("torch")
networks = pytest.importorskip("tests.coreai.networks")

CASES = {
    "int8": ("quantize", {"bits": 8}, "exact"),
    "zero points": ("quantize", {"bits": 8, "mode": "affine"}, "exact"),
    "int4 blocks": ("quantize", {"bits": 4, "granularity": "per_block", "block_size": 32}, "exact"),
    "int2": ("quantize", {"format": "int2", "granularity": "per_block", "block_size": 32}, "exact"),
    "fp8": ("quantize", {"format": "fp8_e4m3"}, "exact"),
    "fp4": ("quantize", {"format": "fp4_e2m1", "granularity": "per_block"}, "exact"),
    "pruned": ("prune", {"sparsity": 0.75}, "exact"),
    "n:m": ("prune", {"n_m": (2, 4), "dim": 1}, "exact"),
    "palette": ("palettize", {"bits": 4}, "near"),
    "pruned palette": ("joint", {"prune": {"sparsity": 0.75}, "palettize": {"bits": 4}}, "near"),
}


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    program = tk.coreai.convert(networks.everything(), networks.example())
    return tk.coreai.save(program, tmp_path_factory.mktemp("assets") / "net.aimodel")


@needs_coreai
@pytest.mark.parametrize("case", CASES)
def test_what_core_ai_compresses_keeps_its_promise(big, case):
    technique, options, status = CASES[case]
    small = tk.coreai.compress(big, technique, **options)
    found = tk.coreai.verify(small, big, run=False)
    assert found.ok and not found.problems
    assert {one.status for one in found.weights} <= {status, "exact"} and len(found.weights) >= 5
    assert found.unchanged == len(tk.coreai.weights(big)) - len(found.weights)


@needs_coreai
@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_a_program_is_held_against_the_torch_module(precision):
    """The batch norm is folded into the convolution in both."""
    net = networks.everything()
    small = tk.coreai.compress(tk.coreai.convert(net, networks.example(), precision), "prune", sparsity=0.5)
    found = tk.coreai.verify(small, net, samples=1)
    assert found.ok and {one.status for one in found.weights} == {"exact"} and len(found.weights) >= 5
    with torch.no_grad():
        net.matrix[3] += 0.5
    found = tk.coreai.verify(small, net, run=False)
    assert [one.name for one in found.weights if one.status == "wrong"] == ["matrix"]


@needs_coreai
def test_answers_are_compared(big):
    small = tk.coreai.compress(big, "quantize", bits=8)
    found = tk.coreai.verify(small, big, samples=2)
    assert (
        found.ok
        and found.answers.worst > 20
        and found.small == "the program"
        and found.against == "net.aimodel"
    )
    low = tk.coreai.verify(small, big, samples=2, at_least=200)
    assert not low.ok and "below 200 dB" in low.problems[0]
    assert tk.coreai.verify(big, big, samples=1).ok


@needs_coreai
def test_a_weight_of_another_network_is_found(big):
    other = networks.everything()
    with torch.no_grad():
        other.matrix[3] += 0.5
        other.first.bias[0] += 0.5
    changed = tk.coreai.convert(other, networks.example())
    found = tk.coreai.verify(tk.coreai.compress(changed, "quantize", bits=8), big, run=False)
    assert not found.ok and [one.name for one in found.weights if one.status == "wrong"] == ["matrix"]
    assert len(found.problems) == 2
    assert any(
        problem.startswith("first.bias: 1 of 64 numbers are not what they were") for problem in found.problems
    )


@needs_coreai
def test_a_number_that_is_none_is_no_change(big):
    other = networks.everything()
    with torch.no_grad():
        other.first.bias[0] = float("nan")
    broken = tk.coreai.convert(other, networks.example())
    assert tk.coreai.verify(broken, broken, run=False).ok
    assert tk.coreai.verify(broken, big, run=False).problems == (
        "first.bias: 1 of 64 numbers are not what they were, the first at [0]",
    )


@needs_coreai
def test_another_operator_is_found(big):
    class Other(networks.Everything):
        def forward(self, image, word):
            x = self.first(torch.tanh(self.norm(self.conv(image))).flatten(1))
            return (self.blocks(x) + self.words(word)[:, 0]) @ self.matrix

    torch.manual_seed(0)
    found = tk.coreai.verify(tk.coreai.convert(Other().eval(), networks.example()), big, run=False)
    assert any(
        "the program: operator" in problem and "is tanh; it was relu" in problem for problem in found.problems
    )
    assert found.unchanged == len(tk.coreai.weights(big))


@needs_coreai
def test_weights_that_stay_are_named(big):
    small = tk.coreai.compress(big, "quantize", bits=4, granularity="per_block", block_size=32)
    assert "conv.weight is not compressed" in tk.coreai.verify(small, big, run=False).notes
    assert (
        "conv.weight is not compressed" in tk.coreai.verify(small, big, run=False, all_weights=True).problems
    )


@needs_coreai
def test_arguments_are_checked(big):
    with pytest.raises(TypeError, match="small must be the path of an .aimodel.*got int"):
        tk.coreai.verify(3, big)
    with pytest.raises(TypeError, match="big must be"):
        tk.coreai.verify(big, None)
    with pytest.raises(ValueError, match="tables must be"):
        tk.coreai.verify(big, big, tables="mine")
    with pytest.raises(FileNotFoundError, match="there is no asset"):
        tk.coreai.verify(big, big.with_name("no.aimodel"))


@needs_coreai
def test_a_small_asset_that_is_not_sound_is_not_verified(big, tmp_path):
    shutil.copytree(big, tmp_path / "cut.aimodel")
    content = (big / "main.mlirb").read_bytes()
    (tmp_path / "cut.aimodel/main.mlirb").write_bytes(content[: len(content) // 2])
    found = tk.coreai.verify(tmp_path / "cut.aimodel", big)
    assert not found.ok and "section of resources claims" in found.problems[0]


@needs_coreai
def test_the_commands(big, tmp_path, capsys):
    small = tmp_path / "small.aimodel"
    assert main(["compress", str(big), str(small), "--quantize", "8"]) == 0
    assert "times smaller" in capsys.readouterr().out
    assert main(["verify", str(small), "--against", str(big), "--no-answers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert main(["compress", str(big), str(small), "--quantize", "8"]) == 2
    assert "exists" in capsys.readouterr().err
    assert main(["compress", str(big), str(small), "--quantize", "8", "--only", "conv", "--force"]) == 2
    assert "--only is for packages" in capsys.readouterr().err
    joint = ["compress", str(big), str(small), "--prune", "0.75", "--quantize", "8", "--force"]
    assert main(joint) == 0
    assert main(["verify", str(small), "--against", str(tmp_path / "net.mlpackage")]) == 2
    assert "must be of one kind" in capsys.readouterr().err


@pytest.mark.parametrize("scale_format", ["float", "e8m0"])
@pytest.mark.parametrize("kind", ["fp8_e4m3", "fp8_e5m2", "fp4_e2m1"])
def test_small_floats_promise_the_nearest_number(kind, scale_format):
    weights = np.random.default_rng(0).normal(size=(64, 96)).astype(np.float16)
    options = {"format": kind, "scale_format": scale_format, "granularity": "per_block", "block_size": 32}
    made = quantize(weights, **options)
    assert judge(weights, made).status == "exact"
    assert judge(weights, made, tables="given").status == "given"
    other = weights.copy()
    other[5, 7] *= -1
    assert judge(other, made).problem.startswith("1 of 6,144 numbers do not have the nearest number of")
    wider = quantize(weights * np.float16(0.5), **options)
    doubled = type(wider)(wider.codes, made.scale, wider.shape, wider.format, wider.dense_dtype)
    assert judge(weights * np.float16(0.5), doubled, tables="given").status == "wrong"


def test_scales_of_a_float32_program_are_given():
    torch.manual_seed(0)
    big = tk.coreai.convert(torch.nn.Linear(64, 64), torch.zeros(1, 64), precision="float32")
    small = tk.coreai.compress(big, "quantize", bits=8)
    assert "scale that the original asks for" in str(tk.coreai.verify(small, big, run=False).problems)
    assert tk.coreai.verify(small, big, tables="given", run=False).ok
