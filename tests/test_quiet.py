"""Noise is held back; news is not."""

import logging
import subprocess
import sys
import warnings

import pytest

from toykit import _quiet
from toykit._quiet import quiet


def test_holds_back(capsys, recwarn):
    with quiet():
        print("Running MIL default pipeline:  10%")
        print("bar", file=sys.stderr)
        warnings.warn("traced", stacklevel=1)
        logging.getLogger("coremltools").warning("torch 2.13 has not been tested")
    captured = capsys.readouterr()
    assert captured.out == captured.err == "" and not recwarn.list


def test_errors_and_exceptions_pass(caplog):
    with pytest.raises(ValueError, match="3 bits"), quiet():
        logging.getLogger("coremltools").error("something broke")
        raise ValueError("3 bits need iOS 18")
    assert "something broke" in caplog.text


def test_everything_is_as_before(capsys):
    logger = logging.getLogger("coremltools")
    level, filters = logger.level, list(warnings.filters)
    with quiet():
        pass
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert logger.level == level and list(warnings.filters) == filters
    print("heard")
    assert capsys.readouterr().out == "heard\n"


def test_import_of_coremltools_says_nothing():
    pytest.importorskip("coremltools")
    code = "from toykit._quiet import coremltools; print(coremltools().__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("coremltools\n", "")


def test_missing_coremltools_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ImportError, match=r"needs coremltools .*pip install 'coremltools==9\.0'.*WSL"):
        _quiet.coremltools()
