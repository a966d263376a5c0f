"""Packages that other versions of coremltools wrote: bytes, weights and answers, for every form that they know."""

import struct

import numpy as np
import pytest

import toykit as tk
from tests.nightly import nightly
from tests.parity import sizes

from . import fixtures, nets, settings

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
    assert fixture.differing_weights() == []


def check_answers(fixture, backend):
    for function, expected in fixture.entry["answers"].items():
        found = fixture.answers(backend, function, calls=len(expected))
        np.testing.assert_allclose(found, expected, RELATIVE, ABSOLUTE)


def test_answers_are_those_of_the_weights(fixture):
    check_answers(fixture, "numpy")


@pytest.mark.parametrize(
    "version", [pytest.param(each, marks=[nightly] * (each != "9.1.dev1")) for each in fixtures.versions()]
)
def test_torch_answers_nightly_for_old_versions_are_those_of_the_weights(version):
    """The newest version knows every form; those of the others are tried in `make test-fuzz`."""
    pytest.importorskip("torch")
    for name in fixtures.index(version)["packages"]:
        check_answers(fixtures.Fixture(version, name), "torch")


def check_written(fixture, candidates, folder):
    """Every setting that the package takes is predicted to the byte, and what is written runs. How many there are."""
    number = 0
    for written in settings.write(fixture.path, candidates, folder, weight_threshold=nets.THRESHOLD):
        number += 1
        assert written.right, (fixture.version, fixture.name, written)
        if list(fixture.entry["answers"]) == ["main"] and not fixture.package.description.states:
            check_runs(fixture.written(written.path))
    return number


def check_runs(written):
    """A package answers what NumPy makes of its weights."""
    values = nets.weights() | written.weights()  # the biases are those of all
    expected = nets.answer(values, nets.inputs(), quantized="activations" in written.name)
    np.testing.assert_allclose(written.answers("numpy")[0], expected.ravel(), RELATIVE, ABSOLUTE)


PLAIN = sorted(
    {(version, system) for version in fixtures.versions() for system in ("iOS16", fixtures.newest(version))}
)
plain_packages = pytest.mark.parametrize(("version", "system"), PLAIN)


@plain_packages
def test_what_is_predicted_is_written(version, system, tmp_path):
    fixture = fixtures.Fixture(version, f"{system} plain")
    assert check_written(fixture, settings.FEW, tmp_path) == (5 if system in ("iOS18", "iOS26") else 3)


@nightly
@pytest.mark.parametrize("version", fixtures.versions())
def test_nightly_what_is_predicted_is_written_for_every_setting(version, tmp_path):
    for name in fixtures.index(version)["packages"]:
        assert check_written(fixtures.Fixture(version, name), settings.ALL, tmp_path / name) >= 17


@nightly
@plain_packages
def test_nightly_coremltools_writes_the_same_weights(version, system):
    pytest.importorskip("coremltools")
    path = fixtures.Fixture(version, f"{system} plain").path
    for technique, options in settings.ALL:
        # Which coremltools 9 cannot write for iOS 26: its index says "refused".
        beyond_it = system == "iOS26" and list(options) == ["palettize", "quantize"]
        if beyond_it or not sizes.deterministic(technique, options):
            continue
        options = settings.shared(technique, options, {"weight_threshold": nets.THRESHOLD})
        try:
            ours = tk.coreml.compress(path, technique, **options)
        except ValueError:
            continue
        theirs = tk.coreml.compress(path, technique, engine="coremltools", **options)
        assert stored(ours) == stored(theirs), sizes.label(technique, options)


def stored(package):
    """All of weight.bin but the reserved fields: toykit writes zeros there, and coremltools hands on what an
    old writer left, if it has nothing to compress."""
    blobs = package.weight_blobs
    return [(blob.offset, blob.start, blob.dtype, blob.count, blob.packed.tobytes()) for blob in blobs]


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
