"""How much is tried: a sample in `make test`, all of it in `make test-all`."""

import os

import pytest

NIGHTLY = bool(os.environ.get("TOYKIT_NIGHTLY"))

# For a whole test that takes too long for every change.
nightly = pytest.mark.skipif(not NIGHTLY, reason="long: `make test-all` runs it")


def cases(few=500, many=10_000):
    """Cases of a test by examples or mutants: `few` in `make test`, `many` in `make test-all`."""
    return many if NIGHTLY else few
