"""CREPE's answers many times faster, for sweeps that ask for thousands of them.

A convolution with 64 taps along time is a product of spectra: transform the sound's features and
the taps to frequencies, multiply, transform back. The second layer, which holds three quarters of
the network's arithmetic, then takes a twentieth of the multiplications. The numbers are those of
`Crepe.forward` to float32 rounding, about 1e-6.

Two more things are skipped because they cannot matter: taps that only ever meet the zeros around a
short input (see `reach`), and batch norm before the halving, where its scale is not negative: the
larger of two numbers stays the larger one under a rising line.
"""

import numpy as np

from ..compressed import check_array, check_int, check_type
from ._weights import replaced
from .crepe_network import Crepe, F, crepe, torch

LENGTHS = (256, 128, 64, 32, 16, 8)  # moments that enter each halving, layer 1 to 6
TAPS, BEFORE = 64, 31  # layers 2 to 6: taps, and zeros in front of the input


def reach(layer):
    """The taps of a layer that ever touch its input: those before and after only meet zeros.

    Parameters
    ----------
    layer : int
        2 to 6.

    Returns
    -------
    slice

    Notes
    -----
    Output moment o sums tap k times input moment o + k - 31. Where the input has only 8 moments, o
    and o + k - 31 both lie in 0 to 7 for k from 24 to 38 alone: 15 of 64 taps.

    Examples
    --------
    >>> [len(range(64)[reach(layer)]) for layer in range(2, 7)]
    [64, 64, 63, 31, 15]
    """
    moments = LENGTHS[layer - 1]
    return slice(max(0, BEFORE - (moments - 1)), min(TAPS, BEFORE + moments))


class Listener:
    """A CREPE network prepared for many frames.

    Parameters
    ----------
    model : Crepe
        Its weights are read once: after changing them, make a new listener.
    batch : int
        Frames at a time; more are not faster.

    Examples
    --------
    >>> import toykit as tk
    >>> tones = tk.data.tones.easy_tones(3)
    >>> Listener(tk.models.crepe())(tones.frames).shape
    (3, 360)
    """

    def __init__(self, model, batch=32):
        self.model = check_type("model", model, Crepe, "a Crepe")
        self.batch = check_int("batch", batch, range(1, 2**31))
        with torch.inference_mode():
            self.first = model.conv1.weight[:, 0, :, 0].T.contiguous()
            self.spectra = {layer: self._spectrum(layer) for layer in range(2, 7)}
            self.norms = {layer: self._norm(layer) for layer in range(1, 7)}

    def _spectrum(self, layer):
        taps = getattr(self.model, f"conv{layer}").weight[..., reach(layer), 0]
        points = fast_length(LENGTHS[layer - 1] + taps.shape[-1] - 1)
        # A network's convolution does not reverse its taps, a product of spectra does: turn them round.
        return torch.fft.rfft(taps.flip(-1), points).permute(2, 1, 0).contiguous(), points, taps.shape[-1]

    def _norm(self, layer):
        norm = getattr(self.model, f"conv{layer}_BN")
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return scale, norm.bias - norm.running_mean * scale

    def __call__(self, frames):
        """Answers for normalised frames.

        Parameters
        ----------
        frames : (n, 1024) float32 array

        Returns
        -------
        (n, 360) float32 array
        """
        return self.finish(self.begin(frames))

    def begin(self, frames):
        """What layers 1 and 2 make of the frames: nine tenths of the work.

        Returns
        -------
        (n, 64, 128) float32 tensor
            Frames, moments, channels.
        """
        frames = torch.from_numpy(np.array(check_array("frames", frames, "fiub", ("n", 1024)), np.float32))
        with torch.inference_mode():
            return torch.cat([self._begin(part) for part in frames.split(self.batch)])

    def finish(self, features):
        """The answers, (n, 360), to what `begin` returned: layers 3 to 6 and the classifier."""
        with torch.inference_mode():
            return torch.cat([self._finish(part) for part in features.split(self.batch)]).numpy()

    def _begin(self, frames):
        # Layer 1 as one matrix product: 256 windows of 512 samples, 4 apart.
        windows = F.pad(frames, (254, 254)).unfold(1, 512, 4)
        x = torch.addmm(self.model.conv1.bias, windows.reshape(-1, 512), self.first)
        x = self._halve(x.view(len(frames), 256, -1), 1)
        return self.layer(x, 2)

    def _finish(self, x):
        for layer in range(3, 7):
            x = self.layer(x, layer)
        return self.classify(x)

    def layer(self, x, layer):
        """What a layer, 2 to 6, makes of what enters it: (n, moments, channels) tensors."""
        with torch.inference_mode():
            return self._halve(self._convolve(x, layer), layer)

    def classify(self, x):
        """The answers, an (n, 360) tensor, to what leaves layer 6."""
        with torch.inference_mode():
            return torch.sigmoid(self.model.classifier(x.flatten(1)))

    def _convolve(self, x, layer):
        spectrum, points, taps = self.spectra[layer]
        # One matrix product, channels in by channels out, for each frequency.
        product = torch.fft.rfft(x, points, dim=1).transpose(0, 1) @ spectrum
        x = torch.fft.irfft(product, points, dim=0).transpose(0, 1)
        first = taps - 1 - (BEFORE - reach(layer).start)
        return x[:, first : first + LENGTHS[layer - 1]] + getattr(self.model, f"conv{layer}").bias

    def _halve(self, x, layer):
        """ReLU, batch norm and the larger of two moments; where the norm's line falls, the smaller."""
        scale, shift = self.norms[layer]
        x = x.relu_()
        even, odd = x[:, ::2], x[:, 1::2]
        larger = torch.maximum(even, odd)
        if (scale < 0).any():
            larger = torch.where(scale < 0, torch.minimum(even, odd), larger)
        return larger.mul_(scale).add_(shift)


def fast_length(points):
    """The next length that Fourier transforms like: a product of 2, 3 and 5 alone."""
    while True:
        rest = points
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return points
        points += 1


def with_weights(weights):
    """A trained CREPE in which some tensors are replaced.

    Parameters
    ----------
    weights : dict of str to float array
        Tensors by name; those not named stay as trained. Shapes as in `crepe_weights()`.

    Returns
    -------
    Crepe

    Raises
    ------
    ValueError
        If a name or a shape is not CREPE's.
    """
    return replaced(crepe(), weights, "CREPE")


def listen(weights, frames):
    """What CREPE answers with other weights than its own.

    Parameters
    ----------
    weights : dict of str to float array
        As for `with_weights`.
    frames : (n, 1024) float array
        Normalised sound, for example `tk.data.tones.easy_tones().frames`.

    Returns
    -------
    (n, 360) float32 array
    """
    return Listener(with_weights(weights))(frames)
