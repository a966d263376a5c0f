"""What is tried: what the target can hold and the unit is not advised against."""

import pytest

import toykit as tk
from tests.exploration import nets
from toykit.exploration.settings import ALL, advice, form_of, settings_for


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return {
        version: tk.coreml.Package(nets.chain(folder / f"{version}.mlpackage", version=version))
        for version in (7, 9)
    }


def test_an_older_system_gets_what_it_can_hold(packages):
    old, new = (settings_for(packages[version])[0] for version in (7, 9))
    assert new == list(ALL)
    assert {form_of(one) for one in old} == {"linear", "palette", "pruned"}
    assert all(one.get("bits") != 3 and one["technique"] != "joint" for one in old)
    assert settings_for(packages[7], "iOS18") == (list(ALL), 9)


def test_what_the_guide_advises_against_is_not_tried(packages):
    forms = {
        unit: {form_of(one) for one in settings_for(packages[9], None, unit)[0]} for unit in ("ane", "gpu")
    }
    assert "blocks" not in forms["ane"] and "blocks" in forms["gpu"]


def test_every_setting_says_where_the_guide_speaks_of_it():
    for setting in ALL:
        for unit in ("ane", "gpu", "cpu"):
            found = advice(setting, unit)
            assert found.source.endswith("perf.html") and isinstance(found.says, str)
    assert advice(ALL[4], "ane").says == "best here: less memory, lower latency"
    assert advice(ALL[4], None).says == ""


@pytest.mark.parametrize(
    "version, given, said",
    [
        (9, {"unit": "npu"}, "unit must be"),
        (9, {"target": "iOS12"}, "target must be"),
        (9, {"target": "iOS17"}, "older than the package"),
        (7, {"given": [{"technique": "palettize", "bits": 3}]}, "iOS 18"),
        (9, {"given": [{"technique": "palettize", "bits": 5}]}, "bits"),
    ],
)
def test_what_cannot_be_is_said(packages, version, given, said):
    with pytest.raises(ValueError, match=said):
        settings_for(packages[version], **given)
