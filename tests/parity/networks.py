"""Published architectures in full, for running packages: `architectures` has cut-down ones for sizes.

Layers, widths and activations are those of the papers; only weights are random, with batch norms that
look trained. Inputs are smaller than in the papers where the architecture allows it, to save time.

References
----------
Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.
Howard et al., "Searching for MobileNetV3", ICCV 2019.
Ronneberger et al., "U-Net", MICCAI 2015. Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021.
"""

import torch
from torch import nn
from torch.nn import functional as F

import toykit as tk


def step(inputs, outputs, size=1, stride=1, groups=1, activation=None):
    """Convolution, batch norm, activation: what MobileNets are built of."""
    layers = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Squeeze(nn.Module):
    """Squeeze-and-excite: each channel scaled by what all channels hold on average."""

    def __init__(self, channels, narrow):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, narrow, 1), nn.Conv2d(narrow, channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1)))))


class Inverted(nn.Module):
    """Widen, filter each channel alone, narrow; and a shortcut where the shape stays."""

    def __init__(self, inputs, wide, outputs, size, stride, activation, squeeze=None):
        super().__init__()
        layers = [] if wide == inputs else [step(inputs, wide, activation=activation)]
        layers.append(step(wide, wide, size, stride, wide, activation))
        layers += [Squeeze(wide, squeeze)] if squeeze else []
        self.layers = nn.Sequential(*layers, step(wide, outputs))
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.shortcut else self.layers(x)


class MobileNetV2(nn.Module):
    """3,504,872 parameters."""

    BLOCKS = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )

    def __init__(self):
        super().__init__()
        layers, channels = [step(3, 32, 3, 2, activation=nn.ReLU6)], 32
        for widen, outputs, times, stride in self.BLOCKS:
            for number in range(times):
                layers.append(
                    Inverted(channels, channels * widen, outputs, 3, 1 if number else stride, nn.ReLU6)
                )
                channels = outputs
        self.features = nn.Sequential(*layers, step(channels, 1280, activation=nn.ReLU6))
        self.scores = nn.Linear(1280, 1000)

    def forward(self, x):
        return self.scores(self.features(x).mean((2, 3)))


class MobileNetV3(nn.Module):
    """The large one: 5,483,032 parameters."""

    # size, wide, outputs, squeeze, hard-swish, stride
    BLOCKS = (
        (3, 16, 16, 0, 0, 1),
        (3, 64, 24, 0, 0, 2),
        (3, 72, 24, 0, 0, 1),
        (5, 72, 40, 24, 0, 2),
        (5, 120, 40, 32, 0, 1),
        (5, 120, 40, 32, 0, 1),
        (3, 240, 80, 0, 1, 2),
        (3, 200, 80, 0, 1, 1),
        (3, 184, 80, 0, 1, 1),
        (3, 184, 80, 0, 1, 1),
        (3, 480, 112, 120, 1, 1),
        (3, 672, 112, 168, 1, 1),
        (5, 672, 160, 168, 1, 2),
        (5, 960, 160, 240, 1, 1),
        (5, 960, 160, 240, 1, 1),
    )

    def __init__(self):
        super().__init__()
        layers, channels = [step(3, 16, 3, 2, activation=nn.Hardswish)], 16
        for size, wide, outputs, squeeze, hard, stride in self.BLOCKS:
            activation = nn.Hardswish if hard else nn.ReLU
            layers.append(Inverted(channels, wide, outputs, size, stride, activation, squeeze))
            channels = outputs
        self.features = nn.Sequential(*layers, step(channels, 960, activation=nn.Hardswish))
        self.scores = nn.Sequential(nn.Linear(960, 1280), nn.Hardswish(), nn.Linear(1280, 1000))

    def forward(self, x):
        return self.scores(self.features(x).mean((2, 3)))


def twice(inputs, outputs):
    return nn.Sequential(
        step(inputs, outputs, 3, activation=nn.ReLU), step(outputs, outputs, 3, activation=nn.ReLU)
    )


class UNet(nn.Module):
    """Four halvings and four doublings, with shortcuts; a quarter of the paper's channels."""

    def __init__(self, channels=(16, 32, 64, 128, 256)):
        super().__init__()
        self.down = nn.ModuleList(map(twice, (3, *channels), channels))
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.widen = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(twice(a, b) for a, b in pairs)
        self.scores = nn.Conv2d(channels[0], 4, 1)

    def forward(self, x):
        across = []
        for number, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if number else x)
            across.append(x)
        for widen, block, beside in zip(self.widen, self.up, across[-2::-1], strict=True):
            x = block(torch.cat([beside, widen(x)], 1))
        return self.scores(x)


class Block(nn.Module):
    """One block of a transformer; norms come first."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        parts = self.qkv(self.norms[0](x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.norms[1](x))))


class ViT(nn.Module):
    """ViT-Tiny with six blocks in place of twelve: patches, a class token, learned positions."""

    def __init__(self, side=64, patch=16, width=192, heads=3, depth=6):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 1 + (side // patch) ** 2, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.blocks(torch.cat([self.token, x], 1) + self.positions)
        return self.scores(self.norm(x)[:, 0])


class TransformerEncoder(nn.Module):
    """Words in, a vector for each out: embedding, positions, four blocks as in BERT-Mini."""

    def __init__(self, words=1000, width=256, heads=4, depth=4, length=24):
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(length, width)
        self.norm = nn.LayerNorm(width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1], dtype=torch.int32)
        return self.blocks(self.norm(self.words(tokens) + self.positions(places)))


class LSTM(nn.Module):
    """Two bidirectional layers and a linear one, for each step of a sequence."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(40, 96, num_layers=2, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(192, 30)

    def forward(self, x):
        return self.scores(self.lstm(x)[0])


def image(side):
    return lambda: torch.rand(1, 3, side, side)


NETWORKS = {
    "ResNet-50": (tk.models.resnet50, image(224)),
    "CREPE": (tk.models.crepe, lambda: torch.randn(1, 1024)),
    "small CNN": (tk.models.digits_cnn, lambda: torch.randn(8, 1, 1, 40)),
    "MobileNetV2": (MobileNetV2, image(96)),
    "MobileNetV3": (MobileNetV3, image(96)),
    "U-Net": (UNet, image(64)),
    "ViT": (ViT, image(64)),
    "transformer encoder": (TransformerEncoder, lambda: torch.randint(0, 1000, (2, 24), dtype=torch.int32)),
    "LSTM": (LSTM, lambda: torch.randn(1, 12, 40)),
}


def build(name, seed=0):
    """A network in evaluation mode, and an example of its input, a float16 number where it is one."""
    kind, example = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, inputs = kind().eval(), example()
        for layer in network.modules():
            # Those of ResNet-50 are random already, and those of CREPE are trained.
            if isinstance(layer, nn.BatchNorm2d) and kind.__module__ == __name__:
                nn.init.normal_(layer.running_mean, std=0.1)
                nn.init.uniform_(layer.running_var, 0.5, 1.5)
                nn.init.uniform_(layer.weight, 0.7, 1.3)
                nn.init.normal_(layer.bias, std=0.1)
    network.requires_grad_(False)
    return network, inputs.half().float() if inputs.is_floating_point() else inputs
