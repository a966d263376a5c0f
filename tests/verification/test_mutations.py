"""One byte of weight.bin, or one place of the model file, is changed at random: `verify` notices.

Unless nothing that the program computes with is another: that is shown by reading everything in it once more.
"""

import contextlib
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toykit as tk
from tests import handmade
from tests.nightly import NIGHTLY, cases
from tests.parity.mutants import change, plain
from tests.strategies import trained
from toykit.coreml.format import protobuf
from toykit.coreml.format.package import PackageError

from . import nets


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    layers = [
        ("linear", trained((48, 64), 1)),
        ("conv", trained((32, 24, 3), 2)),
        ("linear", trained((16, 20), 3)),
    ]
    return handmade.write(tmp_path_factory.mktemp("source") / "net.mlpackage", layers)


@pytest.fixture(scope="module", params=nets.FORMS)
def small(request, source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    path = nets.compress(source, request.param, folder / "small.mlpackage")
    assert tk.verify(path, source, run=False).ok
    return path


def noticed(mutant, small, source):
    """Whether verify notices, or what it did not notice is nothing."""
    found = tk.verify(mutant, source, run=False)
    return not found.ok or nets.content(mutant) == nets.content(small)


@settings(max_examples=cases(12, 500), deadline=None, derandomize=not NIGHTLY)
@given(data=st.data())
def test_one_byte_of_the_weight_file(small, source, tmp_path_factory, data):
    mutant = nets.copy(small, tmp_path_factory.getbasetemp() / "mutant.mlpackage")
    content = Path(mutant, nets.WEIGHTS).read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != content[place]))
    nets.set_byte(mutant, place, value)
    assert noticed(mutant, small, source)


@settings(max_examples=cases(6, 300), deadline=None, derandomize=not NIGHTLY)
@given(seed=st.integers(0, 2**32))
def test_one_place_of_the_model_file(small, source, tmp_path_factory, seed):
    mutant = nets.copy(small, tmp_path_factory.getbasetemp() / "mutant.mlpackage")
    model = protobuf.decode((mutant / handmade.MODEL).read_bytes(), "Model")
    model["mlProgram"] = protobuf.decode(model["mlProgram"], "Program")
    model = plain(model)
    change(random.Random(seed), model)
    try:
        if isinstance(model.get("mlProgram"), dict):
            model["mlProgram"] = protobuf.encode(model["mlProgram"], "Program")
        (mutant / handmade.MODEL).write_bytes(protobuf.encode(model, "Model"))
    except Exception:
        return  # no message can say that
    assert noticed(mutant, small, source)


def test_the_test_itself(small, source, tmp_path):
    """It can fail: another weight is another content, and padding is none."""
    mutant = nets.copy(small, tmp_path / "mutant.mlpackage")
    blob = tk.coreml.Package(small).weight_blobs[0]
    nets.set_byte(mutant, blob.offset + 40, 1)  # reserved
    assert nets.content(mutant) == nets.content(small)
    nets.set_byte(mutant, blob.start, int(blob.packed[0]) ^ 1)
    with contextlib.suppress(PackageError):  # a mask that keeps another number
        assert nets.content(mutant) != nets.content(small)
    assert not tk.verify(mutant, source, run=False).ok
