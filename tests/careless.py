"""Careless calls: every public function, one good call of each, and arguments that people pass by mistake."""

import inspect
import tempfile
import types
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

import toykit as tk

torch = __import__("pytest").importorskip("torch")

DATA = Path(__file__).parent.parent / "notebooks/data"

# Public names that hold what functions returned: nobody makes one, and they check nothing.
RESULTS = {
    "tk.Compressed",
    "tk.capstone.Score",
    "tk.capstone.Task",
    "tk.compressed.Error",
    "tk.marking.Mark",
    "tk.marking.Marks",
    "tk.data.digits1d.Digits",
    "tk.data.tones.Tones",
    "tk.kmeans.Clusters",
    "tk.latency.Fit",
    "tk.latency.Interval",
    "tk.latency.Machine",
    "tk.latency.Measurement",
    "tk.latency.Published",
    "tk.latency.Requests",
    "tk.latency.Timing",
    "tk.size.Row",
    "tk.size.Ledger",
    "tk.sweep.Choice",
    "tk.sweep.Decision",
    "tk.sweep.Interval",
    "tk.sweep.Rows",
    "tk.exercises.Report",
    "tk.quiz.Drawn",
    "tk.quiz.Question",
    # Forms made by hand are checked when they are used: see test_kernels.
    "tk.Sparse",
    "tk.Quantized",
    "tk.SmallFloats",
    "tk.Palettized",
}
# Not tried here, nor are the checks themselves (tk.compressed.check_...): test_compressed tries those.
EXCEPTIONS = {
    "tk.compressed.as_array": "its argument bears the name that it is given",
    "tk.compressed.shown": "quotes any value",
    "tk.compressed.split": "cuts what was checked, into as many blocks as `fit` found",
    "tk.compressed.to_each_block": "turns scales that were checked",
    "tk.exercises.Case": "takes the arguments of any function",
    "tk.exercises.Exercise": "the book's own, made when it is imported",
    "tk.exercises.Hint": "the book's own, made when it is imported",
    "tk.kmeans.RunCosts": "a step of exact, which chapter 4 shows at work: it gets what exact has checked",
    "tk.kmeans.cheapest_partition": "a step of exact, too",
    "tk.capstone.collect": "reads packages: see tests/capstone",
    "tk.capstone.score": "reads packages: see tests/capstone",
    "tk.marking.mark": "reads what was handed in: see tests/marking",
    "tk.diff": "reads packages: see tests/verification",
    "tk.explore": "reads packages: see tests/exploration",
    "tk.plots.program": "reads a package: see tests/parity",
    "tk.verify": "reads packages: see tests/verification",
    "tk.where": "reads packages: see tests/verification",
    "tk.widgets.package_explorer": "reads a package: see tests/parity",
    "tk.latency.fit": "takes ten seconds; fit_null reads the same rows",
    "tk.training.StraightThrough": "torch's protocol: apply() takes any function",
    "tk.widgets.recipe_explorer": "its data is what an exploration found: see tests/test_widgets_recipes.py",
    "tk.widgets.accuracy_explorer": "its data is a file of the book, from make data",
    "tk.pruning.Magnitudes": "prune's own way for float16, which gives it magnitudes, checked",
    "tk.pruning.above": "a step of prune, which Magnitudes takes too: magnitudes, checked",
    "tk.pruning.cut_off": "a step of prune, too",
    "tk.models.crepe": "without arguments",
    "tk.models.tiny_crepe_package": "without arguments, too",
}
# Methods of what functions return that a person calls with arguments, and an object to call them on.
METHODS = {
    "AheadOfTime.__call__": lambda: tk.kernels.AheadOfTime(weights()),
    "JustInTime.__call__": lambda: tk.kernels.JustInTime(tk.quantize(weights())),
    "Int8Int8.__call__": lambda: tk.kernels.Int8Int8(tk.quantize(weights())),
    "Ledger.after": lambda: tk.size.ledger({"fc": weights()}),
    "Ledger.group": lambda: tk.size.ledger({"fc.weight": weights()}),
    "Ledger.to_markdown": lambda: tk.size.ledger({"fc.weight": weights()}),
    "Listener.__call__": lambda: listener(),
    "Pruner.prepare": lambda: tk.training.Pruner(),
    "Quantizer.prepare": lambda: tk.training.Quantizer(),
    "Palettizer.prepare": lambda: tk.training.Palettizer(),
    "GPTQ.prepare": lambda: tk.training.GPTQ(),
    "SensitivePalettizer.prepare": lambda: tk.training.SensitivePalettizer(),
}
# Arguments that are called with what the function found: what a wrong one raises then is its own.
CALLED = {("tk.size.report", "progress")}

# Arguments that a function is meant to change.
CHANGED = {
    ("tk.training.store", "layer"),
    ("tk.training.correct_biases", "model"),
    ("tk.training.calibrate", "method"),
}
# Files that are not there, and what a network or a metric of the caller's raises.
ALSO_RAISES = {
    "tk.sweep.read": OSError,
    "tk.sweep.write": OSError,
    "tk.latency.read_published": OSError,
    "tk.widgets.feedback": OSError,
    "tk.widgets.latency_explorer": OSError,
    "tk.latency.layers": (OSError, tk.coreml.PackageError),
    "tk.size.ledger": (OSError, tk.coreml.PackageError),
    "tk.latency.overlap": Exception,
    "tk.latency.measure": KeyError,
    "tk.sweep.run": RuntimeError,
    "tk.sweep.sensitivity": RuntimeError,
}


def weights():
    return np.random.default_rng(0).normal(size=(64, 48)).astype(np.float16)


@cache
def crepe():
    return tk.models.crepe()


@cache
def listener():
    return tk.models.Listener(crepe())


def tensor(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def layer():
    return tk.latency.Layer("fc", (64, 48), 3072, 48, 64)


def chip():
    return tk.latency.Chip("a chip", 1e12, 1e10)


def published():
    return tk.latency.read_published(DATA / "apple_published.csv", model="ResNet50")[:4]


def rows():
    return [
        {"label": str(n), "nbytes": n, "within_50": n / 9, "layer": "fc", "technique": "prune"}
        for n in (3, 5)
    ]


def scored():
    return [{"nbytes": n} | dict.fromkeys(tk.widgets.accuracy.SCORES, 0.5) for n in (200, 100)]


def snapshots():
    w = np.linspace(-1, 1, 50)
    return {
        "1 bit": [{"step": s, "temperature": 1.0, "centroids": [-0.5, 0.5], "weights": w} for s in (0, 1)]
    }


def forms():
    row = {
        "network": "a",
        "target": "iOS16",
        "within_10": "",
        "technique": "none",
        "options": "{}",
        "package_bytes": "2000",
    }
    return [row, row | {"technique": "palettize", "options": '{"bits": 4}', "package_bytes": "600"}]


def prepared():
    method = tk.training.GPTQ()
    method.prepare(network(), tk.training.GPTQConfig())
    return method


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(48, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4, bias=False))


def line():
    import matplotlib.pyplot as plt

    plt.close("all")
    return plt.figure().add_subplot().plot([1, 2, 3])[0]


# A good value for each name of an argument; where functions differ, under "function.argument".
GOOD = {
    "answer": lambda: 7,
    "answers": lambda: np.full((3, 360), 0.5),
    "after": lambda: [2.0, 2.1, 4, 2, 2, 2.1],
    "at_least": lambda: {"within_50": 0.1},
    "at_most": lambda: {"nbytes": 4},
    "activations": lambda: True,
    "axis": lambda: 0,
    "before": lambda: [4, 4.2, 8, 4, 4.1, 4.4],
    "bits": lambda: 4,
    "block_size": lambda: 16,
    "carrier": lambda: np.array([440.0]),
    "centroids": lambda: np.array([-1.0, 0.0, 1.0]),
    "chip": chip,
    "array": weights,
    "codes": lambda: np.arange(8),
    "compressed": lambda: tk.quantize(weights()),
    "confidence": lambda: 0.9,
    "config": lambda: tk.training.PruningConfig(),
    "count": lambda: 8,
    "cluster_dim": lambda: 1,
    "damage": lambda: "nbytes",
    "decoder": lambda: tk.models.decoder(9),
    "dtype": lambda: "float16",
    "dropped": lambda: 1,
    "figure": lambda: line().figure,
    "format": lambda: tk.latency.Format(),
    "frames": lambda: np.ones((2, 1024), np.float32),
    "function": lambda: abs,
    "functions": lambda: {"abs": lambda: 1},
    "group_size": lambda: 16,
    "groups": lambda: 4,
    "harmonics": lambda: 3,
    "heard": lambda: [440.0, 441.0],
    "heads": lambda: 4,
    "hertz": lambda: [440.0, 880.0],
    "high": lambda: 7,
    "inputs": lambda: [1, -2, 3],
    "k": lambda: 3,
    "kind": lambda: "int4",
    "layer": layer,
    "layers": lambda: [layer()],
    "ledger": lambda: tk.size.ledger({"fc": weights()}),
    "line": line,
    "low": lambda: -8,
    "mask": lambda: np.full(8, 255, np.uint8),
    "max_bytes": lambda: 100,
    "method": prepared,
    "metric": lambda: len,
    "mode": lambda: "kmeans",
    "model": network,
    "n": lambda: 6,
    "nbytes": lambda: 10_000,
    "network": network,
    "networks": lambda: ("a",),
    "noise_db": lambda: (-60, -15),
    "only": lambda: ["fc"],
    "operations": lambda: 1e12,
    "bandwidth": lambda: 1e10,
    "name": lambda: "a name",
    "original": network,
    "packed": lambda: np.zeros(4, np.uint8),
    "places": lambda: 16,
    "question": lambda: "How many?",
    "right": lambda: [True, False, True],
    "rounds": lambda: 2,
    "rows": rows,
    "runs": lambda: 9,
    "samples": lambda: tensor(5, 48),
    "scale": lambda: torch.ones(1),
    "scores": lambda: np.full((1, 3, 18710), 0.5, np.float32),
    "sentence": lambda: "One sentence.",
    "sentences": lambda: ["One sentence.", "Another."],
    "setting": lambda: {"technique": "quantize"},
    "settings": lambda: [{"technique": "quantize"}],
    "shape": lambda: (64, 48),
    "share": lambda: 0.5,
    "seed": lambda: 0,
    "signed": lambda: False,
    "sound": lambda: np.ones(2000),
    "source": network,
    "sparsity": lambda: 0.5,
    "step": lambda: 1,
    "technique": lambda: "prune",
    "temperature": lambda: 0.1,
    "time": lambda: np.arange(9) / 16e3,
    "times": lambda: [2.0, 2.1, 2.0, 2.2, 9.0, 2.1],
    "text": lambda: "text",
    "svg.title": lambda: "a title",
    "threads": lambda: 1,
    "tokens": lambda: 9,
    "values": lambda: np.linspace(-1, 1, 200, dtype=np.float32) ** 3,
    "vectors": lambda: tensor(9, 1),
    "vibrato": lambda: (0, 25),
    "w": lambda: weights()[:8, :8],
    "weights": weights,
    "width": lambda: 64,
    "x": lambda: np.ones(48, np.float32),
    "inputs_": lambda: 48,
    "outputs": lambda: 64,
    "macs": lambda: 3072,
    "options": lambda: {"fc": [("a", 10, 1.0)]},
    "tk.models.Decoder.layers": lambda: 2,
    "tk.models.resnet50.device": lambda: "meta",
    "tk.data.digits1d.make.samples": lambda: 50,
    "tk.data.tones.note.seconds": lambda: 0.1,
    "tk.data.tones.synthesise.harmonics": lambda: (1, 3),
    "tk.data.tones.note.hertz": lambda: 440.0,
    "tk.data.tones.note.vibrato": lambda: 10.0,
    "tk.data.tones.note.noise_db": lambda: -60.0,
    "tk.data.pitch.share_interval.n": lambda: 100,
    "tk.joint.palettize.weights": lambda: tk.prune(weights(), sparsity=0.5),
    "tk.joint.quantize.weights": lambda: tk.prune(weights(), sparsity=0.5),
    "tk.joint.quantize.mode": lambda: "symmetric",
    "tk.quantization.quantize.mode": lambda: "symmetric",
    "tk.kmeans.distinct.weights": lambda: np.ones(200),
    "tk.kmeans.exact.weights": lambda: np.ones(200),
    "tk.kmeans.lloyd.weights": lambda: np.ones(200),
    "tk.kmeans.check_values.weights": lambda: np.ones(200),
    "tk.kmeans.lloyd.steps": lambda: 5,
    "tk.widgets.lloyd.steps": lambda: 5,
    "tk.latency.Layer.inputs": lambda: 48,
    "tk.latency.fit_null.rows": published,
    "tk.latency.bandwidth.rounds": lambda: 1,
    "tk.latency.measure.at_least": lambda: 0.0,
    "tk.latency.layers.source": network,
    "tk.latency.layers.input_shape": lambda: (1, 48),
    "tk.latency.overlap.function": lambda: lambda x: x,
    "tk.latency.read_published.path": lambda: DATA / "apple_published.csv",
    "tk.widgets.latency_explorer.path": lambda: DATA / "apple_published.csv",
    "tk.sweep.read.path": lambda: DATA / "crepe_layers.csv",
    "tk.latency.read_published.model": lambda: "ResNet50",
    "tk.models.Listener.model": crepe,
    "tk.models.listen.weights": dict,
    "tk.models.with_weights.weights": dict,
    "tk.models.ReadingExam.words": lambda: tk.data.words.draw(2),
    "tk.models.SentimentExam.sentences": lambda: tk.data.sentences.sentiment(4),
    "tk.models.SentimentExam.training": lambda: tk.data.sentences.sentiment(4, part="training"),
    "tk.sweep.paired_interval.before": lambda: [True, True, False],
    "tk.models.PitchExam.sets": lambda: tk.data.tones.easy_tones(3),
    "tk.plots.matrix.highlight": lambda: np.ones((8, 8), bool),
    "tk.plots.label_line.x": lambda: 1.0,
    "tk.pruning.unpack_mask.shape": lambda: (8, 8),
    "tk.pruning.spread.values": lambda: np.ones(2),
    "tk.pruning.spread.kept": lambda: np.array([True, False, True]),
    "tk.prune.dim": lambda: 0,
    "tk.prune.block_size": lambda: None,
    "tk.quantize.block_size": lambda: None,
    "tk.quantization.quantize.block_size": lambda: None,
    "tk.quantize.format": lambda: None,
    "tk.quantization.quantize.format": lambda: None,
    "tk.small_floats.encode.format": lambda: "fp4_e2m1",
    "tk.small_floats.encode.numbers": lambda: np.linspace(-7, 7, 9),
    "tk.small_floats.decode.format": lambda: "fp4_e2m1",
    "tk.small_floats.scales_for.format": lambda: "fp8_e4m3",
    "tk.small_floats.scales_for.largest": lambda: np.ones(3),
    "tk.small_floats.worth.scale": lambda: np.ones(3, np.float16),
    "scale_format": lambda: None,
    "tk.small_floats.scales_for.scale_format": lambda: "e8m0",
    "tk.quantization.pack_codes.codes": lambda: np.arange(8),
    "tk.quantization.unpack_codes.codes": lambda: np.zeros(4, np.uint8),
    "tk.quantization.unpack_codes.shape": lambda: (8,),
    "tk.sweep.apply.weights": lambda: {"fc": weights()},
    "tk.sweep.layers.weights": lambda: {"fc": weights()},
    "tk.sweep.run.weights": lambda: {"fc": weights()},
    "tk.sweep.sensitivity.weights": lambda: {"fc": weights()},
    "tk.sweep.run.only": lambda: ["fc"],
    "tk.sweep.run.workers": lambda: 1,
    "tk.sweep.grid.options": lambda: (0.1, 0.2),
    "tk.sweep.write.settings": lambda: [{"technique": "prune", "sparsity": 0.5}] * 2,
    "tk.sweep.write.path": lambda: Path(tempfile.gettempdir()) / "careless.csv",
    "tk.sweep.write.columns": lambda: ("layer",),
    "tk.training.attention_bytes.weights": lambda: 1000,
    "tk.training.magnitude_mask.weight": lambda: tensor(9),
    "tk.training.dkm_step.centroids": lambda: tensor(2, 1),
    "tk.training.store.layer": lambda: torch.nn.Linear(48, 64),
    "tk.training.fake_quantize.x": lambda: tensor(9),
    "tk.training.round_through.x": lambda: tensor(9),
    "tk.widgets.accuracy_slider.rows": scored,
    "tk.widgets.accuracy_slider.words": lambda: ["float16", "8 bits"],
    "tk.widgets.accuracy_slider.slider": lambda: "Bits",
    "tk.widgets.accuracy_slider.technique": lambda: "quantization",
    "tk.widgets.configurator.rows": forms,
    "tk.widgets.hardening.runs": snapshots,
    "tk.widgets.explore.w": lambda: weights()[:8, :8],
    "tk.widgets.feedback.path": lambda: DATA / "predictions.toml",
    "tk.widgets.feedback.name": lambda: "a quarter",
    "tk.widgets.quiz.part": lambda: "size",
    "tk.quiz.questions.part": lambda: "tools",
    "tk.quiz.form.name": lambda: "A",
    "tk.widgets.predict.min": lambda: 1,
    "tk.widgets.predict.max": lambda: 20,
    "tk.widgets.predict.options": lambda: None,
    "tk.widgets.roofline_explorer.bandwidth": lambda: 20,
    "tk.widgets.lloyd.values": lambda: np.linspace(-1, 1, 50, dtype=np.float32) ** 3,
    "Listener.__call__.frames": lambda: np.ones((1, 1024)),
    "tk.size.ledger.source": lambda: {"fc": weights()},
    "Ledger.after.options": lambda: 0.5,
    "Quantizer.prepare.config": lambda: tk.training.QuantizationConfig(),
    "Palettizer.prepare.config": lambda: tk.training.PalettizationConfig(),
    "GPTQ.prepare.config": lambda: tk.training.GPTQConfig(),
    "SensitivePalettizer.prepare.config": lambda: tk.training.SensitiveConfig(),
    "exercise.function": lambda: lambda *args: None,
}
# Optional arguments that a good call has, for the required ones do not suffice.
NEEDED = {
    "tk.data.digits1d.make": ("samples",),
    "tk.data.tones.easy_tones": ("n",),
    "tk.data.tones.hard_tones": ("n",),
    "tk.prune": ("sparsity",),
    "tk.latency.bandwidth": ("nbytes",),
    "tk.models.resnet50": ("device",),
    "tk.sweep.choose": ("max_bytes",),
    "tk.widgets.predict": ("min", "max"),
    "tk.latency.layers": ("input_shape",),
    "tk.training.GPTQConfig": (),
    "tk.widgets.configurator": ("networks",),
}
# What stands for **options in a good call.
KEYWORDS = {"tk.sweep.grid": "sparsity", "Ledger.after": "sparsity", "tk.models.PitchExam": "easy"}

ODD = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    "a word": lambda: "no",
    "no text": lambda: "",
    "digits": lambda: "4",
    "bytes": lambda: b"four",
    "-1": lambda: -1,
    "0": lambda: 0,
    "1": lambda: 1,
    "3": lambda: 3,
    "50": lambda: 50,
    "huge": lambda: 10**400,
    "-huge": lambda: -(10**400),
    "too long to print": lambda: 10**5000,
    "2**63": lambda: 2**63,
    "0.5": lambda: 0.5,
    "1.5": lambda: 1.5,
    "-7.0": lambda: -7.0,
    "1e308": lambda: 1e308,
    "nan": lambda: float("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "1j": lambda: 1j,
    "a list": list,
    "a tuple": lambda: (),
    "a dict": dict,
    "a set": lambda: {1, 2},
    "numbers": lambda: [1, 2, 3],
    "words": lambda: ["a", "b"],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "nones": lambda: [None, None],
    "nan in a list": lambda: [0.5, float("nan")],
    "a dict of words": lambda: {"a": "b"},
    "dicts": lambda: [{"a": 1}, {}],
    "np.float16": lambda: np.float16(2),
    "np.int8": lambda: np.int8(3),
    "np.bool": lambda: np.bool_(True),
    "np.nan": lambda: np.float32("nan"),
    "np.str": lambda: np.str_("prune"),
    "0-d": lambda: np.array(2.0),
    "empty": lambda: np.zeros(0),
    "empty rows": lambda: np.zeros((3, 0)),
    "6-d": lambda: np.ones((1,) * 6),
    "ints": lambda: np.arange(6),
    "bools": lambda: np.array([True, False]),
    "complex": lambda: np.ones(3, complex),
    "objects": lambda: np.array([None, "a", 3.0], object),
    "strings": lambda: np.array(["a", "b"]),
    "masked": lambda: np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False]),
    "a masked number": lambda: np.ma.masked,
    "masked rows": lambda: [np.ma.array([1.0, 2.0], mask=[False, True])] * 2,
    "nan array": lambda: np.array([np.nan, 1]),
    "1e300": lambda: np.array([1e300, -1e300]),
    "inf float16": lambda: np.array([np.inf, 1], np.float16),
    "big-endian": lambda: np.arange(6, dtype=">f4"),
    "strided": lambda: np.arange(12.0, dtype=np.float32)[::2],
    "records": lambda: np.zeros(3, [("a", "f4"), ("b", "i4")]),
    "dates": lambda: np.zeros(3, "datetime64[s]"),
    "longdouble": lambda: np.ones(3, np.longdouble),
    "read-only": lambda: np.broadcast_to(np.float32(1), (3, 3)),
    "gradient": lambda: torch.ones(3, 3, requires_grad=True),
    "meta": lambda: torch.ones(3, 3, device="meta"),
    "0-d meta": lambda: torch.ones((), device="meta"),
    "0-d gradient": lambda: torch.ones((), requires_grad=True),
    "int tensor": lambda: torch.arange(6),
    "bfloat16": lambda: torch.ones(3, 3, dtype=torch.bfloat16),
    "half": lambda: torch.ones(3, 3).half(),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "complex tensor": lambda: torch.ones(3, dtype=torch.complex64),
    "tensors": lambda: [torch.ones(2, requires_grad=True)],
    "empty tensor": lambda: torch.zeros(0),
    "nan tensor": lambda: torch.full((3, 3), float("nan")),
    "a function": lambda: abs,
    "a failing function": lambda: fails,
    "an object": object,
    "a type": lambda: int,
    "a module": lambda: types,
    "a generator": lambda: (n for n in range(3)),
    "a range": lambda: range(3),
    "a fraction": lambda: Fraction(1, 3),
    "a decimal": lambda: Decimal("0.25"),
    "a decimal nan": lambda: Decimal("nan"),
    "a path": lambda: Path("/nowhere"),
    "a slice": lambda: slice(3),
    "a Compressed": lambda: tk.quantize(weights()),
    "a Sparse": lambda: tk.prune(weights(), sparsity=0.5),
    "an odd object": lambda: Odd(),
    "a network": network,
    "a network on meta": lambda: torch.nn.Linear(48, 64, device="meta"),
    "a failing network": lambda: Failing(),
    "another network": lambda: torch.nn.Sequential(torch.nn.Conv1d(3, 4, 3)),
    "no network": lambda: torch.nn.ReLU(),
}


class Odd:
    """An object that answers no question that it is asked."""

    def __repr__(self):
        raise KeyError("repr")

    __str__ = __float__ = __index__ = __len__ = __iter__ = __array__ = __eq__ = __bool__ = __getitem__ = (
        __repr__
    )
    __hash__ = object.__hash__


class Failing(torch.nn.Linear):
    def __init__(self):
        super().__init__(48, 64)

    def forward(self, x):
        raise KeyError("forward")


def fails(*args):
    raise KeyError("called")


def public(module=tk, path="tk"):
    """Every public function and class, by its name; those of tk.coreml and tk.coreai have tests of their own."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    found = {}
    for name in names:
        value, full = getattr(module, name), f"{path}.{name}"
        if inspect.ismodule(value):
            found |= public(value, full) if full not in ("tk.coreml", "tk.coreai") else {}
        elif callable(value):
            found[full] = value
    return found


@cache
def functions():
    """Name -> a function that makes what is called; the first name of each, without results and exceptions."""
    found = {}
    for name, value in public().items():
        if (
            name in RESULTS
            or name in EXCEPTIONS
            or name.startswith("tk.compressed.check_")
            or not parameters(value)
        ):
            continue
        if all(value is not other() for other in found.values()):
            found[name] = lambda value=value: value
    for name, make in METHODS.items():
        found[name] = lambda make=make, name=name: getattr(make(), name.partition(".")[2])
    for name, exercise in tk.exercises.check.all().items():
        found[f"tk.exercises.check.{name}"] = lambda exercise=exercise: exercise
    return found


def parameters(function):
    return {
        name: p
        for name, p in inspect.signature(function).parameters.items()
        if p.kind is not p.VAR_POSITIONAL
    }


def good(name, argument):
    """A function that makes a good value, None where none is known."""
    name = "exercise" if name.startswith("tk.exercises.check.") else name
    return GOOD.get(f"{name}.{argument}") or GOOD.get(argument)
