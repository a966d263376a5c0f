"""Settings of all tests."""

from hypothesis import settings

from tests.nightly import NIGHTLY

# Deadlines measure the machine, not the code. In `make test` the same examples each time: a failure in CI
# is one here. `make test-all` tries others each day, and prints the seed that repeats them.
settings.register_profile("toykit", deadline=None, derandomize=not NIGHTLY, print_blob=True)
settings.load_profile("toykit")
