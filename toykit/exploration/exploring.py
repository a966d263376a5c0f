"""`tk.explore`: measure, choose, write, verify, and say what was found."""

import time
from pathlib import Path

import numpy as np

from .._version import __version__
from ..compressed import check_each, check_int
from ..coreml.runtime.model import load
from ..settings import label
from ..verification.verdicts import verify
from . import judging, searching
from .choosing import Options
from .goals import goal as read_goal
from .goals import said
from .measuring import MEMORY, Task, damage, digest_of, digest_of_inputs, measure
from .metrics import HELD_OUT, PARTS, SEARCH, Metric
from .result import Bound, Candidate, Exploration, Judgement, Recipe, WeightFound
from .running import run
from .settings import FLOAT16, advice, settings_for
from .sources import package_of
from .store import Store
from .writing import Writer, check_folder, recipe_text

_ROUNDS = 4  # times that a recipe is sought, with more in reserve where the held-out part fell short
UNKNOWN = (
    (
        "how fast it is: toykit models latency and does not measure it. Measure it on a device, with Xcode's "
        "performance report or Instruments (chapter 15)"
    ),
)


def explore(
    model,
    inputs=None,
    *,
    out,
    metric=None,
    budget=None,
    at_least=None,
    target=None,
    unit=None,
    settings=None,
    samples=4,
    seed=0,
    jobs=1,
    scheduler=None,
    memory=MEMORY,
    progress=None,
):
    """Find a mixed recipe for a budget or a quality, write its package, verify it and measure it.

    Parameters
    ----------
    model : str, Path, Package, coremltools.models.MLModel, torch.nn.Module or torch.export.ExportedProgram
        Left as it was. What is torch's is converted, where coremltools is installed, and kept in `out`; a module
        needs `inputs` for that, one sample in the order of its arguments.
    inputs : dict of str to array, list of such dictionaries, str or Path, optional
        What the model is tried with, as in `toykit.coreml.compare`; by default random inputs. Every third sample is
        held out and judges the result.
    out : str or Path
        A folder, new or of an earlier run, which is then gone on with. It gets `recipe.toml`, a plan for
        `toykit compress --plan`; `compressed.mlpackage`; and `measurements.csv`.
    metric : callable, or str such as "exam.py:right", optional
        In place of `inputs`: a function that says how good answers are, called as `metric(predict, part)`: with a
        function that predicts as the package does, and "search" or "held out". It returns a number, or one for each
        sample; truth values are a share, which gets an interval. More is better. By default fidelity is measured:
        the answers' signal-to-noise ratio in decibels against those of the model as it is, which is no accuracy.
    budget : int or str, optional
        Bytes that the package may take, or such as "12MB": the best within it is sought.
    at_least : float or str, optional
        Decibels, or such as "40dB"; with a metric, what it must return: the smallest that reaches it is sought.
        Without a metric and a budget, 40 dB, an error of a hundredth.
    target : {"iOS16", "iOS17", "iOS18", "iOS26"}, optional
        The system that the package may need; by default that of the model.
    unit : {"ane", "gpu", "cpu"}, optional
        What Apple's guide advises against on this unit is not tried.
    settings : list of dict, optional
        What to try on each weight, in place of toykit's own: as in `toykit.sweep`.
    samples : int
        How many inputs single weights are tried with, and how many random ones there are in each part.
    seed : int
        Of the random inputs.
    jobs : int
        Processes that measure.
    scheduler : str, optional
        The address of a Dask cluster that measures instead, whose workers find the package at the same path.
    memory : int
        Bytes that each process may keep between measurements.
    progress : callable (done, total), optional
        Called after each weight.

    Returns
    -------
    Exploration

    Raises
    ------
    FileNotFoundError, OSError
        If there is no package or no file, or the disk is full. What was measured is kept.
    ImportError
        If what a torch module, several jobs or a scheduler need is not installed.
    PackageError
        If the package is not sound, or cannot be run with these inputs.
    RuntimeError
        If workers are lost again and again.
    TypeError, ValueError
        If an argument is not as described, the metric raises or returns no number, the folder holds something else, or
        another run is at work in it.

    Notes
    -----
    A goal that cannot be met is no error: the result is the nearest there is, with `met` false, and `notes` say what it
    would take.

    Examples
    --------
    >>> found = explore("Model.mlpackage", at_least="40dB", out="smaller")   # doctest: +SKIP
    >>> found.met, found.nbytes, found.held_out.value                       # doctest: +SKIP
    (True, 8123904, 40.4)
    """
    start = time.perf_counter()
    check_int("samples", samples, range(1, 2**20))
    check_int("seed", seed, range(2**62))
    check_int("jobs", jobs, range(1, 1025))
    check_int("memory", memory, range(1, 2**63))
    if metric is not None and inputs is not None and not hasattr(model, "state_dict"):
        raise ValueError("give one of inputs and metric: a metric has samples of its own")
    goal = read_goal(budget, at_least, metric is not None)
    metric = None if metric is None else Metric(metric)
    if settings is not None:
        settings = check_each("settings", settings, dict, "settings", empty=False)
    folder = check_folder(out, model)
    package = package_of(model, folder, inputs, target)
    tried, version = settings_for(package, target, unit, settings)
    with Store(folder, (__version__, digest_of(package), version)).opened() as store:
        loaded = load(package)
        if metric is None:
            judge = judging.Fidelity(package, version, memory, loaded, inputs, samples, seed)
        else:
            judge = judging.Judge(package, version, memory, loaded, metric, samples)
        judging.check_reach(judge, goal)
        work = _Work(package, judge, goal, store, Writer(package, target, version), tried, unit)
        work.measure(jobs, scheduler, memory, progress)
        return work.finish(folder, target, start)


class _Work:
    """One exploration, from the first measurement to the result."""

    def __init__(self, package, judge, goal, store, writer, settings, unit):
        self.package, self.judge, self.goal, self.store = package, judge, goal, store
        self.writer, self.settings, self.unit = writer, settings, unit
        self.names, self.candidates = list(judge.main.weights), {}
        self.notes = list(judge.notes)

    def measure(self, jobs, scheduler, memory, progress):
        """Try every setting on every weight alone, but for what was measured before."""
        samples = self.judge.samples
        tried = digest_of_inputs(samples)
        tasks, known = [], {}
        for name in self.names:
            rows = [self.store.get("alone", tried, name, setting) for setting in self.settings]
            known |= {(name, place): row["snr_db"] for place, row in enumerate(rows) if row}
            waiting = tuple(setting for setting, row in zip(self.settings, rows, strict=True) if not row)
            if waiting:
                digest = f"{self.store.about} {tried}"
                path, version = str(self.package.path.resolve()), self.writer.version
                tasks.append(Task(path, digest, samples, version, memory, name, waiting))
        places = {repr(setting): place for place, setting in enumerate(self.settings)}
        for done, (task, found) in enumerate(run(measure, tasks, jobs, scheduler)):
            for setting, (level, seconds) in zip(task.settings, found, strict=True):
                nbytes = self.judge.main.nbytes(task.weight, setting)
                numbers = {
                    "nbytes": np.nan if nbytes is None else nbytes,
                    "snr_db": level,
                    "seconds": seconds,
                }
                row = self.store.add("alone", tried, task.weight, setting, samples=len(samples), **numbers)
                known[task.weight, places[repr(setting)]] = row["snr_db"]
            if progress is not None:
                progress(done + 1, len(tasks))
        for name in self.names:
            self.candidates[name] = tuple(self._candidates(name, known))
        self.names = [name for name in self.names if self.candidates[name]]
        if not self.names:
            raise ValueError(f"{self.package} has no weight that can take any of the settings")

    def _candidates(self, name, known):
        before = self.judge.main.nbytes(name, FLOAT16)
        for place, setting in enumerate(self.settings):
            level, nbytes = known[name, place], self.judge.main.nbytes(name, setting)
            if not np.isnan(level) and nbytes is not None and nbytes < before:
                said = advice(setting, self.unit).says
                yield Candidate(setting, label(setting), nbytes, level, said)

    def finish(self, folder, target, start):
        """Search, write, verify and judge."""
        search = self._search()
        best, met = self._held_to_account(search)
        recipe = self._recipe(best.picked)
        weights = tuple(self._weight(name, recipe.get(name)) for name in self.names)
        text = recipe_text(weights, self._head(best))
        path = self.writer.write(folder, text, recipe)
        small = load(path)
        judgements = [self._judged(small, part) for part in PARTS if self.judge.original[part] is not None]
        verification = verify(path, self.package, inputs=self.judge.samples)
        recipes = [self._as_recipe(one, one is best) for one in search.tried.values()]
        return Exploration(
            model=self.package.path.name,
            folder=Path(folder),
            package=path,
            goal=self.goal,
            met=met and verification.ok and all(one.met for one in judgements),
            metric=self.judge.name,
            target=target,
            unit=self.unit,
            nbytes_before=self.package.nbytes,
            nbytes=small.package.nbytes,
            weights=weights,
            recipes=tuple(sorted(recipes, key=lambda one: one.nbytes)),
            front=searching.front(recipes),
            recipe=self._as_recipe(best, True),
            judgements=tuple(judgements),
            bound=self._bound(best),
            verification=verification,
            inputs=tuple(self.judge.inputs),
            notes=(*self.notes, *self.judge.remarks()),
            unknown=UNKNOWN,
            measured=self.store.measured,
            remembered=self.store.found,
            seconds=time.perf_counter() - start,
        )

    def _search(self):
        before = [self.judge.main.nbytes(name, FLOAT16) for name in self.names]
        found = [self.candidates[name] for name in self.names]
        self.options = Options(
            [[full, *(one.nbytes for one in some)] for full, some in zip(before, found, strict=True)],
            [[0.0, *(damage(one.snr_db) for one in some)] for some in found],
        )
        sizes = lambda picked: self.writer.nbytes(self._recipe(picked))  # noqa: E731
        measured = lambda picked: self._measured(self._recipe(picked), SEARCH)  # noqa: E731
        return searching.Search(self.options, sizes, measured, self.goal)

    def _recipe(self, picked):
        """The settings that the places mean; 0 leaves a weight as it is."""
        return {
            name: self.candidates[name][place - 1].setting
            for name, place in zip(self.names, picked, strict=True)
            if place
        }

    def _measured(self, recipe, part):
        """(decibels, value) of a recipe, measured now or before."""
        row = self.store.get(part, self.judge.digest, "", recipe)
        if row is None:
            start = time.process_time()
            level, found = self.judge.recipe(recipe, part)
            row = self.store.add(
                part,
                self.judge.digest,
                "",
                recipe,
                nbytes=self.writer.nbytes(recipe),
                snr_db=level,
                value=found.value,
                low=found.low,
                high=found.high,
                samples=found.samples,
                seconds=time.process_time() - start,
            )
        return row["snr_db"], row["value"]

    def _held_to_account(self, search):
        """The recipe that was asked for, or the nearest, and whether the held-out part agrees."""
        wanted = self.goal.at_least
        for _ in range(_ROUNDS):
            best = search.run(wanted)
            if best is None or not any(best.picked):
                return self._nearest(search), False
            if self.judge.original[HELD_OUT] is None:
                return best, True
            value = self._measured(self._recipe(best.picked), HELD_OUT)[1]
            if self.goal.met(best.nbytes, value):
                return best, True
            wanted += 1.1 * (self.goal.at_least - value)
            unit = self.goal.unit
            self.notes.append(
                f"a recipe had {said(best.value, unit)}, and {said(value, unit)} on the held-out part, which fell "
                f"short: another one was sought, with {said(wanted, unit)} (so the held-out part has had a say in it)"
            )
        return best, False

    def _nearest(self, search):
        """The best there is, where the goal cannot be met, and what it would take."""
        if self.goal.nbytes is not None:
            best = search.at(self.options.nbytes.argmin(axis=1))
            self.notes.append(
                f"no recipe of these settings has at most {self.goal.nbytes:,} bytes: the smallest has "
                f"{best.nbytes:,}, which is the budget that it would take"
            )
            return best
        every = np.where(np.arange(self.options.damage.shape[1]) == 0, np.inf, self.options.damage)
        best = search.at(every.argmin(axis=1))
        unit = self.goal.unit
        self.notes.append(
            f"no recipe of these settings reaches {said(self.goal.at_least, unit)}: with the best setting for each "
            f"weight it is {said(best.value, unit)}. It would take settings of more bits, "
            "or weights that stay as they are"
        )
        return best

    def _judged(self, small, part):
        found, original = self.judge.package(small, part), self.judge.original[part]
        less = found.less_than(original)
        return Judgement(
            part,
            found.value,
            original.value,
            found.low,
            found.high,
            less and (less.low, less.value, less.high),
            found.samples,
            self.goal.met(small.package.nbytes, found.value),
        )

    def _bound(self, best):
        nbytes, harm = self.options.total(best.picked)
        rest = best.nbytes - nbytes
        least = self.options.bound(harm) + rest
        level = -10 * np.log10(max(self.options.bound_of_damage(nbytes), 1e-30))
        return Bound(int(np.ceil(least)), float(level), float(best.nbytes / least - 1))

    def _as_recipe(self, one, chosen):
        level = -10 * np.log10(one.predicted) if one.predicted else np.inf
        kind = "chosen" if chosen else "on the way"
        return Recipe(self._recipe(one.picked), one.nbytes, float(level), one.snr_db, one.value, kind)

    def _weight(self, name, setting):
        weight, some = self.judge.main.weights[name], self.candidates[name]
        chosen = next((one for one in some if one.setting == setting), None)
        before = self.judge.main.nbytes(name, FLOAT16)
        if chosen is None:
            why = "stays as it is: every setting alone costs more than the bytes that it saves are worth"
        else:
            why = (
                f"{before:,} -> {chosen.nbytes:,} bytes; alone, the answers have {said(chosen.snr_db, 'dB')}"
            )
            smaller = [one for one in some if one.nbytes < chosen.nbytes]
            if smaller:
                next_one = max(smaller, key=lambda one: one.nbytes)
                why += f"; the next smaller, {next_one.label}: {said(next_one.snr_db, 'dB')}"
        if chosen is not None and self.unit is not None:
            why += f"; on {self.unit}, " + (
                f"says Apple's guide: {chosen.reason}"
                if chosen.reason
                else "Apple's guide says nothing of it"
            )
        operators = tuple(sorted(self.judge.main.operators[name]))
        return WeightFound(name, operators, tuple(weight.shape), before, some, chosen, why)

    def _head(self, best):
        unit = self.goal.unit
        measure = (
            f"by the metric {self.judge.name}" if self.judge.name else "fidelity to the uncompressed model"
        )
        yield f"A recipe for {self.package.path.name}: {self.goal}"
        yield f"{self.package.nbytes:,} -> {best.nbytes:,} bytes; {said(best.value, unit)}, {measure}"
        yield f"found by toykit {__version__}; toykit compress MODEL OUT --plan recipe.toml" + (
            f" --target {self.writer.target}" if self.writer.target else ""
        )
