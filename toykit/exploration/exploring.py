"""`tk.explore`: measure, choose, write, verify, and say what was found."""

import time

from .._version import __version__
from ..compressed import check_each, check_int
from ..coreml.format.package import digest_of
from ..coreml.runtime.model import load
from ..verification.verdicts import verify
from . import report
from .accounts import UNKNOWN, bound_of, curve_of, head_of, judgements_of, recipes_of, weights_of
from .choosing import Options
from .goals import goal as read_goal
from .goals import said
from .judging import Fidelity, Judge, check_reach
from .measuring import MEMORY
from .metrics import HELD_OUT, SEARCH, Metric
from .repeating import arguments_of, digests_of
from .result import Exploration
from .running import check_scheduler
from .searching import Search
from .sensitivity import rows_of, sensitivity
from .settings import settings_for
from .sources import package_of
from .store import Store
from .writing import RECIPE, Writer, check_folder, recipe_text

_ROUNDS = 4  # times that a recipe is sought, with more in reserve where the held-out part fell short
_TRIES = {False: 24, True: 8}  # recipes that are measured to improve on one; a metric takes its time


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
    samples=2,
    seed=0,
    jobs=None,
    scheduler=None,
    memory=MEMORY,
    progress=None,
):
    """Find a mixed recipe for a budget or a quality, write its package, verify it and measure it.

    Parameters
    ----------
    model : str, Path, Package, coremltools.models.MLModel, torch.nn.Module or torch.export.ExportedProgram
        Left as it was. What is torch's is converted, where coremltools is installed, and kept in `out`; a module
        needs `inputs` for that, a sample or a list of them, each in the order of its arguments.
    inputs : dict of str to array, list of such dictionaries, str or Path, optional
        What the model is tried with, as in `toykit.coreml.compare`; by default random inputs. Every third sample is
        held out and judges the result.
    out : str or Path
        A folder, new or of an earlier run, which is then gone on with. It gets `recipe.toml`, a plan for
        `toykit compress --plan`; `compressed.mlpackage`; `report.html`, to read first; and `measurements.csv`.
    metric : callable, or str such as "exam.py:right", optional
        In place of `inputs`: a function that says how good answers are, called as `metric(predict, part)`: with a
        function that predicts as the package does, and "search" or "held out". It returns a number, or one for each
        sample; truth values are a share, which gets an interval. More is better. By default fidelity is measured:
        the answers' signal-to-noise ratio in decibels against those of the model as it is, which is no accuracy.
    budget : int or str, optional
        Bytes that the package may take, or such as "12MB": the best within it is sought.
    at_least : float or str, optional
        Decibels, or such as "40dB"; with a metric, what it must return: the smallest that reaches it is sought.
        By default, without a metric and a budget, 30 dB, an error of 3 %.
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
    jobs : int, optional
        Processes that measure; by default as many as there are cores, and one for a package of at most 4 MiB.
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
    OSError
        If there is no package or no file, the disk is full, no scheduler answers, or workers are lost again and again.
        What was measured is kept.
    ImportError
        If what a torch module, several jobs or a scheduler need is not installed.
    PackageError
        If the package is not sound, or cannot be run with these inputs.
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
    start, arguments = time.perf_counter(), arguments_of(explore, locals())
    check_int("samples", samples, range(1, 2**20))
    check_int("seed", seed, range(2**62))
    if jobs is not None:
        check_int("jobs", jobs, range(1, 1025))
    check_int("memory", memory, range(1, 2**63))
    if scheduler is not None:
        check_scheduler(scheduler)
    if metric is not None and inputs is not None and not hasattr(model, "state_dict"):
        raise ValueError("give one of inputs and metric: a metric has samples of its own")
    goal = read_goal(budget, at_least, metric is not None)
    metric = None if metric is None else Metric(metric)
    if settings is not None:
        settings = check_each("settings", settings, dict, "settings", empty=False)
    folder = check_folder(out, model)
    package, inputs = package_of(model, folder, inputs, target)
    tried, version = settings_for(package, target, unit, settings)
    with Store(folder, (__version__, digest_of(package.path, package.files), version)).opened() as store:
        if metric is None:
            judge = Fidelity(package, version, memory, inputs, samples, seed)
        else:
            judge = Judge(package, version, memory, metric, samples)
        check_reach(judge, goal)
        where = {"unit": unit, "jobs": jobs, "scheduler": scheduler, "progress": progress}
        candidates = sensitivity(package, judge.main, judge.samples, tried, store, **where)
        writer = Writer(package, target, version)
        search = _Search(judge, goal, store, writer, candidates)
        best, met = search.best()
        recipe = search.recipe(best.picked)
        weights = weights_of(judge.main, candidates, recipe, unit)
        text = recipe_text(weights, head_of(package, goal, judge, best, target))
        path = writer.write(folder, text, recipe)
        small = load(path)
        judgements = judgements_of(judge, goal, small)
        verification = verify(path, package, inputs=judge.samples)
        recipes, front, chosen = recipes_of(search.recipes, search.recipe, best)
        found = Exploration(
            model=package.path.name,
            folder=folder,
            package=path,
            goal=goal,
            met=met and verification.ok and all(one.met for one in judgements),
            metric=judge.name,
            target=target,
            unit=unit,
            nbytes_before=package.nbytes,
            nbytes=small.package.nbytes,
            weights=weights,
            recipes=recipes,
            front=front,
            recipe=chosen,
            judgements=judgements,
            bound=bound_of(search.options, best),
            curve=curve_of(search.options, best),
            verification=verification,
            inputs=tuple(judge.inputs),
            notes=(*search.notes, *judge.remarks()),
            unknown=UNKNOWN,
            measured=store.measured,
            remembered=store.found,
            seconds=time.perf_counter() - start,
            source=package.path,
            arguments=arguments,
            digests=digests_of(package, small.package, folder / RECIPE, judge.samples),
        )
        report.write(found)
        return found


class _Search:
    """The search for a recipe, and what becomes of it if the goal cannot be met."""

    def __init__(self, judge, goal, store, writer, candidates):
        self.judge, self.goal, self.store, self.writer = judge, goal, store, writer
        self.candidates, self.options = candidates, Options(*rows_of(candidates, judge.main))
        self.notes = list(judge.notes)
        self.recipes = Search(
            self.options,
            lambda picked: writer.nbytes(self.recipe(picked)),
            lambda picked: self.measured(self.recipe(picked), SEARCH),
            goal,
            tries=_TRIES[bool(judge.name)],
        )

    def recipe(self, picked):
        """The settings that the places mean; 0 leaves a weight as it is."""
        return {
            name: some[place - 1].setting
            for (name, some), place in zip(self.candidates.items(), picked, strict=True)
            if place
        }

    def measured(self, recipe, part):
        """(decibels, value) of a recipe, measured now or before."""
        row = self.store.get(part, self.judge.digest, "", recipe)
        if row is None:
            start = time.process_time()
            level, found = self.judge.recipe(recipe, part)
            numbers = {"value": found.value, "low": found.low, "high": found.high, "samples": found.samples}
            numbers |= {"nbytes": self.writer.nbytes(recipe), "snr_db": level}
            seconds = time.process_time() - start
            row = self.store.add(part, self.judge.digest, "", recipe, seconds=seconds, **numbers)
        return row["snr_db"], row["value"]

    def best(self):
        """(the recipe that was asked for, or the nearest; whether it is what was asked for)"""
        wanted, unit, before, left = self.goal.at_least, self.goal.unit, None, _ROUNDS
        while True:
            best = self.recipes.run(wanted)
            if best is None or not any(best.picked):
                return self._nearest(before), False
            if self.judge.original[HELD_OUT] is None:
                return best, True
            value = self._held_out(best)
            if self.goal.met(best.nbytes, value):
                return (best if wanted == self.goal.at_least else self._without_reserve(best, before)), True
            before, left = best, left - 1
            if not left:
                return best, False
            wanted = self.goal.at_least + 1.01 * (best.value - value)  # as if they stay so far apart
            self.notes.append(
                f"a recipe had {said(best.value, unit)}, and {said(value, unit)} on the held-out part, which fell "
                f"short: another one was sought, with {said(wanted, unit)} (so the held-out part has had a say in it)"
            )

    def _held_out(self, one):
        return self.measured(self.recipe(one.picked), HELD_OUT)[1]

    def _without_reserve(self, best, before):
        """The smallest recipe that both parts let pass: of those near `before`, which fell short, and near `best`."""
        best = self.recipes.between(before, best, self._agreed) or best
        return self.recipes.shrunk(best, self._agreed)

    def _agreed(self, one):
        """Whether both parts say that a recipe is what was asked for."""
        return self.goal.met(one.nbytes, one.value) and self.goal.met(one.nbytes, self._held_out(one))

    def _nearest(self, before):
        """The best there is, where the goal cannot be met; what it would take is noted.

        `before` is a recipe that reached the goal, but not on the held-out part; None where there is none.
        """
        if before is not None:
            self.notes.append(
                "no recipe of these settings reaches that, and the last one stays: it is the nearest"
            )
            own = self.judge.original[HELD_OUT].value
            if own < self.goal.at_least:
                self.notes.append(
                    f"the model as it is has {said(own, self.goal.unit)} on the held-out part, less than was asked for"
                )
            return before
        if self.goal.nbytes is not None:
            best = self.recipes.at(self.options.nbytes.argmin(axis=1).tolist())
            self.notes.append(
                f"no recipe of these settings has at most {self.goal.nbytes:,} bytes: the smallest has "
                f"{best.nbytes:,}, which is the budget that it would take"
            )
            return best
        best = self.recipes.at((self.options.damage[:, 1:].argmin(axis=1) + 1).tolist())
        unit = self.goal.unit
        self.notes.append(
            f"no recipe of these settings reaches {said(self.goal.at_least, unit)}: with the best setting for each "
            f"weight it is {said(best.value, unit)}. It would take settings of more bits, or weights that stay as they "
            "are"
        )
        return best
