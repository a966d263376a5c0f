"""Every operator on numbers without an axis, on computed values and on nothing, as coremltools infers them.

`operators.variants` says how calls are made and what is held against them.
"""

from functools import cache

import pytest

import toykit as tk

pytest.importorskip("coremltools", reason="coremltools has no wheel for this machine")

from tests.nightly import nightly
from tests.parity.operators import elementwise, layers, tensors, variants

TORCH = elementwise.CASES | layers.CASES | tensors.CASES
calls = cache(variants.calls)


def differences(surveyed):
    return [f"{attempt}: {problem}" for attempt, problem, excuse in surveyed if problem and not excuse]


def test_every_operator_has_a_call():
    assert {call.operator for call in calls()} | variants.SPECIAL == set(tk.coreml.OPERATORS)


def test_a_sample_of_values():
    assert not differences(variants.survey(calls(), 16))


@nightly
@pytest.mark.parametrize("operator", sorted(set(tk.coreml.OPERATORS) - variants.SPECIAL))
def test_values_nightly(operator):
    assert not differences(variants.survey([call for call in calls() if call.operator == operator]))


@nightly
@pytest.mark.parametrize("name", TORCH)
def test_values_of_torch_nightly(name):
    found = variants.calls_of(TORCH[name])
    assert not differences(variants.survey([call for call in found if variants.key(call) not in _known()]))


@cache
def _known():
    return {variants.key(call) for call in calls()}


@pytest.mark.parametrize("wrong", ["shape", "numbers"])
def test_a_wrong_operator_is_found(monkeypatch, wrong):
    from dataclasses import replace

    right = tk.coreml.OPERATORS["floor"]
    run = {"shape": lambda xp, x: xp.floor(x).reshape((1, *x.shape)), "numbers": lambda xp, x: xp.round(x)}[
        wrong
    ]
    monkeypatch.setitem(tk.coreml.OPERATORS, "floor", replace(right, run=run))
    assert differences(variants.survey([call for call in calls() if call.operator == "floor"]))
