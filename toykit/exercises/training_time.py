"""The exercises of the chapter on training time: a config, a schedule, a range, a target."""

import numpy as np

from .framework import Case, Exercise, Hint


def _pruning_config(target, begin, end, every, skip):
    return _config(target, list(range(begin, end + 1, every)), skip)


def _config(target, steps, skip):
    return {
        "global_config": {"target_sparsity": target, "scheduler": {"update_steps": steps}},
        "module_name_configs": dict.fromkeys(skip),
    }


# What MagnitudePrunerConfig of coremltools 9 fills in where nothing is said.
DEFAULTS = {
    "target_sparsity": 0.5,
    "initial_sparsity": 0.0,
    "granularity": "per_scalar",
    "block_size": 1,
    "n_m_ratio": None,
    "dim": 1,
    "param_name": "weight",
}
POWER = 3


def _filled_in(config):
    """The configuration with its defaults, and its steps as whole numbers whatever holds them."""
    scheduler = config["global_config"]["scheduler"]
    steps = np.asarray(scheduler["update_steps"])
    if steps.ndim != 1 or (steps != steps.astype(int)).any():
        raise ValueError("update_steps are whole numbers")
    filled = {"power": POWER} | scheduler | {"update_steps": steps.astype(int).tolist()}
    return (
        {"module_type_configs": {}, "module_name_configs": {}}
        | config
        | {"global_config": DEFAULTS | config["global_config"] | {"scheduler": filled}}
    )


def _random_config_case(rng):
    begin, every = int(rng.integers(0, 50)), int(rng.integers(1, 20))
    layers = ("stem", "head", "classifier", "conv1")
    skip = tuple(layers[i] for i in rng.permutation(4)[: rng.integers(1, 3)])
    return float(rng.choice([0.5, 0.75, 0.9])), begin, begin + every * int(rng.integers(1, 9)), every, skip


def _steps(config):
    return list(config["global_config"]["scheduler"]["update_steps"])


pruning_config = Exercise(
    name="pruning_config",
    level="build",
    task="Return the dictionary for `MagnitudePrunerConfig.from_dict`: sparsity `target`, masks moved "
    "`every` so many steps from `begin` to `end`, both included, and `None` for each layer in `skip`.",
    reference=_pruning_config,
    cases=[
        Case(0.75, 0, 120, 10, ("conv1",), about="the chapter's own: steps 0, 10, ..., 120"),
        Case(0.9, 100, 500, 50, ("stem", "head"), about="starts late, and leaves two layers alone"),
        Case(0.5, 20, 21, 1, ("stem",), about="two entries"),
    ],
    random=_random_config_case,
    normal=_filled_in,
    hints=[
        Hint(
            'The layers to leave alone come by name: "module_name_configs", with None for each.',
            lambda got, want, target, begin, end, every, skip: (
                got.get("module_name_configs") != want["module_name_configs"]
            ),
            anything=True,
        ),
        Hint(
            "target_sparsity is a share between 0 and 1, and already is one.",
            lambda got, want, target, begin, end, every, skip: (
                got["global_config"]["target_sparsity"] != target
            ),
            anything=True,
        ),
        Hint(
            'The steps belong to a scheduler: {"scheduler": {"update_steps": [...]}}.',
            lambda got, want, target, begin, end, every, skip: (
                "update_steps" not in got["global_config"].get("scheduler", {})
            ),
            anything=True,
        ),
        Hint(
            "The sparsity reaches its target at the last entry of update_steps, and range leaves its end "
            "out: the schedule is over one entry too early.",
            lambda got, want, target, begin, end, every, skip: _steps(got) == list(range(begin, end, every)),
            anything=True,
        ),
        Hint(
            "The first entry is the step at which pruning begins.",
            lambda got, want, target, begin, end, every, skip: _steps(got)[0] != begin,
            anything=True,
        ),
        Hint(
            "The mask moves at the steps that are listed and at no other; between two of them lie as many "
            "steps as every says.",
            lambda got, want, target, begin, end, every, skip: _steps(got) != _steps(want),
            anything=True,
        ),
    ],
    hint="Three parts: target_sparsity and scheduler in global_config, the names in module_name_configs.",
)


def _held_sparsity(step, update_steps, initial, target):
    done = sum(listed <= step for listed in update_steps)
    if done == 0:
        return 0.0
    t = (done - 1) / (len(update_steps) - 1) if len(update_steps) > 1 else 1.0
    return target + (initial - target) * (1 - t) ** 3


def _random_held_case(rng):
    steps = np.sort(rng.permutation(100)[: rng.integers(2, 8)]).tolist()
    initial, target = float(rng.choice([0.0, 0.1, 0.25])), float(rng.choice([0.5, 0.9]))
    return int(rng.integers(0, 120)), steps, initial, target


held_sparsity = Exercise(
    name="held_sparsity",
    level="build",
    task="Return the sparsity after a step: 0 before the first listed step, the cubic climb from `initial` "
    "to `target` over the entries of the list, and between two entries what the earlier one left. A "
    "list of one entry goes to `target` at once.",
    reference=_held_sparsity,
    cases=[
        Case(10, [0, 10, 20], 0.0, 0.8, about="at the middle entry of three"),
        Case(15, [0, 10, 20], 0.0, 0.8, about="between two entries"),
        Case(10, [0, 10, 100], 0.0, 0.8, about="the entries are not evenly spaced: it is the middle one"),
        Case(0, [0, 10, 20], 0.2, 0.8, about="at the first entry, which starts from 0.2"),
        Case(3, [5, 10], 0.2, 0.8, about="before the first entry"),
        Case(99, [5, 10], 0.2, 0.8, about="after the last"),
        Case(5, [5], 0.2, 0.8, about="a single entry"),
    ],
    random=_random_held_case,
    tolerance=1e-9,
    hints=[
        Hint(
            "Before the first entry nothing is pruned, not even the initial share.",
            lambda got, want, step, steps, initial, target: step < steps[0],
        ),
        Hint(
            "Between two entries the mask stays as it is: use the last entry that is not after the step.",
            lambda got, want, step, steps, initial, target: (
                step not in steps and np.isclose(got, _at(steps, step, initial, target))
            ),
        ),
        Hint(
            "The curve counts entries of the list, not steps: the middle entry is the middle of the curve "
            "wherever it lies.",
            lambda got, want, step, steps, initial, target: np.isclose(
                got, _at(steps, max(s for s in steps if s <= step), initial, target)
            ),
        ),
        Hint(
            "A list of one entry has no way from initial to target: it is at the target at once.",
            lambda got, want, step, steps, initial, target: len(steps) == 1,
        ),
        Hint(
            "The last entry is number n - 1, and there the target has to be reached.",
            lambda got, want, step, steps, initial, target: (
                np.isclose(got, _counted(sum(s <= step for s in steps) - 1, len(steps), initial, target))
                or np.isclose(got, _counted(sum(s <= step for s in steps), len(steps), initial, target))
            ),
        ),
        Hint(
            "The climb starts from initial, not from zero.",
            lambda got, want, step, steps, initial, target: (
                initial and np.isclose(got, _held_sparsity(step, steps, 0.0, target))
            ),
        ),
        Hint(
            "That is a straight line; the part that is missing falls with the third power.",
            lambda got, want, step, steps, initial, target: np.isclose(
                got, initial + (target - initial) * (sum(s <= step for s in steps) - 1) / (len(steps) - 1)
            ),
        ),
    ],
    hint="Find how many entries are not after the step; that number, from 0 to 1, is how far the climb is.",
)


def _at(steps, step, initial, target):
    """The curve over time instead of entries."""
    t = min((step - steps[0]) / (steps[-1] - steps[0]), 1)
    return target + (initial - target) * (1 - t) ** 3


def _counted(number, of, initial, target):
    return target + (initial - target) * (1 - number / of) ** 3


def _range_to_codes(low, high):
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    return scale, round(-low / scale)


def _random_range_case(rng):
    ends = np.sort(rng.normal(0, 3, 2)).round(2)
    return float(ends[0]), float(ends[1] + 0.5)


range_to_codes = Exercise(
    name="range_to_codes",
    level="warm-up",
    task="Return the scale and the zero point with which the codes 0 to 255 cover what was seen, from `low` "
    "to `high`, widened so that zero is inside.",
    reference=_range_to_codes,
    cases=[
        Case(0.0, 2.55, about="nothing negative: zero is the first code"),
        Case(-1.0, 1.55, about="zero is a hundred codes above the lowest"),
        Case(1.0, 5.1, about="zero was never seen, and must be exact all the same"),
        Case(-5.1, -1.0, about="nothing positive: zero is the last code"),
        Case(-0.75, 1.8, about="a range of 2.55"),
    ],
    random=_random_range_case,
    tolerance=1e-9,
    hints=[
        Hint(
            "Widen the range so that it holds zero: padding, ReLU and masked weights need it exactly.",
            lambda got, want, low, high: (low > 0 or high < 0) and np.isclose(got[0], (high - low) / 255),
            anything=True,
        ),
        Hint(
            "256 codes have 255 steps between them.",
            lambda got, want, low, high: np.isclose(got[0], want[0] * 255 / 256),
            anything=True,
        ),
        Hint(
            "Scale first, then the zero point.",
            lambda got, want, low, high: np.isclose(got[0], want[1]) and np.isclose(got[1], want[0]),
        ),
        Hint(
            "That is the symmetric scheme: it spends as many codes on the side that was not seen.",
            lambda got, want, low, high: np.isclose(got[0], max(-low, high) / 127.5),
            anything=True,
        ),
        Hint(
            "The zero point is a code from 0 to 255: how many steps zero lies above the lowest value.",
            lambda got, want, low, high: np.isclose(got[0], want[0]) and got[1] < 0,
            anything=True,
        ),
        Hint(
            "The zero point is a whole number, the nearest one.",
            lambda got, want, low, high: np.isclose(got[0], want[0]) and abs(got[1] - want[1]) <= 1,
            anything=True,
        ),
    ],
    hint="The width of the range over 255 is the scale; the lowest value, over the scale, gives the zero "
    "point.",
)

_TECHNIQUES = (("sparse",), ("linear",), ("palette",), ("sparse", "linear"), ("sparse", "palette"))
_GRANULARITIES = {
    "sparse": ("per_tensor",),
    "linear": ("per_tensor", "per_channel", "per_block"),
    "palette": ("per_tensor", "per_grouped_channel"),
}
_BITS = {"sparse": (16,), "linear": (8, 4), "palette": (1, 2, 3, 4, 6, 8)}


def _minimum_target(techniques, bits, granularity, activation_bits):
    if len(techniques) > 1 or granularity in ("per_block", "per_grouped_channel"):
        return 18
    if ("linear" in techniques and bits == 4) or ("palette" in techniques and bits == 3):
        return 18
    return 17 if activation_bits == 8 else 16


def _random_target_case(rng):
    techniques = _TECHNIQUES[rng.integers(len(_TECHNIQUES))]
    kind = techniques[-1]
    return (
        tuple(map(str, rng.permutation(techniques))),
        int(rng.choice(_BITS[kind])),
        str(rng.choice(_GRANULARITIES[kind])),
        int(rng.choice([8, 16])),
    )


minimum_target = Exercise(
    name="minimum_target",
    level="decide",
    task="Return 16, 17 or 18: the oldest iOS for which Core ML Tools stores these settings compressed. The "
    "techniques may be named in any order.",
    reference=_minimum_target,
    cases=[
        Case(("sparse",), 16, "per_tensor", 16, about="a mask and float16 values"),
        Case(("linear",), 8, "per_channel", 16, about="int8 by channel"),
        Case(("linear",), 8, "per_channel", 8, about="W8A8"),
        Case(("palette",), 4, "per_tensor", 16, about="one table of 16"),
        Case(("linear",), 4, "per_channel", 16, about="int4"),
        Case(("palette",), 3, "per_tensor", 16, about="one table of 8"),
        Case(("palette",), 4, "per_grouped_channel", 16, about="a table for each group"),
        Case(("linear",), 8, "per_block", 16, about="a scale for each block"),
        Case(("sparse", "palette"), 4, "per_tensor", 16, about="two at once"),
        Case(("palette", "sparse"), 4, "per_tensor", 16, about="two at once, named the other way round"),
        Case(("linear", "sparse"), 8, "per_channel", 16, about="pruned and int8"),
        Case(("linear",), 4, "per_channel", 8, about="W4A8: two conditions, and the later system decides"),
        Case(("palette",), 2, "per_tensor", 8, about="a palette, and activations of 8 bits"),
    ],
    random=_random_target_case,
    hints=[
        Hint(
            "Two techniques on one weight are a joint form, which is of iOS 18.",
            lambda got, want, techniques, *rest: len(techniques) > 1,
        ),
        Hint(
            "Blocks and groups are of iOS 18, whatever the bits.",
            lambda got, want, techniques, bits, granularity, activation: (
                granularity in ("per_block", "per_grouped_channel")
            ),
        ),
        Hint(
            "A palette of 4 bits is of iOS 16; it is the linear codes of 4 bits that came with iOS 18.",
            lambda got, want, techniques, bits, *rest: techniques == ("palette",) and bits == 4,
        ),
        Hint(
            "The later of two conditions decides: W4A8 needs quantized activations and int4.",
            lambda got, want, techniques, bits, granularity, activation: got == 17 and want == 18,
        ),
        Hint(
            "Linear codes of 4 bits and palettes of 3 bits came with iOS 18.",
            lambda got, want, techniques, bits, *rest: (
                (techniques, bits) in ((("linear",), 4), (("palette",), 3))
            ),
        ),
        Hint(
            "Quantized activations need an operator that came with iOS 17.",
            lambda got, want, techniques, bits, granularity, activation: activation == 8 and got == 16,
        ),
    ],
    hint="Begin with what needs 18, then ask about the activations; what is left is 16.",
)


def _cubic(t):
    return 1 - (1 - t) ** 3


def _entries(count):
    """How far the schedule is at each entry of a list: from 0 to 1, and at 1 in a list of one entry."""
    return np.arange(count) / (count - 1) if count > 1 else np.ones(1)


def _explaining(weights, update_steps, target, done=None, climb=_cubic, whole=np.rint):
    """The entries whose number of zeros is that of the weights; more arguments for what a mistake changes."""
    done = _entries(len(update_steps)) if done is None else done
    wanted = whole(target * climb(done) * weights.size)
    return [step for step, zeros in zip(update_steps, wanted) if zeros == np.count_nonzero(weights == 0)]


def _stopped_after(weights, update_steps, target):
    return next(iter(_explaining(weights, update_steps, target)), -1)


def _pruned_to(steps, target, entry, count=256, extra=0):
    """Arguments of a case: a layer whose training stopped after an entry of the list."""
    zeros = round(target * _cubic(_entries(len(steps)))[entry] * count) + extra
    return (
        np.where(np.arange(count) * 7919 % count < zeros, 0.0, np.arange(1, count + 1) / count),
        steps,
        target,
    )


def _random_stop(rng):
    steps = np.sort(rng.permutation(300)[: rng.integers(2, 9)]).tolist()
    count, target = int(rng.choice([997, 1009, 1201])), float(rng.choice([0.6, 0.7, 0.9]))
    return _pruned_to(steps, target, int(rng.integers(len(steps))), count, int(rng.choice([0, 0, 0, 3])))


stopped_after = Exercise(
    name="stopped_after",
    level="build",
    task="Return the step after which a colleague stopped calling the pruner, read from the weights of a layer: the "
    "first entry of `update_steps` that leaves as many zeros as they have, rounded to the nearest whole weight, "
    "and -1 if there is none. The sparsity climbs from 0 at the first entry to `target` at the last, as in "
    "exercise 2; a list of one entry goes to `target` at once.",
    reference=_stopped_after,
    cases=[
        Case(*_pruned_to([0, 10, 20], 0.5, 1), about="112 of 256 are zero, 43.75 %: the middle entry"),
        Case(*_pruned_to([0, 10, 20], 0.5, 2), about="the schedule was carried out"),
        Case(*_pruned_to([5, 10, 20], 0.5, 0), about="nothing is zero"),
        Case(*_pruned_to([0, 10, 100], 0.5, 1), about="a list with gaps"),
        Case(*_pruned_to([0, 10, 20, 30], 0.7, 1), about="126 of 256 are zero; 126.1 were wanted"),
        Case(*_pruned_to([0, 10, 20, 30], 0.7, 2), about="173 of 256 are zero; 172.6 were wanted"),
        Case(*_pruned_to([0, 10, 20], 0.5, 1, extra=5), about="no entry explains it"),
        Case(*_pruned_to([40], 0.5, 0), about="a list of one entry"),
        Case(
            *_pruned_to(list(range(30, 41)), 0.5, 9), about="from the tenth entry on the zeros are the same"
        ),
        Case(*_pruned_to([3, 4, 5], 0.1, 2, count=3), about="three weights: no zero is ever wanted"),
    ],
    random=_random_stop,
    hints=[
        Hint("If no entry explains the zeros, say so with -1.", lambda got, want, *args: want == -1 != got),
        Hint(
            "Return the step that stands in the list, not its place there.",
            lambda got, want, w, steps, target: got not in steps and got in range(len(steps)),
        ),
        Hint(
            "Several entries leave as many zeros: return the first of them.",
            lambda got, want, *args: got in _explaining(*args),
        ),
        Hint(
            "The schedule counts entries of the list, whatever the gaps between the steps.",
            lambda got, want, w, steps, target: (
                len(set(np.diff(steps))) > 1
                and got
                == next(
                    iter(_explaining(w, steps, target, np.interp(steps, [steps[0], steps[-1]], [0, 1]))), -1
                )
            ),
        ),
        Hint(
            "Zeros are whole: the schedule is met up to half a weight.",
            lambda got, want, *args: got == -1 and want not in _explaining(*args, whole=np.array),
        ),
        Hint(
            "It climbs fast at first and slowly in the end, with the cube.",
            lambda got, want, *args: got == next(iter(_explaining(*args, climb=np.array)), -1),
        ),
    ],
    hint="For each entry: which sparsity, and how many zeros is that? Compare with those of the weights.",
)
