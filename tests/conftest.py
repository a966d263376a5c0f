"""Settings of all tests."""

from hypothesis import settings

# Deadlines measure the machine, not the code. The same examples each time: a failure in CI is one here.
settings.register_profile("toykit", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("toykit")
