"""Each fault that the page says `verify` catches: made, and caught; and what is right is not."""

import pytest

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
torch = pytest.importorskip("torch", reason="the packages are converted from torch")

import toykit as tk
from tests.parity import caught, faults


@pytest.mark.parametrize("name", caught.CAUGHT)
def test_verify_catches(name, tmp_path):
    _, said, _, options, make = caught.CAUGHT[name]
    torch.manual_seed(0)
    found = tk.verify(*make(tmp_path), samples=1, **options)
    assert not found.ok
    assert any(said in problem for problem in found.problems), found.problems


def test_activations_that_are_read_as_they_should_be_are_verified():
    torch.manual_seed(0)
    found = tk.verify(*caught.activations(caught.Right()), tables="given", samples=3)
    assert found.ok, found.problems
    assert found.with_originals.worst > 20


def test_the_page_has_them_all():
    table = "\n".join(caught.rows())
    assert table in faults.PAGE.read_text(encoding="utf-8"), "python -m tests.parity.caught prints the table"
