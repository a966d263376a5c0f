"""Compute units: refused with a sentence where there is no Core ML, read from coremltools' own classes."""

import sys
from types import SimpleNamespace

import pytest

from toykit import coreml
from toykit.coreml.tools import placement

pytest.importorskip("coremltools")
from coremltools.models import compute_device, compute_plan

LEFT, RIGHT = "ios17.matmul", "ios16.cast"


class Proxy:
    """Stands where coremltools expects an object of Core ML's."""


@pytest.fixture
def device(monkeypatch):
    """Make coremltools' device classes accept a stand-in, and return a device by its name."""
    classes = {name: kind for kind, name in placement._NAMES.items()}
    for kind in classes.values():
        monkeypatch.setattr(compute_device, f"_{kind}Proxy", Proxy)
    return lambda name: getattr(compute_device, classes[name])(Proxy())


def operation(name, output, blocks=()):
    kind = compute_plan.MLModelStructureProgramValueType()
    named = compute_plan.MLModelStructureProgramNamedValueType(output, kind)
    return compute_plan.MLModelStructureProgramOperation({}, name, [named], list(blocks), None)


@pytest.fixture
def plan(monkeypatch, device):
    """A plan of coremltools' own class over a program with a loop and a constant."""
    inner = compute_plan.MLModelStructureProgramBlock([], [operation("ios17.add", "y")], ["y"])
    loop = operation("while_loop", "z", [inner])
    operations = [operation("const", "w"), operation(RIGHT, "x16"), loop, operation(LEFT, "out")]
    block = compute_plan.MLModelStructureProgramBlock([], operations, ["out"])
    main = compute_plan.MLModelStructureProgramFunction([], block)
    program = compute_plan.MLModelStructureProgram({"main": main})
    structure = compute_plan.MLModelStructure(None, program, None)
    usage = {"x16": "CPU", "y": "GPU", "z": "CPU", "out": "Neural Engine"}

    class PlanProxy(Proxy):
        model_structure = structure

        def get_compute_device_usage_for_mlprogram_operation(self, one):
            name = usage.get(one.outputs[0].name)
            if name is None:
                return None
            supported = [device("CPU"), device("Neural Engine")]
            return compute_plan.MLComputePlanDeviceUsage(device(name), supported)

        def get_estimated_cost_for_mlprogram_operation(self, one):
            return compute_plan.MLComputePlanCost(0.75) if one.outputs[0].name == "out" else None

    monkeypatch.setattr(compute_plan, "_MLComputePlanProxy", PlanProxy)
    return compute_plan.MLComputePlan(PlanProxy())


def test_the_table_of_a_plan(plan):
    rows = placement.table(plan)
    assert rows.column("operator") == ["cast", "add", "while_loop", "matmul"]  # no constant; inner ones first
    assert rows.column("output") == ["x16", "y", "z", "out"]
    assert rows.column("unit") == ["CPU", "GPU", "CPU", "Neural Engine"]
    assert rows[3] == {
        "operator": "matmul",
        "output": "out",
        "unit": "Neural Engine",
        "supported": ("CPU", "Neural Engine"),
        "share": 0.75,
    }
    assert rows[0]["share"] is None


def test_what_is_asked_of_core_ml_on_a_mac(plan, tmp_path, monkeypatch):
    import coremltools as ct

    asked = []

    class ModelProxy:
        @staticmethod
        def get_compute_plan(path, units):
            asked.append((path, units))
            return plan

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ct.utils, "_macos_version", lambda: (15, 0))
    monkeypatch.setattr(ct.utils, "compile_model", lambda path, to: to)
    monkeypatch.setattr(compute_plan, "_MLModelProxy", ModelProxy)
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    assert len(coreml.compute_units(path, "CPU_AND_NE")) == 4
    assert asked[0][0].endswith("net.mlmodelc") and asked[0][1] == "CPU_AND_NE"
    monkeypatch.setattr(ct.utils, "_macos_version", lambda: (13, 6))
    with pytest.raises(RuntimeError, match="from macOS 14.4 on"):
        coreml.compute_units(path)


@pytest.mark.skipif(sys.platform == "darwin", reason="Core ML is there")
def test_elsewhere_it_says_where_to_go(tmp_path):
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    with pytest.raises(RuntimeError, match="on a Mac with macOS 14.4 or later, or open the package in Xcode"):
        coreml.compute_units(path)


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="units must be one of .ALL"):
        coreml.compute_units(tmp_path / "net.mlpackage", "NE")
    with pytest.raises(ValueError, match="mlpackage"):
        coreml.compute_units(tmp_path / "net.mlmodel")
    with pytest.raises(FileNotFoundError, match="no package at"):
        coreml.compute_units(tmp_path / "net.mlpackage")
    with pytest.raises(ValueError, match="not an ML program"):
        placement.table(SimpleNamespace(model_structure=SimpleNamespace(program=None)))
