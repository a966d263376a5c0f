"""What a missing network means: here, a test that is skipped; in CI, a failure."""

import os

import pytest

from .strangers import Unreachable, Vanished


@pytest.fixture(scope="session")
def at_hand():
    """A function that fetches the files of a stranger, or skips the test where that is no fault."""

    def get(stranger):
        try:
            return stranger.package()
        except Vanished as error:
            pytest.skip(str(error))
        except Unreachable as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))

    return get
