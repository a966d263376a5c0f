"""Exams of MiniLM and of the reader of text, against asking sample by sample, scikit-learn and torch."""

import copy
from dataclasses import replace

import numpy as np
import pytest

import toykit as tk
from book._tools.trained_networks import FILES, missing

torch = pytest.importorskip("torch")

from toykit.data import sentences, word_pieces, words
from toykit.models import ReadingExam, SentimentExam

MISSING = [part for part in FILES if missing(part)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not brought: {MISSING}; 'make networks' brings them")


@pytest.fixture(scope="module")
def sentiment():
    return SentimentExam(sentences.sentiment(20, seed=4), sentences.sentiment(40, part="training"))


@pytest.fixture(scope="module")
def reading():
    return ReadingExam(words.draw(10, seed=4, difficulty=1))  # no whole number of batches


@pytest.fixture(params=["sentiment", "reading"])
def exam(request):
    return request.getfixturevalue(request.param)


def shaken(exam, name, amount):
    """The weights of one layer, with noise."""
    weight = exam.network.state_dict()[name].numpy()
    noise = np.random.default_rng(0).normal(size=weight.shape).astype(np.float32)
    return {name: weight + amount * weight.std() * noise}


def test_the_head_is_scikit_learns_ridge(sentiment):
    ridge = pytest.importorskip("sklearn.linear_model").Ridge(alpha=1.0)
    ridge.fit(np.array([vector(sentiment.network, text) for text in sentiment.training.texts]),
              np.sign(sentiment.training.ratings))  # fmt: skip
    np.testing.assert_allclose(sentiment.head, ridge.coef_, atol=1e-5)
    assert sentiment.offset == pytest.approx(ridge.intercept_, abs=1e-5)


def vector(model, text):
    return model(*map(torch.tensor, word_pieces.numbers([text]))).numpy()[0]


def test_sentences_are_judged_as_each_by_itself(sentiment):
    name = "encoder.layer.5.output.dense.weight"
    weights = shaken(sentiment, name, 1.0)
    model = copy.deepcopy(sentiment.network)
    model.get_parameter(name).copy_(torch.from_numpy(weights[name]))
    right, changed = sentiment.marks(weights)
    for i, text in enumerate(sentiment.sentences.texts):
        before, after = vector(sentiment.network, text), vector(model, text)
        good = after @ sentiment.head + sentiment.offset > 0
        assert right[i] == (good == (sentiment.sentences.ratings[i] > 0))
        assert changed[i] == pytest.approx(2 - 2 * before.astype(float) @ after, abs=1e-5)
    assert 0 < right.mean() < 1 and changed.min() > 0.01


def test_words_are_read_as_each_by_itself(reading):
    weights = shaken(reading, "characters.weight", 1.0)
    model = copy.deepcopy(reading.network)
    model.characters.weight.copy_(torch.from_numpy(weights["characters.weight"]))
    right, changed = reading.marks(weights)
    for i, text in enumerate(reading.words.texts):
        image = torch.from_numpy(reading.words.images[i : i + 1])
        before, after = reading.network(image).double(), model(image).double()
        assert right[i] == (tk.models.read(after.numpy()) == [text])
        divergence = torch.nn.functional.kl_div(after.log(), before, reduction="none").sum(-1).mean()
        assert changed[i] == pytest.approx(divergence.item(), rel=1e-3, abs=1e-5)
    assert 0 < right.mean() < 1 and changed.max() > 0.01


def test_a_call_gives_the_means_of_the_marks(exam):
    right, changed = exam.marks({})
    assert exam({}) == {"right": right.mean(), "changed": changed.mean()}
    assert len(right) == len(changed) and right.dtype == bool and abs(changed).max() < 1e-6


def test_wrong_answers_count_as_wrong(sentiment, reading):
    right, _ = sentiment.marks({})
    turned = SentimentExam(
        replace(sentiment.sentences, ratings=-sentiment.sentences.ratings), sentiment.training
    )
    assert (turned.marks({})[0] == ~right).all() and turned.name != sentiment.name
    right, _ = reading.marks({})
    other_case = ReadingExam(
        replace(reading.words, texts=tuple(text.swapcase() for text in reading.words.texts))
    )
    assert right.any() and not other_case.marks({})[0][right].any() and other_case.name != reading.name


def test_names_tell_samples_apart(sentiment, reading):
    assert ReadingExam(words.draw(10, seed=4, difficulty=1)).name == reading.name
    assert len({ReadingExam(words.draw(10, s, d)).name for s, d in ((4, 0.9), (5, 0.9), (4, 0.8))}) == 3
    again = sentences.sentiment(20, seed=4)
    assert SentimentExam(again, sentiment.training).name == sentiment.name
    assert SentimentExam(again, again).name != sentiment.name


def test_a_network_is_asked_as_it_is_and_the_trained_one_stays(exam):
    model = copy.deepcopy(exam.network)
    last = list(model.modules())[-1] if isinstance(exam, SentimentExam) else model.characters
    with torch.no_grad():
        last.register_forward_hook(lambda layer, inputs, output: torch.zeros_like(output))
    assert exam.marks(model)[1].min() > 0.1
    name, array = next(iter(model.state_dict().items()))
    assert exam({name: np.zeros(array.shape)})["changed"] > 0.1
    assert abs(exam({})["changed"]) < 1e-6


def test_bad_arguments_are_said(exam):
    with pytest.raises(ValueError, match="weights names 'no such', which"):
        exam({"no such": np.zeros(3)})
    name = next(iter(exam.network.state_dict()))
    with pytest.raises(ValueError, match="must be numbers of shape"):
        exam({name: np.zeros(3)})
    with pytest.raises(TypeError, match="weights must be a dict of arrays"):
        exam(torch.nn.Linear(3, 3))


def test_samples_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="words must be Words"):
        ReadingExam(["word"])
    with pytest.raises(TypeError, match="sentences must be Sentences"):
        SentimentExam(["A fine film."])
    some = sentences.sentiment(2)
    with pytest.raises(TypeError, match="training must be Sentences"):
        SentimentExam(some, some.texts)
    with pytest.raises(ValueError, match="sentences must hold at least one"):
        SentimentExam(some[:0])
    drawn = words.draw(1)
    with pytest.raises(ValueError, match="words must hold at least one"):
        ReadingExam(replace(drawn, texts=()))
