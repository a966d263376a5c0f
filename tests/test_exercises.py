"""Every checker passes its reference and catches the wrong answers that people give, with the right hint."""

import copy
import inspect
import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from toykit.exercises import Case, Exercise, Hint, check, limits, training_time
from toykit.exercises.checks import CHAPTERS
from toykit.exercises.framework import LEVELS

from .exercises.edges import EDGES

EXERCISES = check.all()


def load_wrong_answers():
    """Collect WRONG of tests/exercises/wrong_<chapter>.py, one file a chapter."""
    found = {}
    for path in sorted((Path(__file__).parent / "exercises").glob("wrong_*.py")):
        found |= import_module(f"{__package__}.exercises.{path.stem}").WRONG
    return found


WRONG = load_wrong_answers()
PAIRS = [
    pytest.param(name, answer, hint, id=f"{name}-{i}")
    for name, answers in WRONG.items()
    for i, (answer, hint) in enumerate(answers)
]


def test_every_exercise_has_at_least_four_wrong_answers_and_three_of_them_get_a_hint():
    assert set(WRONG) == set(EXERCISES)
    for name, answers in WRONG.items():
        assert len(answers) >= 4, name
        assert sum(bool(hint) for _, hint in answers) >= 3, name


def test_every_exercise_has_a_level():
    assert {name: e.level for name, e in EXERCISES.items() if e.level not in LEVELS} == {}


@pytest.mark.parametrize("name", EXERCISES)
def test_reference_passes_every_case(name):
    exercise = EXERCISES[name]
    report = exercise(exercise.reference)
    assert report and report.tried == len(exercise.cases) + exercise.trials * (exercise.random is not None)
    assert "passed" in repr(report)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_answer_of_another_kind_passes(name):
    pytest.importorskip("torch")
    from .exercises.right import RIGHT

    for answer in RIGHT[name]:
        report = EXERCISES[name](answer)
        assert report, report


@pytest.mark.parametrize("name, answer, hint", PAIRS)
def test_wrong_answer_fails_with_its_hint(name, answer, hint):
    report = EXERCISES[name](answer)
    assert not report
    assert hint in report.hint, report
    assert report.problem and report.details
    if not hint:
        assert report.hint not in [h.text for h in EXERCISES[name].hints], "say which hint"


@pytest.mark.parametrize("kind, name", [(kind, name) for kind, answers in EDGES.items() for name in answers])
def test_an_answer_that_misses_an_edge_is_refused(kind, name):
    assert not EXERCISES[name](EDGES[kind][name]), kind


@pytest.mark.parametrize("name", EXERCISES)
def test_an_answer_that_is_printed_is_not_returned(name, capsys):
    report = EXERCISES[name](lambda *args: print(EXERCISES[name].reference(*args)))
    assert "returned None" in report.problem and "return" in report.hint
    assert capsys.readouterr().out


def test_an_answer_that_ends_without_a_return_is_told_apart_from_one_that_has_none():
    report = adder()(lambda a, b: a + b if a > 0 else None)
    assert "returned None" in report.problem and "Some way through it" in report.hint


def test_an_answer_that_was_rounded_is_told_so():
    assert "Do not round" in adder(tolerance=1e-9)(lambda a, b: a + b + 1e-5 * (a > 0)).hint


@pytest.mark.parametrize("name", EXERCISES)
def test_every_hint_is_given_to_some_wrong_answer(name):
    given = {EXERCISES[name](answer).hint for answer, _ in WRONG[name]}
    unused = [hint.text for hint in EXERCISES[name].hints if hint.text not in given]
    assert not unused


@pytest.mark.parametrize("name", EXERCISES)
def test_reports_are_stable_and_keep_the_solution_to_themselves(name):
    exercise = EXERCISES[name]
    lines = map(str.strip, inspect.getsource(exercise.reference).splitlines()[1:])
    source = {line for line in lines if len(line) > 3}  # a bracket alone says nothing
    for answer, _ in WRONG[name]:
        report = exercise(answer)
        again = exercise(answer)
        assert (repr(report), report._repr_html_()) == (repr(again), again._repr_html_())
        assert " at 0x" not in repr(report)
        assert not any(line in repr(report) for line in source)


@pytest.mark.parametrize("name", EXERCISES)
def test_common_accidents(name):
    exercise = EXERCISES[name]
    names = list(inspect.signature(exercise.reference).parameters)
    assert "return" in exercise(_forgetful).hint
    for stub in (_unwritten, _stub, _passed_over, lambda *args: None):
        report = exercise(stub)
        assert "Nothing is written here yet" in report.problem and report.hint == exercise.task
    assert "not a function" in exercise(3).problem
    assert "without calling it" in exercise(np.ones(2)).hint
    too_few = exercise(lambda *, nothing: 0)
    assert ", ".join(names) in too_few.problem


def _unwritten(*args):
    raise NotImplementedError


def _stub(*args):
    """What it should return."""
    ...


def _passed_over(*args):
    pass


def _forgetful(*args):
    len(args)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_answer_passes_in_every_form_that_its_task_leaves_open(name):
    exercise = EXERCISES[name]
    torch = pytest.importorskip("torch")
    forms = [lambda x: x]
    if not exercise.dtype:
        forms += [np.ndarray.tolist, lambda x: tuple(x.tolist()), torch.from_numpy]
        if exercise.tolerance:
            forms.append(lambda x: x.astype(np.float32))

    def other(answer, form):
        if isinstance(answer, np.ndarray):
            return form(answer)
        if isinstance(answer, tuple):
            return np.array(answer)
        if isinstance(answer, dict):
            return answer
        return {int: np.int32, float: np.float64}.get(type(answer), type(answer))(answer)

    for form in forms:
        report = exercise(lambda *args, form=form: other(exercise.reference(*args), form))
        assert report, report


def test_a_pruning_configuration_is_what_coremltools_makes_of_it():
    exercise, args = EXERCISES["pruning_config"], (0.75, 0, 120, 10, ("conv1",))
    plain = exercise.reference(*args)

    def spelled_out(*args):
        config = exercise.reference(*args)
        shared, scheduler = config["global_config"], config["global_config"]["scheduler"]
        scheduler |= {"update_steps": np.arange(args[1], args[2] + 1, args[3]), "power": 3}
        shared |= {
            "initial_sparsity": 0.0,
            "granularity": "per_scalar",
            "block_size": 1,
            "n_m_ratio": None,
            "dim": 1,
        }
        return config | {"module_type_configs": {}}

    def other(*args):
        config = exercise.reference(*args)
        config["global_config"]["granularity"] = "per_channel"
        return config

    assert exercise(spelled_out) and not exercise(other)
    pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")
    from coremltools.optimize.torch.pruning import MagnitudePrunerConfig

    assert MagnitudePrunerConfig.from_dict(spelled_out(*args)) == MagnitudePrunerConfig.from_dict(plain)
    filled = MagnitudePrunerConfig.from_dict(plain).global_config
    assert {name: getattr(filled, name) for name in training_time.DEFAULTS} == training_time.DEFAULTS | {
        "target_sparsity": 0.75
    }
    assert filled.scheduler.power == training_time.POWER


def broken(a, b):
    values = [a]
    return values[3]


def adder(**options):
    return Exercise(
        name="add",
        task="Return a + b.",
        reference=lambda a, b: a + b,
        cases=[Case(1, 2), Case(-1, 1, about="they cancel")],
        **options,
    )


def test_an_error_shows_the_learners_line():
    report = adder()(broken)
    assert re.search(r"line \d+: return values\[3\]", repr(report))
    assert "IndexError: list index out of range" in repr(report)


def test_changed_input_is_reported():
    def sort_it(a):
        a.sort()
        return a.copy()

    exercise = Exercise("sort", "Sort.", lambda a: np.sort(a), [Case(np.array([2, 1]))])
    assert "changed its input a" in exercise(sort_it).problem
    assert exercise(lambda a: np.sort(a))


def doubler(**options):
    return Exercise(
        "twice", "Double.", lambda x: 2 * x, [Case(np.array([0.5, 1.0]))], tolerance=1e-9, **options
    )


@pytest.mark.parametrize(
    "result, words",
    [
        ({1, 2}, "a set instead of a NumPy array"),
        ([[1], [2, 3]], "a list instead of a NumPy array"),
        (["a", "b"], "a list instead of a NumPy array"),
        (np.ones((2, 1)), "shape is (2, 1) instead of (2,)"),
        ([1.0], "shape is (1,) instead of (2,)"),
        (np.array([True, True]), "booleans (bool) instead of float64"),
        (np.array(["a", "b"]), "holds <U1 values"),
        (np.array([1.0, np.nan]), "first is [1]: nan instead of 2"),
        (np.array([1.0, 2.0 + 1e-3]), "1 of 2 values are wrong"),
    ],
)
def test_what_is_said_about_a_wrong_array(result, words):
    report = doubler()(lambda x: result)
    assert words in report.problem


@pytest.mark.parametrize(
    "result",
    [
        [1, 2],
        (1.0, 2.0),
        range(1, 3),
        np.array([1, 2], np.uint8),
        np.array([1, 2], np.float32),
        np.array([1.0, 2.0 + 1e-10]),
        [np.float64(1), np.int32(2)],
    ],
)
def test_right_values_in_another_form_are_right(result):
    assert doubler()(lambda x: result)


def test_a_tensor_of_right_values_is_right():
    torch = pytest.importorskip("torch")
    assert doubler()(lambda x: 2 * torch.tensor(x)) and doubler()(lambda x: 2 * torch.tensor(x).float())
    assert adder()(lambda a, b: torch.tensor(a + b))
    assert "a Tensor instead" in doubler()(lambda x: 2 * torch.tensor(x, requires_grad=True)).problem


@pytest.mark.parametrize(
    "dtype, result, words",
    [
        ("int8", [1, 2], "a list instead of a NumPy array"),
        ("int8", np.array([1, 2]), "The array is int instead of int8"),
        ("int8", np.array([1.0, 2.0]), "floating-point numbers (float64) instead of int8"),
        ("integer", np.array([1.0, 2.0]), "floating-point numbers (float64) instead of integer"),
        ("bool", np.array([1, 1]), "signed integers (int) instead of bool"),
    ],
)
def test_where_the_task_asks_for_an_array_of_a_type(dtype, result, words):
    right = np.array([1, 2], "int64" if dtype == "integer" else dtype)
    exercise = Exercise("codes", "Code.", lambda: right, [Case()], dtype=dtype)
    assert words in exercise(lambda: result).problem
    assert exercise(lambda: right.copy())
    if dtype == "integer":
        assert exercise(lambda: right.astype(np.uint8))


def test_arithmetic_in_float32_has_seven_digits():
    third = Exercise("third", "Divide.", lambda x: x / 3, [Case(np.array([0.1, 0.7]))], tolerance=1e-9)
    assert third(lambda x: x.astype(np.float32) / 3)
    assert not third(lambda x: x / 3 + 1e-7) and not third(lambda x: (x / 3).astype(np.float16))


def test_numbers_are_printed_until_they_differ():
    exercise = Exercise("third", "Divide.", lambda x: x / 3, [Case(0.1)], tolerance=1e-12)
    details = dict(exercise(lambda x: x / 3 + 1e-10).details)
    assert details["You gave"] != details["Expected"]
    assert (
        "0.0333333334 instead"
        in Exercise("thirds", "Divide.", lambda x: x / 3, [Case(np.array([0.1]))])(
            lambda x: x / 3 + 1e-10
        ).problem
    )


@pytest.mark.parametrize("result", [10**400, -(10**400), float("inf"), complex(1, 1), np.float16(7)])
def test_numbers_out_of_all_proportion_are_wrong_and_no_crash(result):
    exercise = Exercise("half", "Halve.", lambda x: x / 2, [Case(3)], tolerance=1e-9)
    assert exercise(lambda x: result).problem


def test_a_session_in_which_numpy_raises():
    exercise = Exercise(
        "ratio",
        "Divide.",
        lambda x: float(np.float64(1) / x),
        [Case(np.float64(1e300)), Case(np.float64(0))],
        hints=[Hint("Over.", lambda got, want, x: x * x > got)],
    )
    with np.errstate(all="raise"):
        assert exercise(lambda x: 1 / x if x else np.float64("inf"))
        assert exercise(lambda x: x).hint == "Over."


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN], ids=["shell", "background"])
def test_an_endless_loop_ends_in_a_sentence(monkeypatch, handler):
    def endless(a, b):
        while True:
            pass

    monkeypatch.setattr(limits, "LIMIT", 0.2)
    before = signal.signal(signal.SIGINT, handler)
    try:
        report = adder()(endless)
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert "had not answered after" in report.problem and "never becomes false" in report.hint
    assert adder()(lambda a, b: a + b)


def test_a_check_in_another_thread_has_no_limit_and_works():
    with ThreadPoolExecutor() as pool:
        assert pool.submit(adder(), lambda a, b: a + b).result()


@pytest.mark.parametrize("name", EXERCISES)
def test_whatever_a_function_does_to_its_arguments_the_next_check_finds_the_case_as_it_was(name):
    exercise = EXERCISES[name]

    def spoil(value):
        if isinstance(value, np.ndarray):
            value[...] = value.dtype.type(1)
        elif isinstance(value, (list, dict)):
            value.clear()

    def vandal(*args):
        answer = exercise.reference(*copy.deepcopy(args))
        for value in args:
            spoil(value)
        return answer

    mutable = any(
        isinstance(value, (np.ndarray, list, dict)) and np.size(value)
        for case in exercise.cases
        for value in case.args
    )
    report = exercise(vandal)
    assert not mutable or "changed its input" in report.problem
    assert exercise(exercise.reference)


@pytest.mark.parametrize(
    "result, words",
    [
        (True, "a bool instead of a number"),
        ("3", "a str instead of a number"),
        (np.ones(2), "an array of shape (2,) instead of a number"),
        (4, "The result is wrong"),
        (float("nan"), "The result is wrong"),
    ],
)
def test_what_is_said_about_a_wrong_number(result, words):
    assert words in adder()(lambda a, b: result).problem


@pytest.mark.parametrize(
    "result, words",
    [
        ([], "a list instead of a dictionary"),
        ({"steps": [1, 2]}, "The key 'skip' is missing"),
        ({"steps": [1, 2], "skip": {"a": None}, "more": 1}, "The key 'more' does not belong there"),
        ({"steps": [1, 2], "skip": {"a": {}}}, "Under 'skip': under 'a': there is a dict instead of None"),
        ({"steps": [1, 3], "skip": {"a": None}}, "Under 'steps': value 2 of 2: the result is wrong"),
        ({"steps": [1], "skip": {"a": None}}, "Under 'steps': your function returned 1 values instead of 2"),
    ],
)
def test_what_is_said_about_a_wrong_dictionary(result, words):
    exercise = Exercise("config", "Configure.", lambda x: {"steps": [1, 2], "skip": {"a": None}}, [Case(1)])
    assert words in exercise(lambda x: result).problem
    assert exercise(lambda x: {"skip": {"a": None}, "steps": range(1, 3)})


def test_numpy_numbers_count_as_numbers():
    assert adder()(lambda a, b: np.int64(a + b))
    assert adder()(lambda a, b: np.asarray(float(a + b)))


def test_a_hint_that_fails_does_not_hide_the_problem():
    exercise = adder(hints=[Hint("never", lambda got, want, a, b: 1 / 0)], hint="Add them.")
    assert exercise(lambda a, b: a * b - 7).hint == "Add them."


def test_the_text_of_each_exercise_holds_its_task_which_an_untouched_stub_shows():
    found = {}
    for path in sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        for above, stub, asked in zip(cells, cells[1:], cells[2:]):
            if "exercise" in stub["metadata"].get("tags", ()):
                name = re.search(r"check\.(\w+)\(", "".join(asked["source"])).group(1)
                found[name] = " ".join("".join(above["source"]).replace("\n> ", " ").split())
    assert set(found) == set(EXERCISES)
    for name, text in found.items():
        assert text.endswith(f"**Task.** {EXERCISES[name].task}"), name


def test_an_unknown_exercise_names_the_others():
    with pytest.raises(AttributeError, match="no exercise is called 'pruning_task'; .*pruning_mask"):
        _ = check.pruning_task
    assert "pruning_mask" in dir(check) and "pruning_mask" in repr(check)


def test_each_chapter_has_three_exercises():
    for chapter in CHAPTERS:
        module = import_module(f"toykit.exercises.{chapter}")
        assert sum(isinstance(value, Exercise) for value in vars(module).values()) >= 3, chapter


def test_what_stands_in_backticks_is_code_on_a_page():
    exercise = adder(hint="`a` comes first & `b` <then>")
    page = exercise(lambda a, b: 7)._repr_html_()
    assert ">a</code> comes first &amp; <code" in page and "&lt;then&gt;" in page and "`" not in page


def test_html_escapes_what_learners_return():
    assert "<script>" not in adder()(lambda a, b: "<script>alert(1)</script>")._repr_html_()
