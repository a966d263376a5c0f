"""Three judges of random small networks: toykit's interpreter, Apple's runtime and torch.

How far rounding can move an answer is calculated from the type, in `random_networks`; what is farther is a fault of
somebody. `python -m tests.parity.coreai.report networks` judges 500.
"""

import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
torch = pytest.importorskip("torch")

from torch import nn

import toykit as tk
from tests.coreai import needs_coreai
from tests.nightly import sampled

from . import judges, random_networks, report

pytestmark = [needs_coreai, pytest.mark.usefixtures("one_thread")]
FEW, MANY = ([(batch[0], batch[1] or "plain", batch[2]) for batch in report.batches(n)] for n in (50, 500))


@pytest.mark.parametrize(
    ("precision", "compression", "seeds"),
    sampled([*FEW, *(batch for batch in MANY if batch not in FEW)], FEW),
)
def test_three_judges_agree(precision, compression, seeds):
    found = report.verdicts(precision, None if compression == "plain" else compression, seeds)
    assert [str(verdict) for verdict in found if not verdict.agreed] == []


def test_a_judge_that_is_a_thousandth_off_is_found_and_its_network_shrunk(monkeypatch):
    """Where a layer's answers are a thousandth too large, float32 can tell; and the network is that layer."""
    right = judges.core_ai

    def wrong(networks, *rest):
        other = [nn.Sequential(*map(judges.copy.deepcopy, network)) for network in networks]
        for layer in nn.ModuleList(other).modules():
            if isinstance(layer, nn.ConvTranspose2d):
                layer.weight.data *= 1.001
        return right(other, *rest)

    monkeypatch.setattr(judges, "core_ai", wrong)
    make = random_networks
    steps = [(make.activation, 3), (make.widen, 5), (make.pool, 7), (make.conv, 11)]
    (verdict,) = judges.judge([tuple(steps)], "float32")
    assert not verdict.agreed
    smallest = judges.shrunk(verdict, "float32")
    assert [step.__name__ for step, _ in smallest.steps] == ["widen"]
    assert str(smallest).startswith("widen: Core ML ")


def test_apples_interpreter_adds_up_products_of_float16_in_float16():
    """... where toykit's interpreter and torch add up in float32, and round once: 2,048 and 1 are 2,048.

    So on Linux the float16 answers of a linear layer with thousands of inputs say nothing about a phone. Its
    convolutions and means are added up in more digits.
    """
    layer, ones = nn.Linear(6000, 1, bias=False), torch.ones(1, 6000)
    layer.weight.data.fill_(1)
    judged = {
        name: float(judge([layer], [ones], "float16", None)[0].item())
        for name, judge in (("Core ML", judges.core_ml), ("Core AI", judges.core_ai))
    }
    assert judged == {"Core ML": 6000, "Core AI": 2048}
    assert judges.in_torch([layer], [ones], "float16")[0].item() == 6000
    assert judges.core_ai([layer], [ones], "float32", None)[0].item() == 6000


@pytest.mark.parametrize("name", ["elu", "selu"])
def test_what_coreai_torch_cannot_convert(name):
    """coreai-torch 0.4.3 has no ELU and its kin, which Core ML has: they are not drawn."""

    class Net(nn.Module):
        def forward(self, x):
            return getattr(nn.functional, name)(x)

    with pytest.raises(ValueError, match="unsupported ATen ops: aten.elu"):
        tk.coreai.convert(Net(), torch.zeros(1, 4))
