"""Careless use: whatever is passed to a public function, an answer comes back or a sentence that names the argument.

What people pass by mistake, and what a good call of each function is, is in tests/careless.py. A new public
function is tried too, as soon as it has a name.
"""

import contextlib
import copy
import io
import re
import signal
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

import toykit as tk
from tests import careless
from tests.nightly import cases

torch = pytest.importorskip("torch")
PACKAGE = str(Path(tk.__file__).parent)


@st.composite
def calls(draw):
    """A function, and the odd value of each of its arguments that gets one."""
    name = draw(st.sampled_from(sorted(careless.functions())))
    arguments = list(careless.parameters(careless.functions()[name]()))
    odd = draw(
        st.lists(
            st.sampled_from(arguments), min_size=1, max_size=draw(st.sampled_from([1, 1, 1, 2])), unique=True
        )
    )
    return name, {argument: draw(st.sampled_from(list(careless.ODD))) for argument in odd}


def arguments_of(name, function, odd):
    """Good values for what is required or needed, and odd ones in the place of some."""
    made = {}
    for argument, parameter in careless.parameters(function).items():
        value = careless.good(name, argument)
        if argument in odd:
            value = careless.ODD[odd[argument]]
        elif parameter.default is not parameter.empty and argument not in careless.NEEDED.get(name, ()):
            continue
        elif value is None:  # nothing good is known of a new function: odd values alone
            value = careless.ODD["numbers"]
        if parameter.kind is parameter.VAR_KEYWORD:
            if argument not in odd and name not in careless.KEYWORDS:
                continue
            argument = careless.KEYWORDS.get(name, "unheard_of")
        made[argument] = value()
    return made


def snapshot(value):
    """What must be as it was after a call."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, repr(value) if value.dtype == object else np.asarray(value).tobytes()
    if isinstance(value, torch.Tensor):
        data = () if value.is_meta else copy.deepcopy(value.detach())
        return value.requires_grad, value.dtype, repr(data)
    if isinstance(value, torch.nn.Module):
        hooks = [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in value.modules()]
        return hooks, {name: snapshot(tensor) for name, tensor in value.state_dict().items()}
    if isinstance(value, dict):
        return {key: snapshot(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [snapshot(one) for one in value]
    return None


@contextlib.contextmanager
def no_longer_than(seconds):
    """A guard against calls that never end; nothing here is meant to take a second."""

    def stop(signum, frame):
        raise KeyboardInterrupt(f"still running after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(name, odd):
    """Call, and say how it ended: "answer", the error's type, or what is wrong with it."""
    function = careless.functions()[name]()
    made = arguments_of(name, function, odd)
    before = {argument: snapshot(value) for argument, value in made.items()}
    try:
        with (
            warnings.catch_warnings(),
            no_longer_than(30),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            function(**made)
        ended = "answer"
    except careless.ALSO_RAISES.get(name, ()) as error:
        ended = type(error).__name__
    except (TypeError, ValueError) as error:
        names = {*careless.parameters(function), *made}
        frame = traceback.extract_tb(error.__traceback__)[-1]
        text = str(error)
        if any((name, argument) in careless.CALLED and callable(made[argument]) for argument in odd):
            ended = "what was called raised"
        elif not any(re.search(rf"\b{re.escape(argument)}\b", text) for argument in names):
            ended = (
                f"WRONG: names no argument: {type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"
            )
        elif not frame.filename.startswith(PACKAGE) and frame.filename != __file__:
            ended = f"WRONG: not ours: {type(error).__name__}: {text} ({frame.filename}:{frame.lineno})"
        else:
            ended = type(error).__name__
    except BaseException as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(PACKAGE)]
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
        ended = f"WRONG: {type(error).__name__}: {error!s} ({where})"
    for argument, value in made.items():
        if (name, argument) not in careless.CHANGED and snapshot(value) != before[argument]:
            ended = f"WRONG: {argument} was changed"
    return ended


@pytest.mark.parametrize("name", sorted(careless.functions()))
def test_a_good_call_is_answered(name):
    assert outcome(name, {}) == "answer"


@settings(max_examples=cases(500))
@given(calls())
def test_fuzz_of_careless_calls(call):
    name, odd = call
    ended = outcome(name, odd)
    event(ended.partition(":")[0])  # counted by --hypothesis-show-statistics
    assert not ended.startswith("WRONG"), f"{name}({odd}): {ended}"


def test_exceptions_and_results_are_public_still():
    assert careless.RESULTS | set(careless.EXCEPTIONS) <= set(careless.public())
