"""Musical tones whose pitch is known exactly.

A tone is a sum of sine waves at the multiples of one frequency, its harmonics. Five things vary:
how many harmonics sound, how fast they fade towards the treble (brightness), how much the pitch
swings (vibrato), how loud the noise is, and the register. The pitch swings as

    f(t) = f0 * (1 + d * sin(2 pi r t + p)),

whose integral, the phase, can be written down; so the frequency in the middle of a frame, t = 0,
is f0 * (1 + d * sin p) to the last digit. Recordings annotated by ear or by another tracker never
offer that.

Not here: attack and decay, rooms, voices, several notes at once.
"""

from dataclasses import dataclass

import numpy as np

from ..compressed import SEEDS, check_array, check_fraction, check_int, check_number

RATE = 16_000  # samples a second
FRAME = 1024  # samples, 64 ms

# Hz. CREPE answers from 31.7 to 2005.5 Hz; what is near the ends is left out.
REGISTERS = {"low": (40.0, 130.0), "middle": (130.0, 520.0), "high": (520.0, 1760.0)}


@dataclass(frozen=True)
class Tones:
    """Frames of sound, what was played, and how.

    Attributes
    ----------
    frames : (n, 1024) float32 array
        Each with mean 0 and standard deviation 1, as CREPE expects them.
    hertz : (n,) float64 array
        The exact frequency in the middle of each frame (sample 512).
    register : (n,) array of str
        "low", "middle" or "high".
    harmonics : (n,) int array
        Sine waves in the tone; those above 8 kHz are left out.
    brightness : (n,) float array
        The amplitude of harmonic k is k ** -brightness times a random factor between 0.3 and 1:
        0.3 is shrill, 2 is dull.
    vibrato : (n,) float array
        Swing of the pitch to either side, in cents.
    noise_db : (n,) float array
        Power of the white noise against the tone's, in dB: -60 is silence, 0 as loud as the tone.
    """

    frames: np.ndarray
    hertz: np.ndarray
    register: np.ndarray
    harmonics: np.ndarray
    brightness: np.ndarray
    vibrato: np.ndarray
    noise_db: np.ndarray

    def __len__(self):
        return len(self.hertz)

    def __getitem__(self, index):
        """Some of the tones: `tones[tones.register == "low"]`, `tones[:100]`."""
        return Tones(**{name: values[index] for name, values in vars(self).items()})


def easy_tones(n=2000, seed=0):
    """The test set: clean to slightly noisy tones, a third of them in each register.

    Parameters
    ----------
    n : int
        Number of frames.
    seed : int
        The same seed gives the same tones on every computer.

    Returns
    -------
    Tones

    Examples
    --------
    >>> tones = easy_tones(300)
    >>> tones.frames.shape, tones.hertz.min().round(1)
    ((300, 1024), np.float64(40.4))
    """
    return synthesise(n, seed, noise_db=(-60, -15), vibrato=(0, 25))


def hard_tones(n=2000, seed=1):
    """The held-out set: loud noise, wide vibrato, faint fundamentals.

    Noise from 20 dB below the tone to as loud as the tone, vibrato up to 60 cents, and in half of
    the tones the first harmonic has lost nine tenths of its amplitude, as over a telephone.

    Returns
    -------
    Tones
    """
    return synthesise(n, seed, noise_db=(-20, 0), vibrato=(0, 60), faint=0.5)


def synthesise(n, seed, noise_db, vibrato, harmonics=(1, 20), brightness=(0.3, 2.0), faint=0.0):
    """Draw `n` tones with each property uniform in its range.

    Parameters
    ----------
    n, seed : int
    noise_db, vibrato, harmonics, brightness : (low, high)
        See `Tones`.
    faint : float in [0, 1]
        Share of the tones of more than one harmonic whose first is turned down to a tenth.

    Returns
    -------
    Tones
    """
    n = check_int("n", n, range(1, 10_000_001))
    random = np.random.default_rng(check_int("seed", seed, SEEDS))
    noise_db, vibrato = _ends("noise_db", noise_db, -300, 300), _ends("vibrato", vibrato, 0, 12_000)
    brightness, faint = _ends("brightness", brightness, -10, 10), check_fraction("faint", faint)
    harmonics = tuple(int(end) for end in _ends("harmonics", harmonics, 1, 1000, kinds="iu"))
    names = np.array(list(REGISTERS))
    register = names[np.arange(n) % len(names)]
    low, high = np.array([REGISTERS[name] for name in register]).T
    # The pitch fills each register evenly in cents: one tone in each of its equal parts.
    parts = -(-n // len(names))
    position = (np.arange(n) // len(names) + random.random(n)) / parts
    carrier = low * (high / low) ** position
    count = random.integers(harmonics[0], harmonics[1] + 1, n)
    dullness = random.uniform(*brightness, n)
    swing = random.uniform(*vibrato, n)
    noise = random.uniform(*noise_db, n)
    rate, start = random.uniform(4.5, 6.5, n), random.uniform(0, 2 * np.pi, n)

    time = (np.arange(FRAME) - FRAME // 2) / RATE
    phase, hertz = swinging_phase(carrier, time, swing, rate, start)
    sound = np.zeros((n, FRAME))
    turned_down = (random.random(n) < faint) & (count > 1)
    for k in range(1, harmonics[1] + 1):
        amplitude = k**-dullness * random.uniform(0.3, 1, n)
        amplitude *= (k <= count) & (k * carrier * (1 + swing / 1000) < RATE / 2)
        amplitude *= np.where(turned_down & (k == 1), 0.1, 1.0)
        offset = random.uniform(0, 2 * np.pi, n)
        sound += amplitude[:, None] * np.sin(k * phase + offset[:, None])
    power = (sound**2).mean(1, keepdims=True)
    sound += random.standard_normal(sound.shape) * np.sqrt(power) * 10 ** (noise[:, None] / 20)
    return Tones(normalise(sound), hertz, register, count, dullness, swing, noise)


def _ends(name, value, least, most, kinds="fiu"):
    """The two ends of a range, in order."""
    low, high = check_array(name, value, kinds, (2,)).tolist()
    if not least <= low <= high <= most:
        raise ValueError(f"{name} must be two numbers in order, from {least} to {most}; got ({low}, {high})")
    return low, high


def swinging_phase(
    carrier,
    time,
    swing: float | np.ndarray = 0.0,
    rate: float | np.ndarray = 5.5,
    start: float | np.ndarray = 0.0,
):
    """Phase of a tone with vibrato, and its frequency at time 0.

    Parameters
    ----------
    carrier : (n,) array
        The frequency the pitch swings about, in Hz.
    time : (samples,) array
        Seconds.
    swing : float or (n,) array
        Cents to either side.
    rate : float or (n,) array
        Swings a second.
    start : float or (n,) array
        Where in its swing the pitch is at time 0, in radians.

    Returns
    -------
    phase : (n, samples) float64 array
        Radians.
    hertz : (n,) float64 array
        The exact frequency at time 0.
    """
    carrier = check_array("carrier", carrier, shape=("n",), dtype=np.float64)
    time = check_array("time", time, shape=("samples",), dtype=np.float64)

    def one_each(name, value):
        value = check_array(name, value, dtype=np.float64)
        if value.shape not in ((), (1,), carrier.shape):
            raise ValueError(
                f"{name} must be a number, or one for each of the {carrier.size} tones; got {value.shape}"
            )
        return np.broadcast_to(value, carrier.shape)

    swing, rate, start = one_each("swing", swing), one_each("rate", rate), one_each("start", start)
    depth = 2 ** (swing / 1200) - 1
    angle = 2 * np.pi * rate[:, None] * time + start[:, None]
    # The integral of f(t) = carrier * (1 + depth * sin(angle)), times 2 pi.
    phase = carrier[:, None] * (2 * np.pi * time - (depth / rate)[:, None] * np.cos(angle))
    return phase, carrier * (1 + depth * np.sin(start))


def normalise(frames):
    """Frames with mean 0 and standard deviation 1, so that loudness does not matter.

    Parameters
    ----------
    frames : (n, 1024) array

    Returns
    -------
    (n, 1024) float32 array
        A frame of silence stays silence.
    """
    frames = check_array("frames", frames, "fiub", dtype=np.float64)
    if frames.ndim == 0:
        raise ValueError("frames must be an array, got a single number")
    frames = frames - frames.mean(-1, keepdims=True)
    return (frames / np.maximum(frames.std(-1, keepdims=True), 1e-8)).astype(np.float32)


def note(hertz, seconds=1.0, harmonics=8, brightness=1.0, vibrato=0.0, noise_db=-60.0, seed=0):
    """A longer tone, to listen to and to cut into frames.

    Returns
    -------
    (samples,) float32 array
        Between -1 and 1, at 16 kHz, faded in and out over 20 ms.

    Examples
    --------
    >>> note(440.0, seconds=0.5).shape
    (8000,)
    """
    random = np.random.default_rng(check_int("seed", seed, SEEDS))
    hertz, seconds = check_number("hertz", hertz, above=0), check_number("seconds", seconds, 1 / RATE, 3600)
    harmonics, brightness = (
        check_int("harmonics", harmonics, range(1, 1001)),
        check_number("brightness", brightness, -10, 10),
    )
    vibrato, noise_db = (
        check_number("vibrato", vibrato, 0, 12_000),
        check_number("noise_db", noise_db, -300, 300),
    )
    time = np.arange(round(seconds * RATE)) / RATE
    phase, _ = swinging_phase(np.array([hertz]), time, vibrato)
    sound = np.zeros(time.size)
    for k in range(1, harmonics + 1):
        if k * hertz < RATE / 2:
            sound += k**-brightness * np.sin(k * phase[0] + random.uniform(0, 2 * np.pi))
    sound += random.standard_normal(time.size) * sound.std() * 10 ** (noise_db / 20)
    fade = np.clip(np.minimum(time, time[::-1]) / 0.02, 0, 1)
    sound *= fade
    return (0.9 * sound / (np.abs(sound).max() or 1)).astype(
        np.float32
    )  # all too high to be heard at 16 kHz: silence


def cut(sound, hop=160):
    """Frames of a longer sound, one each `hop` samples (10 ms), ready for CREPE.

    Parameters
    ----------
    sound : (samples,) array
        At least 1024 samples at 16 kHz.

    Returns
    -------
    (1 + (samples - 1024) // hop, 1024) float32 array

    Raises
    ------
    ValueError
        If the sound is shorter than one frame.
    """
    sound, hop = check_array("sound", sound), check_int("hop", hop, range(1, 2**31))
    if sound.ndim != 1 or sound.size < FRAME:
        raise ValueError(f"sound must be one channel of at least {FRAME} samples; got shape {sound.shape}")
    return normalise(np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::hop])
