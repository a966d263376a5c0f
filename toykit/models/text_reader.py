"""PP-OCRv6's small reader of text: an image of a line in, letters out. The book's network for images.

5.3 million trained parameters: a stem of five convolutions, thirteen blocks of a depthwise convolution
and two 1 x 1 convolutions, two layers of attention, and one matrix that gives each column of the image a
score for each of 18,710 characters. That matrix holds 2.2 million of the parameters.

The weights are those of PaddleOCR's PP-OCRv6 (Apache-2.0), as the package rapidocr carries them in ONNX.
`make setup` brings that package's file; nothing is downloaded here.

Not here: finding the lines on a page, training, and right-to-left scripts.
"""

from functools import cache

import numpy as np

from .._files import checked
from .._optional import require
from ..compressed import check_array
from ._onnx import read_onnx

torch = require("torch", "the networks of toykit.models are torch modules")
nn, F = torch.nn, torch.nn.functional

CHECKSUM = "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"  # SHA-256 of the ONNX file
WIDTH, HEADS = 120, 8  # of the attention
CHARACTERS = 18710  # the blank, 18,708 characters, and the space


def convolution(entering, leaving, size=1, stride=(1, 1), groups=1, padding=None):
    padding = size // 2 if padding is None else padding
    return nn.Conv2d(entering, leaving, size, stride, padding, groups=groups)


class Stem(nn.Module):
    """Edges, at a quarter of the size: (n, 3, 48, w) to (n, 96, 12, w / 4)."""

    def __init__(self):
        super().__init__()
        self.first = convolution(3, 48, 3, (2, 2))
        self.left = convolution(48, 24, 2, padding=0)
        self.right = convolution(24, 48, 2, padding=0)
        self.joined = convolution(96, 48, 3, (2, 2))
        self.last = convolution(48, 96)

    def forward(self, x):
        x = F.relu(self.first(x))
        # A row and a column of zeros after the last keep the size under windows of 2 x 2.
        y = F.relu(self.left(F.pad(x, (0, 1, 0, 1))))
        y = F.relu(self.right(F.pad(y, (0, 1, 0, 1))))
        x = torch.cat([F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 1), y], dim=1)
        return F.relu(self.last(F.relu(self.joined(x))))


class Gate(nn.Module):
    """Squeeze and excitation: each channel is scaled by what all channels are on average."""

    def __init__(self, width):
        super().__init__()
        self.squeeze = convolution(width, width // 4)
        self.excite = convolution(width // 4, width)

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return x * F.hardsigmoid(self.excite(F.relu(self.squeeze(mean))))


class Block(nn.Module):
    """A depthwise convolution mixes places, two 1 x 1 convolutions mix channels.

    With `leaving` the height is halved, and nothing is added to the result.
    """

    def __init__(self, width, gated=False, leaving=None):
        super().__init__()
        self.places = convolution(width, width, 3, (2, 1) if leaving else (1, 1), groups=width)
        self.gate = Gate(width) if gated else nn.Identity()
        self.wide = convolution(width, leaving or 2 * width)
        self.narrow = convolution(leaving or 2 * width, leaving or width)
        self.adds = not leaving

    def forward(self, x):
        x = self.gate(self.places(x))
        y = self.narrow(F.gelu(self.wide(x)))
        return x + y if self.adds else y


class Normed(nn.Module):
    """A convolution without a bias, a batch norm, and the activation x * sigmoid(x)."""

    def __init__(self, entering, leaving, size=(1, 1), groups=1):
        super().__init__()
        padding = (size[0] // 2, size[1] // 2)
        self.convolution = nn.Conv2d(entering, leaving, size, 1, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(leaving)

    def forward(self, x):
        return F.silu(self.norm(self.convolution(x)))


class AttentionLayer(nn.Module):
    """Each column of the image asks all columns; then two matrices for each column by itself."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.mixed = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, 2 * WIDTH)
        self.narrow = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x):
        heads = self.query_key_value(self.norm1(x)).unflatten(-1, (3, HEADS, WIDTH // HEADS))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        scores = (query * (WIDTH // HEADS) ** -0.5) @ key.transpose(2, 3)
        x = x + self.mixed((torch.softmax(scores, dim=-1) @ value).transpose(1, 2).flatten(2))
        return x + self.narrow(F.silu(self.wide(self.norm2(x))))


class OcrReader(nn.Module):
    """From the image of a line to a score for each character at each column.

    References
    ----------
    C. Cui et al., "PaddleOCR 3.0 Technical Report", 2025; the network's form is read from its ONNX file.
    """

    def __init__(self):
        super().__init__()
        self.stem = Stem()
        self.blocks = nn.Sequential(
            Block(96, gated=True), Block(96), Block(96), Block(96, leaving=192),
            *[Block(192, gated) for gated in (True, False, True, False, True, False)],
            Block(192, leaving=384), Block(384, gated=True), Block(384),
        )  # fmt: skip
        self.skip = Normed(384, WIDTH)
        self.narrow = Normed(384, WIDTH)
        self.along = Normed(WIDTH, WIDTH, (1, 7), groups=WIDTH)
        self.attention = nn.Sequential(AttentionLayer(), AttentionLayer())
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.characters = nn.Linear(WIDTH, CHARACTERS)

    def forward(self, images):
        """Scores of characters.

        Parameters
        ----------
        images : (n, 3, 48, w) float tensor
            From -1, black, to 1, white; w is a multiple of 8.

        Returns
        -------
        (n, w / 8, 18710) float tensor
            Probabilities; the first is that of "no character here".
        """
        return torch.softmax(self.characters(self.columns(images)), dim=-1)

    def columns(self, images):
        """What the network makes of each column before it asks which character that is, (n, w / 8, 120)."""
        x = F.avg_pool2d(self.blocks(self.stem(images)), (3, 2))
        narrow = self.narrow(x)
        columns = (narrow + self.along(narrow)).squeeze(2).transpose(1, 2)
        return self.norm(self.attention(columns)) + self.skip(x).squeeze(2).transpose(1, 2)


def ocr_reader():
    """The reader with its trained weights, in eval mode.

    Returns
    -------
    OcrReader
        5,266,910 trained parameters, float32.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says how it gets there.
    ValueError
        If it is not the file that this book was written with.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in ocr_reader().parameters())
    5266910
    """
    arrays, _ = _file()
    with torch.device("meta"):  # shapes only: no time is spent on random weights
        model = OcrReader()
    state = model.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    # The file's operators are in the order of the layers above; matrices are stored transposed there.
    stored = [array for array in arrays.values() if array.size > 1]
    tensors = {
        name: torch.tensor(array.T if array.ndim == 2 else array.reshape(state[name].shape))
        for name, array in zip(names, stored, strict=True)
    }
    model.load_state_dict(tensors, strict=False, assign=True)
    for norm in (one for one in model.modules() if isinstance(one, nn.BatchNorm2d)):
        norm.num_batches_tracked = torch.tensor(0)
    return model.eval().requires_grad_(False)


def alphabet():
    """The characters that the reader knows.

    Returns
    -------
    list of 18,710 str
        By number; the first is empty and stands for "no character here", the last is the space.

    Examples
    --------
    >>> alphabet()[1:5]
    ['!', '"', '#', '$']
    """
    _, notes = _file()
    return ["", *notes["character"].split("\n"), " "]


def read(scores):
    """The texts that scores of characters stand for.

    Parameters
    ----------
    scores : (n, columns, 18710) array or tensor
        What the network answers.

    Returns
    -------
    list of str

    References
    ----------
    A. Graves et al., "Connectionist temporal classification", ICML 2006: the best character of each column,
    of which repeats are one and blanks none.

    Examples
    --------
    >>> scores = np.zeros((1, 5, CHARACTERS))
    >>> for column, character in enumerate(["H", "H", "", "i", ""]):
    ...     scores[0, column, alphabet().index(character)] = 1
    >>> read(scores)
    ['Hi']
    """
    known = alphabet()
    best = check_array("scores", scores, "f", ("n", "columns", CHARACTERS)).argmax(-1)
    new = np.diff(best, axis=1, prepend=-1) != 0
    return ["".join(known[one] for one in row[changed]) for row, changed in zip(best, new)]


@cache
def _file():
    return read_onnx(checked("ocr_reader", "PP-OCRv6_rec_small.onnx", CHECKSUM))
