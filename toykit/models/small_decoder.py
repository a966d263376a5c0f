"""A decoder small enough to train in front of the reader: text in, one token after the other out.

Two layers of causal attention with the shape of GPT-2: what stands before a token is what it may ask. Each
token of a text is compared with the keys of all tokens before it, and takes from their values. Keys and values
never change once their token is read, so `CachedDecoder` keeps them: the KV cache. It answers as `Decoder`
does, and computes one token where that computes all of them.

Not here: grouped queries, rotary places and other ways of large models to make the cache smaller or longer;
and sampling, since the largest score will do for a text that is known by heart.
"""

from .._optional import require
from ..compressed import SEEDS, check_int, check_type

torch = require("torch", "the networks of toykit.models are torch modules")
nn = torch.nn

SIZES = range(1, 1_000_001)


class DecoderLayer(nn.Module):
    """Attention to the tokens before, then two matrices for each token by itself; both are added to what came."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def project(self, x):
        """Query, key and value of each token, three tensors (n, heads, t, width / heads)."""
        x = self.before(x)
        return [
            matrix(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for matrix in (self.query, self.key, self.value)
        ]

    def mix(self, x, query, keys, values, bias):
        """What the layer makes of `x`, given keys and values of all tokens that it may ask."""
        scores = query @ keys.transpose(2, 3) / query.shape[-1] ** 0.5 + bias
        found = torch.softmax(scores, dim=-1) @ values
        x = x + self.output(found.transpose(1, 2).flatten(2))
        return x + self.down(nn.functional.gelu(self.up(self.after(x))))


class Decoder(nn.Module):
    """From the tokens of a text to scores for the token that follows each of them.

    The table of tokens is used twice: its rows are what tokens are on the way in, and what the result is
    compared with on the way out.

    Parameters
    ----------
    tokens : int
        How many different ones there are.
    places : int
        The longest text.
    width, heads, layers : int
        `heads` has to divide `width`.

    Raises
    ------
    TypeError, ValueError
        If a number is none, or `heads` does not divide `width`.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017. A. Radford et al., "Language models are
    unsupervised multitask learners", 2019, for the norm before each part and the table that is used twice.

    Examples
    --------
    >>> Decoder(tokens=45)(torch.zeros(1, 7, dtype=torch.int64)).shape
    torch.Size([1, 7, 45])
    """

    def __init__(self, tokens, places=128, width=64, heads=4, layers=2):
        super().__init__()
        tokens, places = check_int("tokens", tokens, SIZES), check_int("places", places, SIZES)
        width, layers = check_int("width", width, range(1, 8193)), check_int("layers", layers, range(1, 257))
        if width % check_int("heads", heads, range(1, width + 1)):
            raise ValueError(f"heads must divide width; got {heads} heads and a width of {width}")
        self.token_embedding, self.place_embedding = nn.Embedding(tokens, width), nn.Embedding(places, width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for table in (self.token_embedding, self.place_embedding):
            nn.init.normal_(table.weight, std=0.1)  # torch's 1 would give scores in the tens

    def forward(self, tokens):
        """Scores, (n, t, tokens), from the numbers of tokens, (n, t); t is at most `places`."""
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.place_embedding.weight[:length]
        # float16 can hold -10,000, and its exp is 0: nobody asks what comes later.
        bias = torch.full((length, length), -1e4).triu(1)
        for layer in self.layers:
            x = layer.mix(x, *layer.project(x), bias)
        return self.norm(x) @ self.token_embedding.weight.T


class CachedDecoder(nn.Module):
    """The same decoder with a memory: it is given the tokens that are new, and the place of the first.

    `keys` and `values`, (layers, heads, places, width / heads), are buffers, which coremltools turns into
    states of a package. Whatever they hold at later places is masked: a text begins anew at place 0.

    Parameters
    ----------
    decoder : Decoder
        Shares its weights.

    Raises
    ------
    TypeError
        If it is something else.

    Examples
    --------
    >>> slow = decoder(tokens=45)
    >>> quick = CachedDecoder(slow)
    >>> text = torch.tensor([[3, 1, 4, 1, 5]])
    >>> with torch.no_grad():
    ...     steps = [quick(text[:, place : place + 1], torch.tensor([place])) for place in range(5)]
    ...     torch.allclose(torch.cat(steps, dim=1), slow(text), atol=1e-5)
    True
    """

    def __init__(self, decoder):
        super().__init__()
        self.decoder = check_type("decoder", decoder, Decoder, "a Decoder")
        (places, width), heads = decoder.place_embedding.weight.shape, decoder.layers[0].heads
        for name in ("keys", "values"):
            shape = len(decoder.layers), heads, places, width // heads
            self.register_buffer(name, torch.zeros(shape))

    def forward(self, tokens, place):
        """Scores, (1, t, tokens), from t new tokens, (1, t), and the place of the first, (1,)."""
        model, end = self.decoder, place + tokens.shape[1]
        here = place + torch.arange(tokens.shape[1])
        x = model.token_embedding(tokens) + model.place_embedding(here)
        bias = (torch.arange(self.keys.shape[2]) > here[:, None]) * -1e4
        for number, layer in enumerate(model.layers):
            query, key, value = layer.project(x)
            self.keys[number, :, place:end] = key[0]
            self.values[number, :, place:end] = value[0]
            keys, values = self.keys[number, None], self.values[number, None]
            x = layer.mix(x, query, keys, values, bias)
        return model.norm(x) @ model.token_embedding.weight.T


def decoder(tokens, seed=0):
    """A small decoder with weights drawn from a seed; the caller's random state stays as it is.

    Parameters
    ----------
    tokens : int
        How many different ones there are.
    seed : int

    Returns
    -------
    Decoder
        128 places, 64 wide, two layers of four heads.

    Raises
    ------
    TypeError, ValueError
        If a number is none.

    Examples
    --------
    >>> sum(parameter.numel() for parameter in decoder(tokens=45).parameters())
    111168
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(check_int("seed", seed, SEEDS))
        return Decoder(tokens)
