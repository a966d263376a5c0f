"""Images of words, drawn with the fonts that come with matplotlib: as many as one wants, with exact labels.

Each word is drawn in black, white or grey, turned a little, made small and large again, and covered with noise. How
much of this is done is one number, `difficulty`. All of it comes from the seed.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .._optional import require
from ..compressed import ENDLESS, check_fraction, check_int
from .word_pieces import vocabulary

HEIGHT, WIDTH = 48, 192
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSans-Oblique", "DejaVuSansMono")
SHORTEST, LONGEST = 4, 9  # letters
STYLES = (str.lower, str.capitalize, str.upper)


@dataclass(frozen=True)
class Words:
    """Images and what stands in them.

    Attributes
    ----------
    images : (n, 3, 48, 192) float32 array
        From -1, black, to 1, white; three equal channels.
    texts : tuple of n str
    """

    images: np.ndarray
    texts: tuple

    def __len__(self):
        return len(self.texts)


def draw(count=200, seed=0, difficulty=0.5):
    """Words to read.

    Parameters
    ----------
    count : int
    seed : int
        The first images of a longer list are those of a shorter one.
    difficulty : float in [0, 1]
        0 is printed large and clean; at 1 words are turned by up to 8 degrees, shrunk to a fifth of the
        height and noised.

    Returns
    -------
    Words

    Raises
    ------
    FileNotFoundError
        If the list of words is not there; the message says how it gets there.

    Examples
    --------
    >>> words = draw(3, difficulty=0)
    >>> words.images.shape, words.images.dtype.name
    ((3, 3, 48, 192), 'float32')
    """
    count = check_int("count", count, range(1, ENDLESS))
    difficulty = check_fraction("difficulty", difficulty)
    rng = np.random.default_rng(check_int("seed", seed, range(ENDLESS)))
    known = _known()
    images, texts = np.empty((count, 3, HEIGHT, WIDTH), np.float32), []
    for image in images:
        text = STYLES[rng.integers(len(STYLES))](known[rng.integers(len(known))])
        image[:] = _image(text, rng, difficulty)
        texts.append(text)
    return Words(images, tuple(texts))


def _image(text, rng, difficulty):
    """One (48, 192) image; draws the same number of random numbers whatever the text is."""
    pil = require("PIL.Image", "toykit.data.words draws with Pillow, which comes with matplotlib")
    pen = require("PIL.ImageDraw", "toykit.data.words draws with Pillow, which comes with matplotlib")
    font = _font(FONTS[rng.integers(len(FONTS))])
    left, top, right, bottom = font.getbbox(text)
    paper, ink = np.sort(rng.uniform(0, 1, 2))[::-1] * [1, 0.5] + [0, 0]
    paper = 0.55 + 0.45 * paper
    image = pil.new("L", (right - left + 16, bottom - top + 16), 0)
    pen.Draw(image).text((8 - left, 8 - top), text, 255, font)
    image = image.rotate(rng.uniform(-8, 8) * difficulty, pil.Resampling.BICUBIC, expand=True)
    # First to the size at which the word was "photographed", then to the size that the network reads.
    scale = min(HEIGHT / image.height, WIDTH / image.width)
    size = round(image.width * scale), round(image.height * scale)
    coarse = 1 - difficulty * rng.uniform(0.4, 0.8)
    small = max(1, round(size[0] * coarse)), max(1, round(size[1] * coarse))
    image = image.resize(small, pil.Resampling.BILINEAR).resize(size, pil.Resampling.BICUBIC)
    drawn = np.zeros((HEIGHT, WIDTH))
    drawn[(HEIGHT - size[1]) // 2 :][: size[1], : size[0]] = np.asarray(image) / 255
    if rng.random() < 0.5:
        paper, ink = ink, paper
    grey = paper + (ink - paper) * drawn + rng.normal(0, 0.15 * difficulty, drawn.shape)
    return 2 * np.clip(grey, 0, 1) - 1


@cache
def _font(name):
    matplotlib = require("matplotlib", "toykit.data.words draws with the fonts that come with matplotlib")
    fonts = require("PIL.ImageFont", "toykit.data.words draws with Pillow, which comes with matplotlib")
    return fonts.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")), 48)


@cache
def _known():
    """The whole words of the text network's vocabulary that are written with the letters a to z."""
    return [
        piece
        for piece in vocabulary()
        if SHORTEST <= len(piece) <= LONGEST and piece.isascii() and piece.isalpha()
    ]
