"""`tk.where`: on networks where one part ruins the answer, it names that part."""

import json
import subprocess
import sys

import numpy as np
import pytest

import toykit as tk
from tests.zoo import fixtures, nets
from toykit.coreml.writing.packages import write_package
from toykit.settings import steps

PLAIN = fixtures.Fixture("9.0", "iOS18 plain")


def compress(bits):
    """The zoo's network with palettes of so many bits, by a part of the weight's name; 0 leaves it as it is."""

    def steps_of(name):
        chosen = next((bits[part] for part in bits if part in name), 8)
        return steps("palettize", {"bits": chosen, "weight_threshold": 250}) if chosen else []

    return write_package(tk.coreml.Package(PLAIN.path), steps_of)[0]


@pytest.fixture(scope="module")
def small():
    """The convolution has one bit, and everything else eight."""
    return compress({"conv": 1})


def test_it_names_the_weight_and_the_operator(small):
    found = tk.where(small, PLAIN.path, seed=1)
    assert "conv" in found.culprit.name and found.culprit.gain_db > 6
    assert found.first.op == "conv" and found.culprit.name in found.first.weights
    assert found.steepest.op in ("conv", "relu")
    others = [one for one in found.weights if one is not found.culprit]
    assert all(one.gain_db < 1 for one in others)


def test_levels_are_what_numpy_finds(small):
    """Operator by operator, with results that `inspect` gives."""
    inputs = {name: np.asarray(value) for name, value in nets.inputs().items()}
    found = tk.where(small, PLAIN.path, inputs)
    ours, theirs = (tk.coreml.load(one).inspect(inputs) for one in (small, PLAIN.path))
    assert len(found.operators) > 4
    for one in found.operators:
        signal, noise = theirs[one.name], theirs[one.name].astype(np.float64) - ours[one.name]
        if one.snr_db == np.inf:
            assert not noise.any()
        elif one.snr_db is not None:
            expected = 10 * np.log10(np.square(signal, dtype=float).sum() / np.square(noise).sum())
            assert one.snr_db == pytest.approx(expected, abs=1e-6)


def test_a_weight_put_back_is_measured(small):
    """The gain is what a package without that weight's compression has."""
    inputs = nets.inputs()
    found = tk.where(small, PLAIN.path, inputs)
    without = tk.coreml.compare(compress({"conv": 0}), PLAIN.path, inputs)
    assert found.culprit.answers_db == pytest.approx(without.worst, abs=1e-6)
    assert found.answers_db == pytest.approx(tk.coreml.compare(small, PLAIN.path, inputs).worst, abs=1e-6)


def test_nothing_to_find():
    found = tk.where(PLAIN.path, PLAIN.path)
    assert found.answers_db == np.inf and not found.weights
    assert found.first is found.steepest is found.culprit is None
    assert "the answers: no loss" in str(found)


def test_in_words_and_as_data(small):
    found = tk.where(small, PLAIN.path)
    text = str(found)
    assert max(map(len, text.splitlines())) <= 80 and f"to blame: {found.culprit.name}" in " ".join(
        text.split()
    )
    data = json.loads(json.dumps(found.as_data()))
    assert data["culprit"]["name"] == found.culprit.name
    assert len(data["operators"]) == len(found.operators)
    assert found._repr_html_().count("<table>") == 2


def test_only_the_furthest_weights_are_put_back(small):
    found = tk.where(small, PLAIN.path, most=1)
    assert [one.name for one in found.weights] == [found.culprit.name]
    assert any("more, nearer to the original, not put back" in note for note in found.notes)


@pytest.mark.parametrize("name", ["iOS18 state", "iOS18 two functions"])
def test_states_and_functions(name):
    plain = fixtures.Fixture("9.0", name).path
    made = tk.coreml.compress(plain, "palettize", bits=1, weight_threshold=250)
    for function in tk.coreml.Package(plain).description.functions or [None]:
        found = tk.where(made, plain, function=function)
        assert found.answers_db < 20 and found.weights
    assert tk.verify(made, plain).ok


def test_bad_input(small, tmp_path):
    other = fixtures.Fixture("9.0", "iOS18 state").path
    with pytest.raises(ValueError, match="cannot be run side by side"):
        tk.where(small, other)
    with pytest.raises(TypeError, match="samples must be a whole number"):
        tk.where(small, PLAIN.path, samples=2.5)
    with pytest.raises(ValueError, match="function must be one of"):
        tk.where(small, PLAIN.path, function="mian")
    with pytest.raises(FileNotFoundError):
        tk.where(small, tmp_path / "none")


def test_a_picture(small):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = tk.where(small, PLAIN.path)
    axes = found.plot()
    drawn = {text.get_text() for text in axes.texts}
    assert f"{found.first.snr_db:.1f} dB" in drawn
    plt.close("all")


def test_a_picture_of_a_long_program_shows_where_it_falls(small, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    from toykit.plots import composing

    monkeypatch.setattr(composing, "MOST_STEPS", 5)
    found = tk.where(small, PLAIN.path)
    picture = found.as_svg()
    assert picture == found.as_svg() and f"<title>{found.small} beside {found.against}" in picture
    drawn = {text.get_text() for text in found.plot().texts}
    assert f"{found.first.snr_db:.1f} dB" in drawn and any(text.endswith(" operations") for text in drawn)


WITHOUT = """
import json, sys
sys.modules |= dict.fromkeys(("coremltools", "torch", "numba", "sklearn", "scipy", "matplotlib"))
import toykit as tk
plain, small = sys.argv[1:]
found = tk.verify(small, plain, samples=2), tk.diff(plain, small), tk.where(small, plain)
print(json.dumps([one.as_data() for one in found]))
"""


def test_none_of_it_needs_coremltools():
    """Nor torch or numba: NumPy alone, in a Python where nothing else can be imported."""
    small = fixtures.Fixture("9.0", "iOS18 palette 1").path
    command = [sys.executable, "-c", WITHOUT, str(PLAIN.path), str(small)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    verified, different, located = json.loads(done.stdout)
    assert verified["ok"], verified["problems"]
    assert [one["status"] for one in different["weights"]].count("compressed") == 3
    assert located["culprit"] or located["weights"]
