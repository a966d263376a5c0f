"""ResNet-50, the network whose 50 MB the book takes apart.

50 layers with weights lie one after the other: 49 convolutions and a linear layer. Four more
convolutions lie beside them, in the shortcuts where the shape changes. Together they hold
25,557,032 parameters. Layers carry the names that torchvision gives them, so that tables of
other people's ResNet-50 can be read side by side.

The weights are random, drawn with a fixed seed: right for sizes and shapes, useless for
recognising anything. Not here: training, other depths, pretrained weights.

References: He et al., "Deep residual learning for image recognition", CVPR 2016. The stride sits
on the 3x3 convolution, as it does in torchvision and in NVIDIA's version 1.5.
"""

from .._optional import require
from ..compressed import SEEDS, check_int, shown

torch = require("torch", "toykit.models needs torch to build ResNet-50")
nn = torch.nn


class Bottleneck(nn.Module):
    """Squeeze the channels, convolve 3x3, widen fourfold, and add what came in."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.relu = nn.ReLU()
        self.downsample = None
        if stride != 1 or channels_in != 4 * channels:  # what came in has another shape than what goes out
            shortcut = nn.Conv2d(channels_in, 4 * channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * channels))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """Maps (N, 3, H, W) images to (N, classes) scores; 224 x 224 is the size it was designed for."""

    def __init__(self, classes=1000):
        super().__init__()
        classes = check_int("classes", classes, range(1, 1_000_001))
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = self._stage(64, 64, blocks=3, stride=1)
        self.layer2 = self._stage(256, 128, blocks=4, stride=2)
        self.layer3 = self._stage(512, 256, blocks=6, stride=2)
        self.layer4 = self._stage(1024, 512, blocks=3, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, classes)

    @staticmethod
    def _stage(channels_in, channels, blocks, stride):
        first = Bottleneck(channels_in, channels, stride)
        return nn.Sequential(first, *(Bottleneck(4 * channels, channels, 1) for _ in range(blocks - 1)))

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def resnet50(seed=0, classes=1000, device=None):
    """Build ResNet-50 with random weights, ready to run (in evaluation mode).

    Parameters
    ----------
    seed : int
        Same seed, same weights. The caller's random state is left alone.
    classes : int
        Outputs of the last layer.
    device : str or torch.device, optional
        `"meta"` builds shapes without weights: no memory, no time, enough to count.

    Returns
    -------
    ResNet50

    Examples
    --------
    >>> model = resnet50(device="meta")
    >>> sum(p.numel() for p in model.parameters())
    25557032
    """
    # Layers draw weights of their own when they are made; those are replaced, and the state given back.
    try:
        device = torch.device("cpu" if device is None else device)
    except Exception as problem:  # RuntimeError, TypeError or OverflowError, after what it was given
        raise ValueError(
            f"device must be one of torch's, such as 'cpu' or 'meta'; got {shown(device)}"
        ) from problem
    seed = check_int("seed", seed, SEEDS)
    with torch.random.fork_rng(devices=[]), device:
        model = ResNet50(classes).eval()
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        if isinstance(layer, nn.BatchNorm2d) and not layer.weight.is_meta:
            # All different, as in a trained network. Fresh batch norms are all alike: folded into the
            # convolutions they give equal biases, which coremltools stores once, and the package comes
            # out 53 kB smaller than that of any ResNet-50 that has been trained.
            nn.init.uniform_(layer.weight, 0.5, 1.0, generator=generator)
            nn.init.normal_(layer.bias, std=0.1, generator=generator)
            nn.init.normal_(layer.running_mean, std=0.1, generator=generator)
            nn.init.uniform_(layer.running_var, 0.5, 1.5, generator=generator)
    if not model.fc.weight.is_meta:
        nn.init.normal_(model.fc.weight, std=0.01, generator=generator)
        nn.init.normal_(model.fc.bias, std=0.01, generator=generator)
    return model
