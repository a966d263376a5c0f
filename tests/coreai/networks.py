"""Small torch modules that the tests of Core AI convert."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(64, 64)

    def forward(self, x):
        return torch.relu(self.proj(x))


class Everything(nn.Module):
    """A convolution with a batch norm, linear layers, an embedding and a matrix without a layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 5, padding=1)
        self.norm = nn.BatchNorm2d(64)
        self.first = nn.Linear(64 * 6 * 6, 64)
        self.blocks = nn.Sequential(Block(), Block())
        self.words = nn.Embedding(100, 64)
        self.matrix = nn.Parameter(torch.randn(64, 64))

    def forward(self, image, word):
        x = self.first(torch.relu(self.norm(self.conv(image))).flatten(1))
        x = self.blocks(x) + self.words(word)[:, 0]
        return x @ self.matrix


def everything():
    torch.manual_seed(0)
    return Everything().eval()


def example():
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([[3]])


def linear(weight, bias=False):
    """A layer whose matrix is given; of the identity it makes the matrix, transposed."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias)
    layer.weight.data = torch.as_tensor(weight).float()
    return layer.eval()
