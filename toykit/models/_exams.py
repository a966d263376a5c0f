"""What the exams of networks have in common: weights in, right or wrong for each sample out."""

import copy
import hashlib
from typing import Any

import numpy as np

from ._weights import replaced, torch


class Exam:
    """A metric for `toykit.sweep`: called with weights, it says how many answers are right.

    A kind of exam says what its network is, and marks the answers.
    """

    kind: type
    network: Any  # a torch.nn.Module as it was trained; never changed

    def __call__(self, weights):
        """The marks of the network with these weights.

        Parameters
        ----------
        weights : dict of str to float array
            Tensors by the network's names; those not named stay as trained. Or a network of the same kind,
            which is asked as it is, with whatever hooks it has.

        Returns
        -------
        dict of str to float
            `right`, the share of right answers, and `changed`: how far the network's outputs are from the
            trained network's, the mean over samples of what `marks` gives. It needs no right answers, and
            notices a change before the share does.

        Raises
        ------
        ValueError
            If a name or a shape is not the network's.
        """
        right, changed = self.marks(weights)
        return {"right": float(right.mean()), "changed": float(changed.mean())}

    def marks(self, weights):
        """For each sample by itself: whether the answer is right, and how far the outputs have moved.

        Parameters
        ----------
        weights
            As for a call.

        Returns
        -------
        right : (n,) bool array
        changed : (n,) float64 array
        """
        if not isinstance(weights, self.kind):
            weights = replaced(copy.deepcopy(self.network), weights, self.kind.__name__)
        with torch.inference_mode():
            return self._marks(weights)

    def _marks(self, model):
        raise NotImplementedError


def fingerprint(*parts):
    """Sixteen letters that other data would not have: for the names of exams in a sweep's cache."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(
            np.ascontiguousarray(part).tobytes() if isinstance(part, np.ndarray) else str(part).encode()
        )
    return digest.hexdigest()[:16]
