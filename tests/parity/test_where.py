"""`tk.where` names the part that ruins the answer: of a detector that is trained here, and of CREPE."""

import numpy as np
import pytest

ct = pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
torch = pytest.importorskip("torch", reason="the packages are converted from torch")

from torch import nn
from torch.nn import functional as F

import toykit as tk
from tests.nightly import nightly

SIZE, PIXELS = 24, 320  # of the pictures here, and half of those that the boxes are told in
ONE_SCALE = {"bits": 4, "granularity": "per_tensor"}


def pictures(count, generator):
    """Noise, in half of the pictures a bright square, and where its middle is, from -1 to 1."""
    images = 0.3 * torch.randn(count, 1, SIZE, SIZE, generator=generator)
    there = torch.rand(count, generator=generator) < 0.5
    corners = torch.randint(0, SIZE - 5, (count, 2), generator=generator)
    for image, square, (top, left) in zip(images, there, corners.tolist()):
        if square:
            image[0, top : top + 5, left : left + 5] += 2
    return images, there, (2.0 * corners + 5) / SIZE - 1


class Detector(nn.Module):
    """Is there a square, and where? Both from one linear layer, as in many detectors."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 16, 3, 2), nn.Conv2d(16, 32, 3, 2)
        self.head = nn.Linear(800, 3)

    def forward(self, x):
        found = self.head(torch.relu(self.second(torch.relu(self.first(x)))).flatten(1))
        return found[:, :1], found[:, 1:]


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    network, generator = Detector(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(150):
        images, there, middle = pictures(64, generator)
        score, place = network(images)
        loss = F.binary_cross_entropy_with_logits(score[:, 0], there.float())
        loss = loss + (F.mse_loss(place, middle, reduction="none").mean(1) * there).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():  # from here on in pixels: the head's other two rows are 320 times larger
        network.head.weight[1:] *= PIXELS
        network.head.bias[1:] *= PIXELS
    images, there, _ = pictures(400, generator)
    assert ((network(images)[0][:, 0] > 0) == there).float().mean() > 0.95
    outputs = [ct.TensorType(name=name) for name in ("score", "place")]
    package = tk.coreml.convert(network.eval(), images[:1], target="iOS18", outputs=outputs)
    return package, {"x": images[:8, None].numpy()}


def test_the_head_of_a_detector(detector):
    """The scale that the places ask for leaves nothing of the row that says whether something is there."""
    package, images = detector
    small = tk.coreml.compress(package, "quantize", **ONE_SCALE)
    assert tk.verify(small, package, images).ok  # as near as its form promises: the form is the fault
    found = tk.where(small, package, images)
    assert "head" in found.culprit.name and found.culprit.gain_db > 6
    assert found.first.op == "linear" and found.first.weights == (found.culprit.name,)
    better = tk.where(tk.coreml.compress(package, "quantize", bits=4), package, images)
    assert better.answers_db > found.answers_db + 6


@nightly
def test_nightly_crepe_with_a_scale_a_tensor():
    package = tk.coreml.convert(tk.models.crepe(), torch.zeros(1, 1024), target="iOS18", check=False)
    small = tk.coreml.compress(package, "quantize", **ONE_SCALE)
    found = tk.where(small, package)
    assert found.culprit.name.startswith("conv2") and found.culprit.gain_db > 6
    assert np.isfinite(found.answers_db)
