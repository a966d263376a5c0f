"""ResNet-50: the numbers that everybody knows about it."""

import pytest

torch = pytest.importorskip("torch")

import toykit as tk


@pytest.fixture(scope="module")
def shapes():
    return tk.models.resnet50(device="meta")


def test_parameters(shapes):
    assert sum(p.numel() for p in shapes.parameters()) == 25_557_032


def test_fifty_layers_and_four_shortcuts(shapes):
    convolutions = [name for name, layer in shapes.named_modules() if isinstance(layer, torch.nn.Conv2d)]
    shortcuts = [name for name in convolutions if "downsample" in name]
    assert (len(convolutions) - len(shortcuts), len(shortcuts)) == (49, 4)
    assert shapes.fc.weight.numel() + shapes.fc.bias.numel() == 2_049_000


def test_names_are_torchvisions(shapes):
    names = [name for name, _ in shapes.named_parameters()]
    assert names[:3] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert "layer1.0.downsample.0.weight" in names and "layer4.2.bn3.bias" in names
    assert names[-2:] == ["fc.weight", "fc.bias"] and len(names) == 161


def test_multiplications(shapes):
    # He et al. give 3.8 x 10^9 for the stride on the 1x1 convolution; on the 3x3 it is 4.09 x 10^9.
    counted = []

    def count(layer, _, output):
        weights = layer.weight.numel()
        places = output.shape[2] * output.shape[3] if output.ndim == 4 else 1
        counted.append(weights * places)

    for layer in shapes.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(count)
    shapes(torch.zeros(1, 3, 224, 224, device="meta"))
    assert len(counted) == 54 and round(sum(counted) / 1e9, 2) == 4.09


def test_runs_and_repeats():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, again, other = (tk.models.resnet50(seed=seed, classes=10) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.conv1.weight, other.conv1.weight)
    with torch.no_grad():
        scores = first(torch.rand(2, 3, 64, 64))
    assert scores.shape == (2, 10) and torch.isfinite(scores).all()


def test_modules_and_functions_do_not_hide_each_other():
    import toykit.models.resnet  # noqa: F401 - importing it is the test

    assert callable(tk.models.resnet50)
    with pytest.raises(AttributeError, match="no attribute 'resnet51'"):
        tk.models.resnet51  # noqa: B018 - asking for the name is the test
