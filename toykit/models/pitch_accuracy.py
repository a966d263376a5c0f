"""An exam for CREPE: given weights, how many tones does it hear right?

A metric for `toykit.sweep`: an object that is called with a dict of weights and returns numbers.
"""

import hashlib
import threading
from functools import cached_property

import numpy as np

from ..compressed import check_type
from ..data import pitch
from ..data.tones import Tones
from .crepe_network import crepe_weights
from .fast_pitch import Listener, with_weights


class PitchExam:
    """Ask CREPE with given weights about sets of tones.

    Parameters
    ----------
    **sets : Tones
        For example `easy=tk.data.tones.easy_tones()`. The names begin the names of the scores.

    Attributes
    ----------
    name : str
        Of this metric with these very tones, for the cache of a sweep.
    trained : dict of str to (n, 360) float32 array
        The answers of the network as it was trained, for each set.

    Examples
    --------
    >>> import toykit as tk
    >>> exam = PitchExam(easy=tk.data.tones.easy_tones(6))
    >>> list(exam({}))
    ['easy_within_50', 'easy_within_10', 'easy_median_cents', 'easy_changed']
    >>> exam({})["easy_changed"]
    0.0
    """

    def __init__(self, **sets):
        if not sets:
            raise ValueError(
                "an exam needs at least one set of tones, such as easy=tk.data.tones.easy_tones()"
            )
        for name, tones in sets.items():
            check_type(f"sets[{name!r}]", tones, Tones, "Tones, such as tk.data.tones.easy_tones()")
        self.sets = sets
        digest = hashlib.sha256()
        for tones in sets.values():
            digest.update(np.round(tones.frames, 3).tobytes())  # these very tones
        self.name = f"pitch exam v1 {' '.join(sets)} {digest.hexdigest()[:16]}"
        self._first_layers = {n: w for n, w in crepe_weights().items() if n.startswith(("conv1", "conv2"))}
        self._lock = threading.Lock()

    # Computed when first needed, once: a sweep whose answers are all in the cache listens to nothing.

    @property
    def _features(self):
        with self._lock:
            if "_heard" not in vars(self):
                trained = Listener(with_weights({}))
                self._heard = {name: trained.begin(tones.frames) for name, tones in self.sets.items()}
        return self._heard

    @cached_property
    def trained(self):
        trained = Listener(with_weights({}))
        return {name: trained.finish(features) for name, features in self._features.items()}

    def __call__(self, weights):
        """The scores of the network with these weights.

        Parameters
        ----------
        weights : dict of str to array
            As for `listen`.

        Returns
        -------
        dict of str to float
            For each set, `within_50` and `within_10` (shares), `median_cents`, and `changed`: the
            mean over tones of the squared distance between the 360 answers and the trained
            network's, which needs no right answers and notices a change before a score does.
        """
        return self.score(self.answers(weights))

    def answers(self, weights):
        """What the network with these weights answers, (n, 360) for each set."""
        listener = Listener(with_weights(weights))
        # Where layers 1 and 2 are as trained, what they make of the tones is known already.
        known = all(np.array_equal(weights.get(name, own), own) for name, own in self._first_layers.items())
        return {
            name: listener.finish(self._features[name] if known else listener.begin(tones.frames))
            for name, tones in self.sets.items()
        }

    def score(self, answers):
        """The scores that answers get, as `__call__` returns them."""
        scores = {}
        for name, mine in answers.items():
            changed = np.mean(np.sum((mine.astype(np.float64) - self.trained[name]) ** 2, axis=1))
            found = pitch.scores(pitch.decode(mine), self.sets[name].hertz) | {"changed": changed}
            scores |= {f"{name}_{score}": float(value) for score, value in found.items()}
        return scores
