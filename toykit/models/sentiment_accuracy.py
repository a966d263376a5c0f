"""An exam for MiniLM: given weights, of how many sentences does it tell whether they are kind?

MiniLM makes vectors and judges nothing. A ridge regression on its vectors does: 384 numbers and an offset, found
once from the trained network's vectors of other sentences, and kept. What a compressed network loses here is lost
in its vectors alone.

A metric for `toykit.sweep`: an object that is called with a dict of weights and returns numbers.
"""

from functools import cached_property

import numpy as np

from ..compressed import check_type
from ..data import word_pieces
from ..data.sentences import Sentences, sentiment
from ._exams import Exam, fingerprint
from ._weights import torch
from .sentence_encoder import MiniLM, minilm

BATCH = 25  # more are not faster
PENALTY = 1.0  # of the squared length of the 384 numbers


class SentimentExam(Exam):
    """Ask MiniLM with given weights about rated sentences: good or bad?

    Parameters
    ----------
    sentences : Sentences
        To be judged: for example `tk.data.sentences.sentiment(2000)`. Right is the sign of the rating.
    training : Sentences, optional
        To find the head on: by default 1,000 of the part for training.

    Attributes
    ----------
    name : str
        Of this metric with these very sentences, for the cache of a sweep.
    trained : (n, 384) float32 array
        The trained network's vectors. `changed` is the squared distance from them: of vectors of length 1,
        twice what the cosine lacks of 1.
    head : (384,) float64 array
    offset : float
        A sentence is called good where its vector times `head`, plus `offset`, is above 0.

    References
    ----------
    A. E. Hoerl and R. W. Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems",
    Technometrics 12, 1970.

    Examples
    --------
    >>> import toykit as tk
    >>> exam = SentimentExam(tk.data.sentences.sentiment(20), tk.data.sentences.sentiment(100, part="training"))
    >>> exam({})["changed"]
    0.0
    """

    kind = MiniLM

    def __init__(self, sentences, training=None):
        self.sentences = check_type("sentences", sentences, Sentences, "Sentences, from tk.data.sentences")
        if training is None:
            training = sentiment(1000, part="training")
        self.training = check_type("training", training, Sentences, "Sentences, from tk.data.sentences")
        for argument, given in (("sentences", sentences), ("training", training)):
            if not len(given):
                raise ValueError(f"{argument} must hold at least one sentence; got none")
        data = [part for given in (sentences, training) for part in (given.texts, np.sign(given.ratings))]
        self.name = f"sentiment exam v1 {fingerprint(*data)}"

    # Computed when first needed, once: a sweep whose answers are all in the cache reads nothing.

    @cached_property
    def network(self):
        return minilm()

    @cached_property
    def trained(self):
        return vectors(self.network, self.sentences.texts)

    @cached_property
    def _fitted(self):
        x, y = vectors(self.network, self.training.texts).astype(np.float64), np.sign(self.training.ratings)
        centred = x - x.mean(0)
        head = np.linalg.solve(centred.T @ centred + PENALTY * np.eye(x.shape[1]), centred.T @ (y - y.mean()))
        return head, float(y.mean() - x.mean(0) @ head)

    @property
    def head(self):
        return self._fitted[0]

    @property
    def offset(self):
        return self._fitted[1]

    def _marks(self, model):
        found = vectors(model, self.sentences.texts)
        called_good = found @ self.head + self.offset > 0
        changed = np.sum((found.astype(np.float64) - self.trained) ** 2, axis=1)
        return called_good == (self.sentences.ratings > 0), changed


@torch.inference_mode()
def vectors(model, texts):
    """The vectors of sentences, (n, 384); those of like lengths are asked together."""
    pieces, mask = word_pieces.numbers(texts)
    lengths = mask.sum(axis=1).astype(int)
    found = np.empty((len(texts), 384), np.float32)
    order = np.argsort(lengths, kind="stable")
    for batch in np.split(order, range(BATCH, len(order), BATCH)):
        longest = lengths[batch[-1]]
        found[batch] = model(*(torch.from_numpy(part[batch, :longest]) for part in (pieces, mask))).numpy()
    return found
