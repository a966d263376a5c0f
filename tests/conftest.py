"""Settings of all tests."""

from hypothesis import settings

from tests.nightly import NIGHTLY

# Deadlines measure the machine, not the code. In `make test` the same examples each time: a failure in CI
# is one here. `make test-all` tries others each day, and prints the seed that repeats them.
settings.register_profile("toykit", deadline=None, derandomize=not NIGHTLY, print_blob=True)
settings.load_profile("toykit")


def pytest_terminal_summary(terminalreporter):
    """Name packages that have vanished from their registry, also where skipped tests are not listed."""
    reasons = {str(report.longrepr[2]) for report in terminalreporter.getreports("skipped")}
    if vanished := sorted(reason for reason in reasons if "has vanished" in reason):
        terminalreporter.section("VANISHED from their registry, and not tested: see tests/zoo", sep="!")
        for reason in vanished:
            terminalreporter.line(reason.removeprefix("Skipped: "))
