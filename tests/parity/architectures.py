"""Small networks of the kinds that occur: what the size and reader tests are tried on.

Each is cut down so that coremltools converts and compresses it in a second or two, but keeps what
makes its kind special on disk: shapes, operators, and constants on both sides of 2,048 elements.
"""

import torch
from torch import nn


class Depthwise(nn.Module):
    """MobileNetV2's blocks: 1x1 to widen, 3x3 on each channel alone, 1x1 to narrow, and a shortcut."""

    def __init__(self):
        super().__init__()
        self.stem = self._step(3, 24, 3, stride=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(self._step(24, 96, 1), self._step(96, 96, 3, groups=96), nn.Conv2d(96, 24, 1))
            for _ in range(2)
        )
        self.wide = self._step(24, 260, 3, groups=4)
        self.head = nn.Linear(260, 50)

    @staticmethod
    def _step(inputs, outputs, size, stride=1, groups=1):
        conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6())

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(self.wide(x).mean((2, 3)))


class Pointwise(nn.Module):
    """A network of 1x1 convolutions, one of them with a number of channels that nothing divides."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(16, 128, 1), nn.ReLU(), nn.Conv2d(128, 131, 1), nn.ReLU(), nn.Conv2d(131, 64, 1)
        )

    def forward(self, x):
        return self.layers(x)


class UNet(nn.Module):
    """Down, up by transposed convolutions, and across by concatenation."""

    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(3, 32, 3, padding=1)
        self.down2 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.middle = nn.Conv2d(64, 96, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(96, 64, 2, stride=2)
        self.join2 = nn.Conv2d(128, 64, 3, padding=1)
        self.up1 = nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)
        self.join1 = nn.Conv2d(64, 4, 1)

    def forward(self, x):
        one = self.down1(x).relu()
        two = self.down2(one).relu()
        x = self.up2(self.middle(two).relu())
        x = self.up1(self.join2(torch.cat([x, two], 1)).relu())
        return self.join1(torch.cat([x, one], 1))


class Encoder(nn.Module):
    """Two blocks of a transformer, attention written out, with learned positions and a matrix product."""

    def __init__(self, width=64, heads=4, length=40):
        super().__init__()
        self.heads = heads
        self.positions = nn.Parameter(torch.randn(1, length, width) * 0.02)
        names = ("query", "key", "value", "out")
        self.attention = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(width, width) for name in names}) for _ in range(2)
        )
        self.wide = nn.ModuleList(nn.Linear(width, 4 * width) for _ in range(2))
        self.narrow = nn.ModuleList(nn.Linear(4 * width, width) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.project = nn.Parameter(torch.randn(width, 80) * 0.1)

    def forward(self, x):
        x = x + self.positions
        for i, layer in enumerate(self.attention):
            y = self.norms[2 * i](x)
            parts = (layer[name](y) for name in ("query", "key", "value"))
            query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
            scores = torch.softmax(query @ key.transpose(2, 3) / 4, -1)
            x = x + layer["out"]((scores @ value).transpose(1, 2).flatten(2))
            x = x + self.narrow[i](nn.functional.gelu(self.wide[i](self.norms[2 * i + 1](x))))
        return x @ self.project


class TextClassifier(nn.Module):
    """An embedding, averaged, and two linear layers."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(1000, 48)
        self.hidden = nn.Linear(48, 96)
        self.scores = nn.Linear(96, 5)

    def forward(self, tokens):
        return self.scores(self.hidden(self.embedding(tokens).mean(1)).relu())


class Recurrent(nn.Module):
    """A bidirectional LSTM over a sequence."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(20, 48, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(96, 30)

    def forward(self, x):
        return self.scores(self.lstm(x)[0])


EXAMPLES = {
    "depthwise": (Depthwise, lambda: torch.zeros(1, 3, 32, 32)),
    "pointwise": (Pointwise, lambda: torch.zeros(1, 16, 8, 8)),
    "unet": (UNet, lambda: torch.zeros(1, 3, 32, 32)),
    "attention": (Encoder, lambda: torch.zeros(1, 40, 64)),
    "embedding": (TextClassifier, lambda: torch.zeros(1, 12, dtype=torch.int32)),
    "lstm": (Recurrent, lambda: torch.zeros(1, 10, 20)),
}


def build(name, seed=0):
    """A network and an example of its input. Its weights and batch norms look trained: none are 0 or 1."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        kind, example = EXAMPLES[name]
        model = kind().eval()
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.normal_(layer.running_mean, std=0.1)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
                nn.init.normal_(layer.bias, std=0.1)
        return model, example()
