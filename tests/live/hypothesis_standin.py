"""What stands for hypothesis in the page, where its compiled part does not exist: tests that it draws are skipped."""

import sys
from unittest.mock import MagicMock

import pytest


def given(*drawn, **named):
    return pytest.mark.skip(reason="drawn by hypothesis")


def settings(*drawn, **named):
    return lambda function: function


example = settings
assume = event = HealthCheck = strategies = MagicMock()
strategies.composite = lambda function: MagicMock()
__path__ = []
if (
    __name__ == "hypothesis"
):  # as it is called in the page: pytest, looking for doctests, imports it here as well
    for name in ("strategies", "extra", "extra.numpy"):
        sys.modules[f"hypothesis.{name}"] = strategies
