"""Small networks to train on for a few steps."""

import torch
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)


def tiny(seed=0):
    """A convolution, batch norm and a matrix: 72 + 240 weights."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, (1, 3), padding=(0, 1)), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3)
    )


def batch(n=32, seed=0):
    """Signals of 10 samples and classes that can be learned from them."""
    torch.manual_seed(seed)
    x = torch.randn(n, 1, 1, 10)
    return x, x[:, 0, 0, :3].argmax(1)


def steps(method, model, n=10, rate=0.01):
    """Train a prepared model for n steps; the last loss."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    x, y = batch()
    for _ in range(n):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        method.step()
    return loss.item()


class Tied(nn.Module):
    """Two layers that share their weight."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.flatten = nn.Flatten()
        self.first, self.second, self.last = nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 3)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.last(torch.relu(self.second(torch.relu(self.first(self.flatten(x))))))
