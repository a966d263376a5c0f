"""`tk.diff`: what became of each weight, in figures that NumPy gives too."""

import json

import numpy as np
import pytest

import toykit as tk
from tests import handmade
from tests.strategies import trained

from . import nets


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return nets.write(tmp_path_factory.mktemp("source") / "net.mlpackage")


@pytest.mark.parametrize("form", nets.FORMS)
def test_bits_bytes_and_errors(form, source, tmp_path):
    small = nets.compress(source, form, tmp_path / "small.mlpackage")
    found = tk.diff(source, small)
    stored, before = tk.coreml.weights(small), tk.coreml.weights(source)
    assert found.of("compressed") and not found.unexpected
    for one in found.of("compressed"):
        weight, original = stored[one.name], before[one.name]
        assert one.bytes_after == weight.nbytes and one.bytes_before == original.nbytes
        assert one.bits_after == pytest.approx(8 * weight.nbytes / original.size)
        lost = original.astype(np.float64) - weight.dense()
        assert one.max_abs == np.abs(lost).max()
        ratio = np.square(original, dtype=float).sum() / np.square(lost).sum()
        assert one.snr_db == pytest.approx(10 * np.log10(ratio))
    assert (found.bytes_a, found.bytes_b) == (
        tk.coreml.Package(source).nbytes,
        tk.coreml.Package(small).nbytes,
    )


def test_nothing_is_different(source):
    found = tk.diff(source, source)
    assert {one.status for one in found.weights} == {"same"} and not found.unexpected
    assert "5 other constants of the weight file are the same" in str(found)


def test_why_weights_were_skipped(source, tmp_path):
    small = tk.coreml.compress(source, "palettize", bits=4, group_size=32)
    found = {one.name: one for one in tk.diff(source, small).weights}
    assert found["w1"].status == "skipped"
    assert found["w1"].why == "palettize: group_size must divide the 48 channels of axis 0; got 32"
    assert found["w4"].status == "same"  # too small to be asked for
    plan = {"w0": {"technique": "quantize"}}
    found = tk.diff(source, tk.coreml.compress(source, plan)).of("skipped")
    assert [one.name for one in found] == ["w1", "w2", "w3"]
    assert all("a plan or an option left it out" in one.why for one in found)


def test_a_weight_that_should_be_as_it_was(source, tmp_path):
    """What coremltools did before its pull request 2777: a weight divided by its scales, and then left so."""
    layers = [("linear", trained((48, 48), 1)), ("linear", trained((64, 64), 2))]
    before = handmade.write(tmp_path / "before.mlpackage", layers)
    divided = layers[0][1] / np.abs(layers[0][1]).max(1, keepdims=True)
    after = handmade.write(tmp_path / "after.mlpackage", [("linear", divided), layers[1]])
    found = tk.diff(before, after)
    assert [one.name for one in found.of("changed")] == ["w0"]
    assert found.unexpected[0].startswith("w0 of linear y0: 2,304 of 2,304 numbers are not what they were")


def test_in_words_and_as_data(source, tmp_path):
    found = tk.diff(source, tk.coreml.compress(source, "palettize", bits=4, group_size=32))
    assert max(map(len, str(found).splitlines())) <= 80
    data = json.loads(json.dumps(found.as_data()))
    assert [one["status"] for one in data["weights"]].count("skipped") == 2
    assert "<table>" in found._repr_html_()


def test_renamed_operations(tmp_path):
    """A pass that renames all results: operations belong together by their order."""
    before = nets.write(tmp_path / "net.mlpackage")
    after = nets.copy(before, tmp_path / "renamed.mlpackage")
    model = after / handmade.MODEL
    content = model.read_bytes()
    for number in range(5):
        content = content.replace(b"\x02w%d" % number, b"\x02v%d" % number)
    model.write_bytes(content)
    found = tk.diff(before, after)
    assert not found.unexpected and {one.status for one in found.weights} == {"same"}
    assert tk.verify(after, before, samples=1).ok


def test_the_wrong_way_round_is_said(source, tmp_path):
    small = nets.compress(source, "int8", tmp_path / "small.mlpackage")
    said = "is the order right? small.mlpackage, the original, is compressed, and"
    assert said in tk.diff(small, source).unexpected[-1]
    assert said in tk.verify(source, small, run=False).problems[-1]
    assert not any("the order" in one for one in tk.diff(source, source).unexpected)
