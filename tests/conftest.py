"""Settings of all tests."""

import pytest
from hypothesis import settings

from book._tools.trained_networks import missing
from tests.nightly import NIGHTLY

# Modules whose examples read files that `make networks` brings.
_READ_FILES = {
    "toykit.models.sentence_encoder": "minilm",
    "toykit.data.word_pieces": "minilm",
    "toykit.data.words": "minilm",
    "toykit.models.text_reader": "ocr_reader",
    "toykit.data.sentences": "sentences",
    "toykit.models.tiny_package": "tiny_crepe",
}

# Deadlines measure the machine, not the code. In `make test` the same examples each time: a failure in CI
# is one here. `make test-all` tries others each day, and prints the seed that repeats them.
settings.register_profile("toykit", deadline=None, derandomize=not NIGHTLY, print_blob=True)
settings.load_profile("toykit")


@pytest.fixture(scope="module")
def one_thread():
    """torch on one thread: what it answers then does not depend on the machine's cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_collection_modifyitems(items):
    """Skip examples whose files nobody has brought, as the tests beside them do."""
    for item in items:
        part = isinstance(item, pytest.DoctestItem) and _READ_FILES.get(item.name.rpartition(".")[0])
        if part and missing(part):
            item.add_marker(pytest.mark.skip(reason=f"{part} is not there: 'make networks' brings it"))


def pytest_terminal_summary(terminalreporter):
    """Say what was not tested for want of a package, also where skipped tests are not listed."""
    reasons = {str(report.longrepr[2]) for report in terminalreporter.getreports("skipped")}
    if vanished := sorted(reason for reason in reasons if "has vanished" in reason):
        terminalreporter.section("VANISHED from their registry, and not tested: see tests/zoo", sep="!")
        for reason in vanished:
            terminalreporter.line(reason.removeprefix("Skipped: "))
    if missing := sorted(
        reason for reason in reasons if "cannot be had" in reason or "Firefox was not" in reason
    ):
        terminalreporter.section("NOT TESTED: Python in the page", sep="!")
        for reason in missing:
            terminalreporter.line(reason.removeprefix("Skipped: "))
