"""Packages that other versions of coremltools wrote: bytes, weights and answers, for every form that they know."""

import hashlib
import struct

import numpy as np
import pytest

import toykit as tk

from . import fixtures, nets

# The reference adds up in float64, and the interpreter in float32.
RELATIVE, ABSOLUTE = 2e-5, 2e-6


@pytest.fixture(scope="module", params=fixtures.names(), ids="-".join)
def fixture(request):
    """Each package in turn, opened once for all tests of it."""
    return fixtures.Fixture(*request.param)


def test_opens_and_its_bytes_are_the_disks(fixture):
    assert fixture.package.spec_version == fixture.entry["specification"]
    # Those of several functions do not say who wrote them.
    writer = fixtures.index(fixture.version)["coremltools"]
    said = fixture.package.description.metadata.get("userDefined", {})
    assert said.get("com.github.apple.coremltools.version", writer) == writer
    on_disk = sum(file.stat().st_size for file in fixture.path.rglob("*") if file.is_file())
    assert tk.size.ledger(fixture.package).nbytes == on_disk


def test_weights_are_what_their_writer_decompresses(fixture):
    found, expected = fixture.weights(), fixture.entry["weights"]
    assert found.keys() == expected.keys()
    for operator, (dtype, shape, digest) in expected.items():
        weight = np.ascontiguousarray(found[operator])
        assert (weight.dtype, list(weight.shape)) == (dtype, shape), operator
        assert hashlib.sha256(weight.tobytes()).hexdigest() == digest, operator


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_answers_are_those_of_the_weights(fixture, backend):
    if backend == "torch":
        pytest.importorskip("torch")
    for function, expected in fixture.entry["answers"].items():
        found = fixture.answers(backend, function, calls=len(expected))
        np.testing.assert_allclose(found, expected, RELATIVE, ABSOLUTE)


def test_records_of_old_writers_hold_what_lay_in_memory():
    """What makes these fixtures worth keeping: the fields that are reserved are not zero in all of them."""
    used = {
        version: sum(_reserved_fields_in_use(fixtures.Fixture(version, name).path) for name in names)
        for version, names in ((old, fixtures.index(old)["packages"]) for old in ("6.3", "7.2"))
    }
    assert all(used.values()), used


def _reserved_fields_in_use(package):
    """Records of its weight.bin whose bytes after the place of the data are not zero."""
    content, offset, found = next(package.rglob("weight.bin")).read_bytes(), 64, 0
    for _ in range(struct.unpack_from("<I", content)[0]):
        size, start = struct.unpack_from("<QQ", content, offset + 8)
        found += any(content[offset + 24 : offset + 64])
        offset = -(-(start + size) // 64) * 64
    return found


def test_all_fixtures_together_are_small():
    assert sum(file.stat().st_size for file in fixtures.ARCHIVES.iterdir()) < 300_000


def test_the_network_of_the_fixtures_tells_one_weight_from_another():
    values, given = nets.weights(), nets.inputs()
    right = nets.answer(values, given)
    for name in values:
        wrong = values | {name: values[name] * np.float16(1.01)}
        off_by = np.abs(nets.answer(wrong, given) - right)
        assert (off_by > 10 * (RELATIVE * np.abs(right) + ABSOLUTE)).any(), name
