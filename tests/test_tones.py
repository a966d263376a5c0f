"""The tones have the pitch they claim, and the measures count what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toykit as tk
from toykit.data import pitch, tones


def test_the_pitch_is_the_phases_derivative():
    """A central difference of the phase, over 2 microseconds, is the frequency at time 0."""
    carrier = np.array([50.0, 440.0, 1700.0])
    step = 1e-6
    phase, hertz = tones.swinging_phase(
        carrier, np.array([-step, step]), swing=np.array([0, 30.0, 60.0]), start=np.array([0, 1.0, 4.0])
    )
    measured = np.diff(phase)[:, 0] / (2 * step) / (2 * np.pi)
    np.testing.assert_allclose(measured, hertz, rtol=1e-8)
    assert abs(1200 * np.log2(hertz[2] / 1700)) <= 60


def test_a_clean_tone_peaks_at_its_pitch():
    quiet = tones.synthesise(30, 3, noise_db=(-90, -90), vibrato=(0, 0), harmonics=(1, 1))
    spectrum = np.abs(np.fft.rfft(quiet.frames * np.hanning(1024), 2**16))
    found = spectrum.argmax(1) * tones.RATE / 2**16
    assert np.abs(pitch.error_cents(found, quiet.hertz))[quiet.hertz > 130].max() < 5


@pytest.mark.parametrize("make", [tones.easy_tones, tones.hard_tones])
def test_sets(make):
    some = make()
    assert len(some) == 2000 and some.frames.shape == (2000, 1024)
    assert some.frames.dtype == np.float32
    np.testing.assert_allclose(some.frames.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(some.frames.std(1), 1, atol=1e-5)
    assert min(np.sum(some.register == name) for name in tones.REGISTERS) >= 666
    assert some.hertz.min() > 31.7 and some.hertz.max() < 2005.5


def test_seeds():
    np.testing.assert_array_equal(tones.easy_tones(10).frames, tones.easy_tones(10).frames)
    assert not np.array_equal(tones.easy_tones(10).frames, tones.easy_tones(10, seed=2).frames)


def test_pitches_fill_the_registers_evenly():
    some = tones.easy_tones(3000)
    for name, (low, high) in tones.REGISTERS.items():
        share = np.log(some.hertz[some.register == name] / low) / np.log(high / low)
        np.testing.assert_allclose(np.histogram(share, 10, (0, 1))[0], 100, atol=12)


def test_noise_is_as_loud_as_stated():
    loud = tones.synthesise(300, 0, noise_db=(0, 0), vibrato=(0, 0), harmonics=(1, 1))
    # Of a frame with unit variance, half is tone and half is noise: remove the tone by projection.
    time = (np.arange(1024) - 512) / tones.RATE
    left = []
    for frame, hertz in zip(loud.frames, loud.hertz, strict=True):
        basis = np.stack([np.cos(2 * np.pi * hertz * time), np.sin(2 * np.pi * hertz * time)], 1)
        left.append(np.var(frame - basis @ np.linalg.lstsq(basis, frame, rcond=None)[0]))
    assert np.mean(left) == pytest.approx(0.5, abs=0.02)


def test_indexing():
    some = tones.easy_tones(9)
    low = some[some.register == "low"]
    assert len(low) == 3 and set(low.register) == {"low"} and low.frames.shape == (3, 1024)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_number_of_tones(n):
    with pytest.raises((TypeError, ValueError), match="n must be"):
        tones.easy_tones(n)


def test_note_and_cut():
    sound = tones.note(220.0, seconds=0.5, vibrato=20)
    assert sound.shape == (8000,) and np.abs(sound).max() == pytest.approx(0.9, abs=1e-3)
    frames = tones.cut(sound)
    assert frames.shape == (44, 1024)
    np.testing.assert_allclose(frames[3], tones.normalise(sound[480 : 480 + 1024]), atol=1e-6)
    with pytest.raises(ValueError, match="at least 1024 samples"):
        tones.cut(sound[:1000])
    np.testing.assert_array_equal(tones.normalise(np.zeros((1, 1024))), 0)


# Pitch and its measures.


@given(st.floats(-4, 4), st.integers(6, 353))
def test_decode_finds_a_bump_between_two_answers(offset, center):
    """A symmetric bump wholly inside the nine voters, or nearly, is read where it stands."""
    bins = np.arange(360)
    place = center + offset / 8
    bump = np.exp(-(((bins - place) * 20) ** 2) / (2 * 25**2))
    heard = pitch.cents(pitch.decode(bump[None]))[0]
    assert heard == pytest.approx(pitch.BIN_CENTS[0] + 20 * place, abs=0.2)


@pytest.mark.parametrize("winner", [0, 2, 357, 359])
def test_decode_at_the_edges(winner):
    answers = np.zeros((1, 360))
    answers[0, winner] = 0.5
    assert pitch.cents(pitch.decode(answers))[0] == pytest.approx(pitch.BIN_CENTS[winner])


def test_decode_of_silence_and_of_nonsense():
    assert pitch.decode(np.zeros((1, 360)))[0] == pytest.approx(10 * 2 ** (pitch.BIN_CENTS[0] / 1200))
    with pytest.raises(ValueError, match=r"\(n, 360\)"):
        pitch.decode(np.zeros(360))
    with pytest.raises(ValueError, match="finite"):
        pitch.decode(np.full((1, 360), np.nan))


def test_scores_count_octave_errors_as_errors():
    hertz = np.array([440.0] * 4)
    heard = hertz * 2 ** (np.array([0.0, 9, -49, 1200]) / 1200)
    found = pitch.scores(heard, hertz)
    assert found["within_10"] == 0.5 and found["within_50"] == 0.75
    assert found["median_cents"] == pytest.approx(29)
    with pytest.raises(ValueError, match="one shape"):
        pitch.scores(heard, hertz[:2])


@pytest.mark.parametrize("share, n", [(0.0, 10), (0.3, 10), (0.5, 400), (0.95, 2000), (1.0, 2000)])
def test_interval_is_wilsons(share, n):
    """The ends are where the normal test of a share would just be rejected."""
    low, high = pitch.share_interval(share, n)
    for end in [end for end, certain in ((low, share == 0), (high, share == 1)) if not certain]:
        assert abs(share - end) / np.sqrt(end * (1 - end) / n) == pytest.approx(1.959964, rel=1e-5)
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1


def test_data_is_reachable_from_the_top():
    assert tk.data.tones is tones and tk.data.pitch is pitch
