"""Sentences that people have rated: how good or bad is what they say, from -4 to 4.

23,600 pieces of film and product reviews, tweets and newspaper editorials, each rated by 20 people or so. They come
with VADER (MIT licence), as its source archive on PyPI carries them; `make setup` brings that file.

References
----------
C. J. Hutto and E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text", ICWSM 2014.
"""

import tarfile
from dataclasses import dataclass
from functools import cache

import numpy as np

from .._files import checked
from ..compressed import ENDLESS, check_choice, check_int, check_number

CHECKSUM = (
    "d5bb07d87474b3eb8d30b4deccbc23f19d742a6c5718fbacc65485b70b95c5fa"  # SHA-256 of hutto_ICWSM_2014.tar.gz
)
SOURCES = {
    "films": "movieReviewSnippets",
    "products": "amazonReviewSnippets",
    "tweets": "tweets",
    "editorials": "nytEditorialSnippets",
}


@dataclass(frozen=True)
class Sentences:
    """Sentences and what people said of them.

    Attributes
    ----------
    texts : tuple of n str
    ratings : (n,) float64 array
        The mean over the raters, from -4, very negative, to 4, very positive.
    """

    texts: tuple
    ratings: np.ndarray

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, chosen):
        order = np.arange(len(self))[chosen]
        return Sentences(tuple(self.texts[one] for one in order), self.ratings[order])


def rated(source="films"):
    """All sentences of a source, in its order.

    Parameters
    ----------
    source : {"films", "products", "tweets", "editorials"}

    Returns
    -------
    Sentences
        Of each text the first time it stands there.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says how it gets there.

    Examples
    --------
    >>> len(rated("tweets"))
    4200
    >>> rated("tweets")[:1].texts[0][:32]
    'Somehow I was blessed with some '
    """
    return _read(SOURCES[check_choice("source", source, SOURCES)])


def sentiment(count=2000, source="films", seed=0, clear=1.0, part="test"):
    """Sentences that people found clearly good or clearly bad, half of each.

    Parameters
    ----------
    count : int
    source : str
        As for `rated`.
    seed : int
        Another seed draws others.
    clear : float
        How far from 0 the ratings are at least: the smaller, the harder.
    part : {"test", "training"}
        The two share no sentence, whatever the seed.

    Returns
    -------
    Sentences

    Raises
    ------
    ValueError
        If there are not so many.

    Examples
    --------
    >>> some = sentiment(100)
    >>> int((some.ratings > 0).sum()), bool((abs(some.ratings) >= 1).all())
    (50, True)
    """
    count = check_int("count", count, range(2, ENDLESS))
    clear = check_number("clear", clear, 0, 4)
    everything = rated(source)
    first = 0 if check_choice("part", part, ("test", "training")) == "test" else 1
    ours = np.arange(first, len(everything), 2)
    rng = np.random.default_rng(check_int("seed", seed, range(ENDLESS)))
    chosen = []
    for sign, wanted in ((1, count - count // 2), (-1, count // 2)):
        there = ours[sign * everything.ratings[ours] >= clear]
        if len(there) < wanted:
            raise ValueError(
                f"count must be at most {2 * len(there)}: {source} has so many sentences rated {clear:g} or more "
                f"from 0 for {part}; got {count}"
            )
        chosen.append(rng.choice(there, wanted, replace=False))
    return everything[rng.permutation(np.concatenate(chosen))]


@cache
def _read(name):
    path = checked("sentences", "hutto_ICWSM_2014.tar.gz", CHECKSUM)
    with tarfile.open(path) as archive:
        member = archive.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
        assert member is not None  # None stands for folders and links
        lines = member.read().decode("utf-8", errors="replace").splitlines()
    found = {}
    for _, rating, text in (line.split("\t", 2) for line in lines if line.count("\t") >= 2):
        found.setdefault(text.strip(), float(rating))
    ratings = np.array(list(found.values()))
    ratings.setflags(write=False)
    return Sentences(tuple(found), ratings)
