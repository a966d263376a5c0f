"""Cells of notebooks/data/networks_*, measured again.

Which of the first samples are right under a setting drawn anew in each run, for both networks, and how far one
layer moves the outputs. Another processor rounds float32 products in another order; that may turn a sentence
whose score is nearly 0, and one word in forty.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

import toykit as tk
from book._tools.trained_networks import FILES, missing
from toykit import sweep
from toykit.data import pitch

torch = pytest.importorskip("torch")

from book._tools import data_networks as made
from toykit.models._weights import replaced
from toykit.models.sentiment_accuracy import vectors

DATA = Path(__file__).resolve().parents[1] / "notebooks" / "data"
PARTS = ("whole", "mixed", "table", "w8a8")
MISSING = [part for part in FILES if missing(part)]
needs_networks = pytest.mark.skipif(bool(MISSING), reason=f"not brought: {MISSING}")
FIRST = 40


def table(part, **wanted):
    return sweep.read(DATA / f"networks_{part}.csv").where(**wanted)


@pytest.fixture(scope="module")
def stored():
    with np.load(DATA / "networks_right.npz") as file:
        return dict(file)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module", params=made.NAMES)
def subject(request):
    return made.Subject(request.param, thousands=0)


def bits(packed, row):
    return np.unpackbits(packed, count=row["samples"]).astype(bool)


@pytest.mark.parametrize("part", PARTS)
def test_shares_and_intervals_follow_from_the_answers(part, stored):
    for name in made.NAMES:
        rows, packed = table(part, network=name), stored.get(f"{part}_{name}", [])
        for row, answers in zip(rows, packed, strict=True):
            right, before = bits(answers, row), bits(stored[f"float32_{name}"], row)
            low, high = pitch.share_interval(right.mean(), len(right))
            moved = sweep.paired_interval(right, before)
            found = [row[c] for c in ("right_low", "right", "right_high")]
            found += [row[c] for c in ("difference_low", "difference", "difference_high")]
            expected = [low, right.mean(), high, moved.low, moved.value, moved.high]
            assert found == pytest.approx(expected, abs=1e-8), row["label"]


@needs_networks
def test_the_first_sentences_under_a_random_setting(stored):
    some = tk.data.sentences.sentiment(1000 * made.THOUSANDS)[:FIRST]
    weights = made.Subject("minilm", thousands=0).weights
    place, row = random_row("minilm")
    applied = sweep.apply(weights, row["setting"])
    model = replaced(tk.models.minilm(), applied.weights, "MiniLM")
    *head, offset = stored["head_minilm"]
    scores = vectors(model, some.texts) @ head + offset
    right = (scores > 0) == (some.ratings > 0)
    different = right != bits(stored["whole_minilm"][place], row)[:FIRST]
    assert (abs(scores[different]) < 1e-3).all(), row["label"]
    assert (applied.nbytes, len(applied.declined)) == (row["nbytes"], row["declined"])


@needs_networks
def test_the_first_words_under_a_random_setting(stored):
    exam = tk.models.ReadingExam(tk.data.words.draw(FIRST, 0, made.DIFFICULTY))
    place, row = random_row("ocr_reader")
    applied = sweep.apply(made.Subject("ocr_reader", thousands=0).weights, row["setting"])
    right, _ = exam.marks(applied.weights)
    assert np.sum(right != bits(stored["whole_ocr_reader"][place], row)[:FIRST]) <= 1, row["label"]
    assert (applied.nbytes, len(applied.declined)) == (row["nbytes"], row["declined"])


def random_row(name):
    """One that is quick to compress."""
    quick = [
        (place, row)
        for place, row in enumerate(table("whole", network=name))
        if row["technique"] not in ("palettize", "mixed")
    ]
    return quick[np.random.default_rng().integers(len(quick))]


@needs_networks
def test_a_random_layer_moves_the_outputs_as_far(subject):
    random = np.random.default_rng()
    row = random.choice([row for row in table("layers", network=subject.name) if row["weights"] < 200_000])
    applied = sweep.apply(subject.weights, row["setting"], [row["layer"]])
    exam = subject.tune
    if subject.name == "minilm":  # how far vectors move does not depend on the head, which takes long to find
        few = tk.data.sentences.sentiment(10, part="training")
        exam = tk.models.SentimentExam(exam.sentences, few)
    _, changed = exam.marks(applied.weights)
    assert changed.mean() == pytest.approx(row["changed"], rel=0.01, abs=1e-5), (row["layer"], row["label"])
    assert applied.snr_db == pytest.approx(row["snr_db"], rel=1e-6)


@needs_networks
def test_the_inputs_of_the_first_layer_stand_out_as_far(subject):
    with (DATA / "networks_activations.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["network"] == subject.name)
    found = next(iter(made.outliers(subject.name, subject.model, subject.calibrate)))
    assert found.pop("layer") == row.pop("layer") and found.pop("network") == row.pop("network")
    assert {name: float(value) for name, value in found.items()} == pytest.approx(
        {name: float(value) for name, value in row.items()}, rel=1e-3
    )


def test_a_planted_outlier_is_found_by_layer_and_by_channel():
    stats = pytest.importorskip("scipy.stats")
    x = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    x[7, 3] = -40
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU())
    (row,) = made.outliers("small", model, lambda model: [model(half) for half in torch.tensor(x).split(25)])
    assert (row["layer"], row["channels"], float(row["largest"])) == ("0.weight", 8, 40)
    median = np.median(abs(x))
    assert float(row["largest_over_median"]) == pytest.approx(40 / median, rel=1e-4)
    assert float(row["kurtosis"]) == pytest.approx(stats.kurtosis(x, axis=None, fisher=False), rel=1e-4)
    channels = abs(x).max(axis=0)
    assert float(row["channel_over_median_channel"]) == pytest.approx(40 / np.median(channels), rel=1e-4)


@needs_networks
def test_the_files_hold_what_make_data_networks_would_measure(subject):
    name = subject.name
    whole = table("whole", network=name)
    assert dict(zip(whole.column("label"), whole.column("setting"))) == made.settings(subject)
    layers = table("layers", network=name)
    names = sweep.layers(subject.weights)
    assert layers.column("layer") == names * len(made.ONE_LAYER[name])
    assert layers.column("setting") == [setting for setting in made.ONE_LAYER[name] for _ in names]
    mixed = table("mixed", network=name)
    assert [(row["budget_bits"], row["setting"]) for row in mixed] == [
        (budget, choice.settings) for budget, choice in made.recipes(subject)
    ]


@needs_networks
def test_recipes_are_no_larger_than_the_uniform_palette_of_as_many_bits(subject):
    for row in table("mixed", network=subject.name):
        for uniform in table("whole", network=subject.name, technique="palettize", group_size=None):
            if uniform["bits"] == row["budget_bits"]:
                assert row["nbytes"] <= uniform["nbytes"]
