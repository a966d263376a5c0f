"""What a missing network means: here, a test that is skipped; in CI, a failure."""

import os

import pytest

from book._tools.fetch import Unreachable, Vanished

# It runs in the environments of other versions of coremltools, and imports its neighbour as they do.
collect_ignore = ["write_fixtures.py"]


@pytest.fixture(scope="session")
def at_hand():
    """A function that gives the package of a stranger, or skips the test where it is no fault that it cannot."""

    def get(stranger, what=lambda stranger: stranger.package()):
        try:
            return what(stranger)
        except Vanished as error:
            pytest.skip(str(error))
        except Unreachable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))

    return get
