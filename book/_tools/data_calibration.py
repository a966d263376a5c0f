"""Measure GPTQ against rounding on every layer of CREPE, and write notebooks/data/calibration_crepe.csv.

For each layer and number of bits, the weights are quantized twice with the same scales, one a channel:
each weight to its nearest code, and by GPTQ with the layer's inputs for `CALIBRATION` tones. Then the
output error, |(W - Q) X|^2 / |W X|^2, is measured on the inputs for other tones. Rows whose layer is
"all" hold what counts in the end: the share of other tones heard within 50 cents, in percent, when all
layers are quantized. About ten minutes on one core, and 3 GB of memory. Numbers of bits that the file
has are not measured again: delete it to start over.

    python -m book._tools.data_calibration
"""

import argparse
import copy
import csv

import numpy as np
import torch

from toykit import models, quantization
from toykit.data import pitch, tones
from toykit.training import GPTQ, GPTQConfig, calibrate, store
from toykit.training.common import find_layers

from .project import DATA

FILE = DATA / "calibration_crepe.csv"

CALIBRATION, HELD_OUT, JUDGES = 512, 64, 400  # tones to calibrate with, to measure errors, to listen
BITS = (4, 3, 2)
FIELDS = ("layer", "bits", "columns", "nearest", "gptq")
BATCH = 32


def frames(n, seed):
    """Tones as CREPE takes them: half easy, half hard."""
    easy, hard = tones.easy_tones(n // 2, seed), tones.hard_tones(n - n // 2, seed + 1)
    return (
        torch.from_numpy(np.concatenate([easy.frames, hard.frames])),
        np.concatenate([easy.hertz, hard.hertz]),
    )


@torch.no_grad()
def output_error(layer, weight, inputs):
    """|(W - Q) X|^2 / |W X|^2 for the dense weight of a layer and another weight."""

    def outputs(weight):
        return layer._conv_forward(inputs, weight, None) if weight.dim() > 2 else inputs @ weight.T

    wanted, lost = outputs(layer.weight), outputs(layer.weight - weight)
    return (lost.square().sum() / wanted.square().sum()).item()


@torch.no_grad()
def layer_inputs(model, x):
    """The input of each layer that can be compressed, by name."""
    seen = {}
    hooks = [
        layer.register_forward_pre_hook(lambda layer, args, name=name: seen.__setitem__(name, args[0]))
        for name, layer in find_layers(model).items()
    ]
    model(x)
    for hook in hooks:
        hook.remove()
    return seen


@torch.no_grad()
def heard(model, x, hertz):
    """Percent of tones heard within 50 cents."""
    answers = np.concatenate([model(batch).numpy() for batch in x.split(BATCH)])
    return 100 * float(np.mean(np.abs(pitch.error_cents(pitch.decode(answers), hertz)) <= 50))


def nearest(weight, bits):
    """Each weight at its nearest code, as `tk.quantize` stores it."""
    return quantization.quantize(weight.half().numpy(), bits)


def run(path, bits=BITS):
    """Measure the rows for the numbers of bits that the file does not have yet."""
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {int(row["bits"]) for row in csv.DictReader(file) if row["layer"] == "all"}
    else:
        path.write_text(",".join(FIELDS) + "\n")
    model = models.crepe()
    samples, _ = frames(CALIBRATION, seed=100)
    inputs = layer_inputs(model, frames(HELD_OUT, seed=200)[0])
    judges = frames(JUDGES, seed=300)
    hessians = None
    for number in bits:
        if number in done:
            continue
        gptq = GPTQ()
        gptq.prepare(model, GPTQConfig(bits=number, max_rows=8192 * BATCH // CALIBRATION))
        if hessians is None:
            calibrate(gptq, samples, BATCH)
            hessians, rows_seen = gptq.hessians, gptq.rows
        gptq.hessians, gptq.rows = hessians, rows_seen  # the same for any number of bits
        careful = gptq.finalize()
        simple = copy.deepcopy(model)
        rows = []
        for name, layer in find_layers(model).items():
            store(simple.get_submodule(name), nearest(layer.weight, number))
            quantized = [other.get_submodule(name).weight for other in (simple, careful)]
            errors = [output_error(layer, weight, inputs[name]) for weight in quantized]
            rows.append((name, number, layer.weight[0].numel(), *(f"{error:.3e}" for error in errors)))
        rows.append(("all", number, "", *(f"{heard(other, *judges):.2f}" for other in (simple, careful))))
        with path.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        print(*rows, sep="\n", flush=True)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    run(FILE)
