"""How much is tried: a sample in `make test`, all of it in `make test-all`."""

import os

import pytest

NIGHTLY = bool(os.environ.get("TOYKIT_NIGHTLY"))

# For a whole test that takes too long for every change.
nightly = pytest.mark.skipif(not NIGHTLY, reason="long: `make test-all` runs it")


def cases(few=500, many=10_000):
    """Cases of a test by examples or mutants: `few` in `make test`, `many` in `make test-all`."""
    return many if NIGHTLY else few


def sampled(cases, daily):
    """Parameters of a test: those in `daily` in `make test`, the others in `make test-all` only.

    The word nightly in their names is what `make test-all` chooses by.
    """
    kept = [(case, case if isinstance(case, tuple) else (case,)) for case in cases]
    return [
        pytest.param(*values, id="-".join(map(str, values)))
        if case in daily
        else pytest.param(*values, id="nightly-" + "-".join(map(str, values)), marks=nightly)
        for case, values in kept
    ]
