"""An exam for the reader of text: given weights, how many words does it read right?

A word is right if every letter is, capitals included. A metric for `toykit.sweep`: an object that is called with
a dict of weights and returns numbers.
"""

from functools import cached_property

import numpy as np

from ..compressed import check_type
from ..data.words import Words
from ._exams import Exam, fingerprint
from ._weights import torch
from .text_reader import OcrReader, ocr_reader, read

BATCH = 8  # more are slower: the scores of 18,710 characters leave the cache


class ReadingExam(Exam):
    """Ask the reader with given weights about drawn words.

    Parameters
    ----------
    words : Words
        For example `tk.data.words.draw(2000, difficulty=0.95)`.

    Attributes
    ----------
    name : str
        Of this metric with these very words, for the cache of a sweep.
    trained : (n, 24, 120) float32 array
        What the trained network makes of the 24 columns of each image. Its probabilities p follow from them;
        `changed` is the divergence of the other network's q from them, the sum of p log(p / q) over the
        characters, in nats, as a mean over the columns.

    References
    ----------
    S. Kullback and R. A. Leibler, "On Information and Sufficiency", Annals of Mathematical Statistics 22, 1951.

    Examples
    --------
    >>> import toykit as tk
    >>> exam = ReadingExam(tk.data.words.draw(3, difficulty=0))
    >>> exam({})
    {'right': 1.0, 'changed': 0.0}
    """

    kind = OcrReader

    def __init__(self, words):
        self.words = check_type("words", words, Words, "Words, from tk.data.words.draw()")
        if not len(words):
            raise ValueError("words must hold at least one word; got none")
        self.name = f"reading exam v1 {fingerprint(words.images.round(3), words.texts)}"

    # Computed when first needed, once: a sweep whose answers are all in the cache reads nothing.

    @cached_property
    def network(self):
        return ocr_reader().to(memory_format=torch.channels_last)  # a third faster, with the same numbers

    @cached_property
    def trained(self):
        with torch.inference_mode():
            return np.concatenate([self.network.columns(batch).numpy() for batch in self._batches()])

    def _batches(self):
        for start in range(0, len(self.words), BATCH):
            images = torch.from_numpy(self.words.images[start : start + BATCH])
            yield images.contiguous(memory_format=torch.channels_last)

    def _marks(self, model):
        texts, changed = [], []
        for number, images in enumerate(self._batches()):
            before = torch.from_numpy(self.trained[number * BATCH : (number + 1) * BATCH])
            p = torch.log_softmax(self.network.characters(before), dim=-1)
            q = torch.log_softmax(model.characters(model.columns(images)), dim=-1)
            changed.append((p.exp() * (p - q)).sum(-1).mean(-1).numpy())
            texts += read(q.numpy())
        right = np.array([found == text for found, text in zip(texts, self.words.texts, strict=True)])
        return right, np.concatenate(changed).astype(np.float64)
