"""Packages that six versions of Core ML Tools compressed, against what they were made from."""

import pytest

import toykit as tk

from . import fixtures

# Made of other weights, or not compressed, or for an app in another way.
OTHERS = ("plain", "float32", "two functions", "state", "palette unique")
# Version 6 found scales in another way than today's, and those before 8.3 even tables of 256 entries.
OLD = {("6.3", "int8 symmetric"), ("6.3", "int8 affine"), ("6.3", "uint8 affine")}
OLD |= {(version, "palette 8") for version in ("6.3", "7.2", "8.0")}


@pytest.mark.parametrize("version", fixtures.versions())
def test_what_coremltools_wrote_is_verified(version):
    for name in fixtures.index(version)["packages"]:
        system, _, form = name.partition(" ")
        if form in OTHERS:
            continue
        small, plain = (fixtures.Fixture(version, one).path for one in (name, f"{system} plain"))
        tables = "given" if (version, form) in OLD else "derived"
        found = tk.verify(small, plain, samples=1, tables=tables)
        assert found.ok, f"{name}: {found.problems}"
        if tables == "given":
            assert not tk.verify(small, plain, run=False).ok
        exact = all(one.identical for one in found.with_originals.outputs) if found.with_originals else True
        assert exact or "activations" in form, name
