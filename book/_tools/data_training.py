"""Measure training-time compression for chapter 8, and write notebooks/data/training_digits.csv.

For each seed one network is trained on MNIST-1D. Then, for each setting, all contestants start from
it and get the same further budget, the same order of samples and the same learning rates:

    after        trains on uncompressed, and is compressed at the end
    toykit       trains with a method of `toykit.training`
    coremltools  trains with the class of coremltools.optimize.torch for it, at its defaults

A row is written as soon as it is known, and rows that are there are not measured again: delete the
file to start over. About half an hour on one core. `tests/training/test_data.py` measures some of the
rows again.

    python -m book._tools.data_training
"""

import argparse
import contextlib
import copy
import csv
import logging
import time

import torch
from torch.nn import functional

from toykit import models, palettization, pruning
from toykit._quiet import quiet
from toykit.data import digits1d
from toykit.training import (
    PalettizationConfig,
    Palettizer,
    Pruner,
    PruningConfig,
    QuantizationConfig,
    Quantizer,
)
from toykit.training.common import find_layers

from .project import DATA

FILE = DATA / "training_digits.csv"
BATCH = 100
FIRST_EPOCHS, FIRST_RATE = 12, 6e-3
EPOCHS = 6
# The highest learning rate of the further training; whoever competes in a setting has the same one.
RATES = {"sparse": 5e-3, "palette": 2e-3, "float": 2e-3, "W": 2e-3}
SEEDS = range(8)
MANY_SEEDS = {"W4A8": range(24)}  # where differences are small
FIELDS = ("seed", "setting", "method", "accuracy", "weight_bytes", "seconds")
CONTESTS = ("sparse 90", "palette 1", "palette 2", "W4A8")  # with coremltools
MORE = ("sparse 50", "sparse 80", "sparse 95", "palette 4", "W8A8", "W2A8", "W4A8 largest")


def train(model, data, epochs, rate, seed, step=lambda: None):
    """Train in place with Adam and a one-cycle schedule.

    Parameters
    ----------
    model : torch.nn.Module
    data : toykit.data.digits1d.Digits
    epochs : int
    rate : float
        The highest learning rate.
    seed : int
        Of the order of the samples.
    step : callable
        Called after each step of the optimizer.

    Returns
    -------
    torch.nn.Module
        The model.
    """
    steps = steps_in(data, epochs)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(data.y_train), generator=order).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(model(data.x_train[batch]), data.y_train[batch]).backward()
            optimizer.step()
            schedule.step()
            step()
    return model


def steps_in(data, epochs):
    """How many steps the optimizer makes."""
    return epochs * -(-len(data.y_train) // BATCH)


def helpings(steps):
    """The steps at which weights are pruned: every tenth, in the first two fifths."""
    return range(0, steps * 2 // 5 + 1, 10)


@torch.no_grad()
def accuracy(model, data):
    """Percent of the test set that the model gets right, in evaluation mode."""
    model.eval()
    return 100 * (model(data.x_test).argmax(1) == data.y_test).double().mean().item()


def trained_network(data, seed):
    """The network that all contestants of a seed start from."""
    return train(models.digits_cnn(seed), data, FIRST_EPOCHS, FIRST_RATE, seed)


def after(setting, model, data):
    """Compress a trained network without training it: the model, and the bytes of its weights."""
    technique, _, amount = setting.partition(" ")
    if technique.startswith("W"):
        quantizer = Quantizer()
        config = QuantizationConfig(bits=int(technique[1]), ranges="minmax", calibrate=True)
        model = quantizer.prepare(model, config)
        with torch.no_grad():
            for batch in data.x_train[:1000].split(BATCH):
                model(batch)
        return quantizer.finalize(), quantizer.nbytes
    model, nbytes = copy.deepcopy(model), 0
    for layer in find_layers(model).values():
        weight = layer.weight.detach().half()
        if technique == "sparse":
            compressed = pruning.prune(weight, sparsity=int(amount) / 100)
        else:
            compressed = palettization.palettize(weight, int(amount))
        layer.weight.data = torch.from_numpy(compressed.dense()).float()
        nbytes += compressed.nbytes
    return model, nbytes


def during(setting, model, data, seed):
    """Train on with toykit's method: the model, and the bytes of its weights."""
    steps = steps_in(data, EPOCHS)
    technique, _, amount = setting.partition(" ")
    if technique == "sparse":
        *_, end = helpings(steps)
        method, config = Pruner(), PruningConfig(int(amount) / 100, end=end, every=10)
    elif technique == "palette":
        method, config = Palettizer(), PalettizationConfig(int(amount), steps=steps)
    else:
        method = Quantizer()
        # Scales are learned, except where the setting says that they fit the largest weight.
        late = steps * 2 // 3
        config = QuantizationConfig(
            int(technique[1]), learned=amount != "largest", freeze_ranges_at=late, freeze_norms_at=late
        )
    model = method.prepare(model, config)
    train(model, data, EPOCHS, rate(setting), seed, method.step)
    return method.finalize(), method.nbytes


def during_coremltools(setting, model, data, seed):
    """Train on with the class of coremltools, as it is configured by default."""
    steps = steps_in(data, EPOCHS)
    technique, _, amount = setting.partition(" ")
    with quiet(), _no_log():
        from coremltools.optimize import torch as cto

        if technique == "sparse":
            schedule = {"update_steps": list(helpings(steps))}
            options = {"target_sparsity": int(amount) / 100, "scheduler": schedule}
            config = cto.pruning.MagnitudePrunerConfig.from_dict({"global_config": options})
            method = cto.pruning.MagnitudePruner(model, config)
            model = method.prepare()
        elif technique == "palette":
            options = {"n_bits": int(amount), "weight_threshold": 0}
            config = cto.palettization.DKMPalettizerConfig.from_dict({"global_config": options})
            method = cto.palettization.DKMPalettizer(model, config)
            model = method.prepare()
        else:
            milestones = [0, 0, steps * 2 // 3, steps * 2 // 3]
            options = {"weight_dtype": f"qint{technique[1]}", "milestones": milestones}
            config = cto.quantization.LinearQuantizerConfig.from_dict({"global_config": options})
            method = cto.quantization.LinearQuantizer(model, config)
            model = method.prepare(example_inputs=(data.x_train[:1],))
        train(model, data, EPOCHS, rate(setting), seed, method.step)
        return method.finalize()


@contextlib.contextmanager
def _no_log():
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def rate(setting):
    """The highest learning rate in a setting."""
    return next(value for kind, value in RATES.items() if setting.startswith(kind))


def run(path, seeds=range(24)):
    """Measure the rows that the file does not have yet, first those of the contests."""
    done = set()
    if path.exists():
        with path.open(newline="") as file:
            done = {(int(row["seed"]), row["setting"], row["method"]) for row in csv.DictReader(file)}
    else:
        path.write_text(",".join(FIELDS) + "\n")
    data = digits1d.make()
    for settings in (("float", *CONTESTS), MORE):
        for seed in seeds:
            todo = [
                (setting, method)
                for setting in settings
                if seed in MANY_SEEDS.get(setting, SEEDS)
                for method in methods(setting)
                if (seed, setting, method) not in done
            ]
            if not todo:
                continue
            start = trained_network(data, seed)
            longer = train(copy.deepcopy(start), data, EPOCHS, RATES["float"], seed)
            for setting, method in todo:
                began = time.process_time()
                score, nbytes = contest(setting, method, start, longer, data, seed)
                row = (seed, setting, method, f"{score:.2f}", nbytes, f"{time.process_time() - began:.1f}")
                with path.open("a", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerow(row)
                print(*row, flush=True)


def methods(setting):
    """Who competes in a setting."""
    if setting == "float":
        return ("after",)
    if setting == "W4A8 largest":
        return ("toykit",)  # after training it is the same as W4A8
    return ("after", "toykit", "coremltools") if setting in CONTESTS else ("after", "toykit")


def contest(setting, method, start, longer, data, seed):
    """Accuracy in percent, and bytes of the four layers' weights (0 where they are toykit's)."""
    if setting == "float":
        return accuracy(longer, data), 2 * sum(layer.weight.numel() for layer in find_layers(longer).values())
    if method == "after":
        model, nbytes = after(setting, longer, data)
    elif method == "toykit":
        model, nbytes = during(setting, start, data, seed)
    else:
        model, nbytes = during_coremltools(setting, start, data, seed), 0
    return accuracy(model, data), nbytes


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    run(FILE)
