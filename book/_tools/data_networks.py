"""Ask MiniLM and the reader of text under every compression, and write notebooks/data/networks_*.

An hour of one core: 2,000 sentences or words for each setting of a whole network, 200 for each layer
and setting. Marks are kept as they come in _build/networks, so an interrupted run continues, and a changed list
of settings costs only what is new. `tests/test_networks_data.py` measures cells of these files again.

    python -m book._tools.data_networks [--only whole|layers|mixed|table|activations|w8a8]
"""

import argparse
import copy
import csv
import hashlib
import os
import time
from functools import cached_property

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

import toykit as tk
from toykit import sweep
from toykit.data import pitch
from toykit.models._weights import replaced
from toykit.settings import label
from toykit.training import QuantizationConfig, Quantizer
from toykit.training.common import LAYERS, hooked

from .project import BUILD, DATA

CACHE = BUILD / "networks"
RIGHT = DATA / "networks_right.npz"
NAMES = ("minilm", "ocr_reader")

DIFFICULTY = 0.95  # of the words: the trained network reads nine of ten, so that better and worse both show
THOUSANDS = 2  # of samples, for whole networks
TUNE, CALIBRATION = 200, 64
TUNE_SEED, CALIBRATION_SEED = 2, 3

PIECES = "embeddings.word_embeddings.weight"  # MiniLM's table of word pieces, half of its weights

INT8 = {"technique": "quantize", "bits": 8, "granularity": "per_channel"}
WHOLE = [
    {"technique": "float16"},
    INT8,
    *sweep.grid("quantize", bits=4, granularity=("per_tensor", "per_channel")),
    *sweep.grid("quantize", bits=4, granularity="per_block", block_size=(32, 24)),
    *sweep.grid("palettize", bits=(8, 6, 4, 3, 2), mode="kmeans"),
    *sweep.grid("prune", sparsity=(0.1, 0.2, 0.3, 0.5, 0.75)),
    *sweep.grid("palettize", bits=(6, 4), mode="kmeans", group_size=8),
]
# The largest matrices, MiniLM's table and the reader's last one, have 30,522 and 18,710 rows: no groups of 8 or 16,
# so that half of the network stays in float16. Here such matrices are grouped by columns: recipes with a setting
# for each layer. Five of the reader's have no groups of 16 either way.
BY_COLUMNS = {
    "minilm": sweep.grid("palettize", bits=(6, 4), mode="kmeans", group_size=(8, 16)),
    "ocr_reader": sweep.grid("palettize", bits=(6, 4), mode="kmeans", group_size=8),
}
ONE_LAYER = {
    "ocr_reader": [
        *sweep.grid("palettize", bits=(6, 4), mode="kmeans"),
        {"technique": "quantize", "bits": 4, "granularity": "per_channel"},
        {"technique": "prune", "sparsity": 0.1},
        INT8,
    ],
    "minilm": [
        *sweep.grid("palettize", bits=(4, 2, 3, 6), mode="kmeans"),
        {"technique": "quantize", "bits": 4, "granularity": "per_tensor"},
    ],
}
# Mixed recipes get the bytes of a network whose layers all have palettes of so many bits.
BUDGETS = {"minilm": (2, 2.5, 3, 4), "ocr_reader": (4, 4.5, 5, 6)}
TABLE = [
    *sweep.grid("palettize", bits=(4, 2), mode="kmeans"),
    *sweep.grid("quantize", bits=4, granularity=("per_tensor", "per_channel")),
    {"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32},
    {"technique": "prune", "sparsity": 0.5},
]
RANGES = ("minmax", "percentile", "mse")


class Subject:
    """A trained network and its exams: on samples that nothing is chosen on, and on others to choose on."""

    def __init__(self, name, thousands=THOUSANDS):
        self.name, parts = name, range(thousands)
        if name == "minilm":
            sentences, exam = tk.data.sentences.sentiment(1000 * THOUSANDS), tk.models.SentimentExam
            self.exams = [exam(sentences[1000 * part : 1000 * (part + 1)]) for part in parts]
            self.tune = exam(tk.data.sentences.sentiment(TUNE, seed=TUNE_SEED, part="training"))
        else:
            draw, exam = tk.data.words.draw, tk.models.ReadingExam
            self.exams = [exam(draw(1000, part, DIFFICULTY)) for part in parts]
            self.tune = exam(draw(TUNE, TUNE_SEED, DIFFICULTY))
        self.model = self.tune.network
        self.weights = {
            name: tensor.numpy()
            for name, tensor in self.model.state_dict().items()
            if tensor.is_floating_point()
        }

    @cached_property
    def before(self):
        """Which answers of the trained network are right."""
        return self.full({})[0]

    def full(self, weights, key=""):
        """The marks of all exams."""
        return [np.concatenate(parts) for parts in zip(*(marks(exam, weights, key) for exam in self.exams))]

    def calibrate(self, model):
        """Let a network see other samples."""
        if self.name == "minilm":
            for text in tk.data.sentences.sentiment(
                CALIBRATION, seed=CALIBRATION_SEED, part="training"
            ).texts:
                model(*map(torch.from_numpy, tk.data.word_pieces.numbers([text])))
        else:
            images = torch.from_numpy(tk.data.words.draw(CALIBRATION, CALIBRATION_SEED, DIFFICULTY).images)
            for batch in images.split(8):
                model(batch)


def marks(exam, weights, key=""):
    """What the exam says of each sample, from the cache if it is there; `key` names what is no dict of weights."""
    digest = hashlib.sha256(f"{exam.name} {key}".encode())
    for name, array in weights.items() if isinstance(weights, dict) else ():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).data)
    path = CACHE / f"{digest.hexdigest()}.npz"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        right, changed = exam.marks(weights)
        part = path.with_suffix(f".{os.getpid()}")
        with part.open("wb") as file:
            np.savez(file, right=right, changed=changed)
        part.replace(path)
    with np.load(path) as kept:
        return kept["right"], kept["changed"]


class Table:
    """A file of settings of whole networks, written row by row, and beside it which answers were right."""

    def __init__(self, part, columns=("network",)):
        self.part, self.columns = part, columns
        self.path = DATA / f"networks_{part}.csv"
        self.rows, self.settings, self.right = [], [], {}
        self.there = len(sweep.read(self.path)) if self.path.exists() else 0

    def add(self, subject, setting, applied=None, weights=None, key="", **columns):
        """Measure a setting, or a network that is compressed already."""
        began = time.monotonic()
        applied = applied or sweep.apply(subject.weights, setting)
        right, changed = subject.full(applied.weights if weights is None else weights, key)
        low, high = pitch.share_interval(right.mean(), len(right))
        lost = sweep.paired_interval(right, subject.before)
        row = {
            "network": subject.name,
            "label": label(setting) if "technique" in setting else "mixed",
            **columns,
            "nbytes": applied.nbytes,
            "bits_per_weight": applied.bits_per_weight,
            "snr_db": applied.snr_db,
            "declined": len(applied.declined),
            "samples": len(right),
            "right": right.mean(),
            "right_low": low,
            "right_high": high,
            "difference": lost.value,
            "difference_low": lost.low,
            "difference_high": lost.high,
            "changed": changed.mean(),
        }
        say(self.part, row, began)
        self.rows.append({name: float(v) if isinstance(v, np.floating) else v for name, v in row.items()})
        self.settings.append(setting)
        self.right.setdefault(f"{self.part}_{subject.name}", []).append(np.packbits(right))
        if len(self.rows) >= self.there:  # a run that was interrupted leaves the longer file alone
            sweep.write(self.path, self.rows, self.settings, self.columns)
            kept = dict(np.load(RIGHT)) if RIGHT.exists() else {}
            kept |= {name: np.array(rows) for name, rows in self.right.items()}
            kept[f"float32_{subject.name}"] = np.packbits(subject.before)
            if subject.name == "minilm":
                kept["head_minilm"] = np.append(subject.tune.head, subject.tune.offset)
            np.savez_compressed(RIGHT, **kept)


def whole(subjects):
    table = Table("whole")
    for subject in subjects:
        for name, setting in settings(subject).items():
            table.add(subject, setting, label=name)


def settings(subject):
    """What is tried on a whole network, by name: the last are recipes."""
    plain = [setting for setting in WHOLE if setting.get("block_size") != 24 or subject.name == "ocr_reader"]
    grouped = {f"{label(one)} everywhere": by_columns(subject, one) for one in BY_COLUMNS[subject.name]}
    return {label(setting): setting for setting in plain} | grouped


def by_columns(subject, setting):
    """The setting for each layer, along the columns where its rows do not divide into the groups."""
    recipe = {}
    for name in sweep.layers(subject.weights):
        rows = len(subject.weights[name])
        recipe[name] = setting if rows % setting["group_size"] == 0 else {**setting, "axis": 1}
    return recipe


def layers(subjects):
    rows, settings, path = [], [], DATA / "networks_layers.csv"
    there = len(sweep.read(path)) if path.exists() else 0
    for subject in reversed(subjects):
        for setting in ONE_LAYER[subject.name]:
            for name in sweep.layers(subject.weights):
                began = time.monotonic()
                applied = sweep.apply(subject.weights, setting, [name])
                right, changed = marks(subject.tune, applied.weights)
                size = subject.weights[name].size
                nbytes = applied.stored[name].nbytes if name in applied.stored else 2 * size
                rows.append(
                    {
                        "network": subject.name,
                        "layer": name,
                        "label": label(setting),
                        "weights": size,
                        "nbytes": nbytes,
                        "snr_db": applied.snr_db,
                        "samples": len(right),
                        "right": float(right.mean()),
                        "changed": float(changed.mean()),
                    }
                )
                settings.append(setting)
                say("layers", rows[-1], began)
                if len(rows) >= there:
                    sweep.write(path, rows, settings, ("network", "layer"))


def mixed(subjects):
    """For each budget, the recipe with the least damage, as single layers foretell it, and the uniform palette."""
    table = Table("mixed", ("network", "kind", "budget_bits", "predicted_damage"))
    for subject in reversed(subjects):
        for bits, choice in recipes(subject):
            how = {"budget_bits": bits, "predicted_damage": choice.damage}
            table.add(subject, choice.settings, kind="mixed", label=f"mixed, {bits} bits", **how)


def recipes(subject):
    """For each budget in bits a weight: the exact optimum over what was measured of single layers."""
    rows = sweep.read(DATA / "networks_layers.csv").where(network=subject.name)
    kept = [row for row in rows if row["technique"] != "prune"]
    options = sweep.candidates(kept, "changed", keep=("technique", "bits", "mode", "granularity"))
    for bits in BUDGETS[subject.name]:
        # A palette of so many bits for each layer: indices and a table, of 5 bits too, which Core ML has not.
        budget = sum(subject.weights[name].size * bits / 8 + 2 * 2**bits for name in options)
        yield bits, sweep.choose(options, max_bytes=budget)


def table(subjects):
    """MiniLM's table of word pieces by itself, and everything but the table."""
    kept = Table("table", ("network", "part"))
    (subject,) = [one for one in subjects if one.name == "minilm"]
    others = [name for name in sweep.layers(subject.weights) if name != PIECES]
    for setting in TABLE:
        for part, only in (("table", [PIECES]), ("rest", others)):
            applied = sweep.apply(subject.weights, setting, only)
            kept.add(subject, setting, applied, part=part)


def w8a8(subjects):
    """Weights in int8 as in the whole networks, and the inputs of all convolutions and matrices in uint8."""
    table = Table("w8a8", ("network", "ranges"))
    for subject in subjects:
        applied = sweep.apply(subject.weights, INT8)
        for ranges in RANGES:
            model = quantized(subject, applied.weights, ranges)
            table.add(subject, INT8, applied, model, f"w8a8 {ranges}", ranges=ranges)


def quantized(subject, weights, ranges):
    quantizer = Quantizer()
    start = replaced(copy.deepcopy(subject.model), weights, subject.name)
    model = quantizer.prepare(start, QuantizationConfig(bits=8, calibrate=True, ranges=ranges))
    with torch.inference_mode():
        subject.calibrate(model)
    return quantizer.finalize()


def activations(subjects):
    """How far the largest inputs of layers stand out: networks_activations.csv."""
    rows = []
    for subject in subjects:
        rows += outliers(subject.name, subject.model, subject.calibrate)
    tones = torch.from_numpy(tk.data.tones.easy_tones(32).frames)
    rows += outliers("crepe", tk.models.crepe(), lambda model: model(tones))
    with (DATA / "networks_activations.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@torch.inference_mode()
def outliers(network, model, show):
    """For each layer: its inputs' largest magnitude, the median one, their ratio, kurtosis, and channels."""
    for name, layer in model.named_modules():
        if not isinstance(layer, LAYERS):
            continue
        seen = []
        axis = -1 if isinstance(layer, torch.nn.Linear) else 1

        def keep(layer, inputs, output, seen=seen, axis=axis):
            seen.append(inputs[0].movedim(axis, -1).flatten(0, -2).numpy())

        with hooked(layer, keep):
            show(model)
        x = np.concatenate(seen).astype(np.float64)
        magnitudes, of_channels = np.abs(x), np.abs(x).max(0)
        centred = x - x.mean()
        median = np.median(magnitudes[magnitudes > 0])
        yield {
            "network": network,
            "layer": f"{name}.weight",
            "channels": x.shape[1],
            "largest": f"{magnitudes.max():.5g}",
            "median": f"{median:.5g}",
            "largest_over_median": f"{magnitudes.max() / median:.5g}",
            "kurtosis": f"{np.mean(centred**4) / np.mean(centred**2) ** 2:.5g}",
            "channel_over_median_channel": f"{of_channels.max() / np.median(of_channels):.5g}",
        }


def say(part, row, began):
    words = [f"{row[name]:.4g}" if isinstance(row[name], float) else str(row[name]) for name in row]
    print(f"{part}: {' '.join(words)} ({time.monotonic() - began:.1f} s)", flush=True)


PARTS = {part.__name__: part for part in (whole, layers, mixed, table, activations, w8a8)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, help="write one of the files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    subjects = [Subject(name) for name in NAMES]
    for part in [arguments.only] if arguments.only else PARTS:
        PARTS[part](subjects)


if __name__ == "__main__":
    main()
