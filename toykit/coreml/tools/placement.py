"""Which unit of this Mac would run each operation of a package: Core ML's own plan, as a table.

The plan is `MLComputePlan` of coremltools, which asks Core ML. It is known where Core ML is: on a Mac.
It says what Core ML intends, from an estimate of its own; no prediction is run and nothing is timed.
"""

import sys
import tempfile
from pathlib import Path

from ..._quiet import coremltools, quiet
from ..._rows import Rows
from ...compressed import check_choice
from ..format.program import inner_first

UNITS = ("ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE")
OLDEST = (14, 4)  # the macOS that first answers
_NAMES = {
    "MLCPUComputeDevice": "CPU",
    "MLGPUComputeDevice": "GPU",
    "MLNeuralEngineComputeDevice": "Neural Engine",
}


def compute_units(package, units="ALL"):
    """The unit that Core ML prefers for each operation of a package, on this Mac.

    Parameters
    ----------
    package : str, Path or Package
        An .mlpackage, or a compiled .mlmodelc.
    units : {"ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"}
        What Core ML may choose from.

    Returns
    -------
    Rows
        One for each operation that is planned, in the order of the program, with the columns
        `operator`, `output`, `unit` ("CPU", "GPU" or "Neural Engine"), `supported` (a tuple of them)
        and `share`, the operation's share of the estimated work, or None where Core ML gives none.
        Constants are not planned and have no row.

    Raises
    ------
    RuntimeError
        On any other computer, and on a macOS before 14.4. It says what to do instead.
    FileNotFoundError, ValueError
        If there is no such package, or it is not an ML program, or `units` is unknown.
    """
    path = Path(getattr(package, "path", package))
    check_choice("units", units, UNITS)
    if path.suffix not in (".mlpackage", ".mlmodelc"):
        raise ValueError(f"package must be an .mlpackage or an .mlmodelc; got {path.name!r}")
    if not path.exists():
        raise FileNotFoundError(f"there is no package at {path}")
    if sys.platform != "darwin":
        raise RuntimeError(
            "which unit runs an operation is for Core ML to say, and Core ML runs on Apple's systems only: "
            "run this on a Mac with macOS 14.4 or later, or open the package in Xcode, tab Performance"
        )
    ct = coremltools()
    if ct.utils._macos_version() < OLDEST:
        raise RuntimeError("Core ML tells its plan from macOS 14.4 on; this Mac is older")
    with quiet():
        from coremltools.models.compute_plan import MLComputePlan

    with tempfile.TemporaryDirectory() as folder:
        compiled = str(path)
        if path.suffix == ".mlpackage":
            # The cache of a compiled model goes by its place; this one is asked once and dropped.
            compiled = ct.utils.compile_model(compiled, str(Path(folder) / f"{path.stem}.mlmodelc"))
        plan = MLComputePlan.load_from_path(compiled, compute_units=getattr(ct.ComputeUnit, units))
        return table(plan)


def table(plan):
    """Rows of a `coremltools.models.compute_plan.MLComputePlan`, as `compute_units` returns them."""
    program = plan.model_structure.program
    if program is None:
        raise ValueError("the package is not an ML program: convert it again with convert_to='mlprogram'")
    rows = Rows()
    for function in program.functions.values():
        for operation in inner_first(function.block):
            usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
            if usage is None:
                continue
            cost = plan.get_estimated_cost_for_mlprogram_operation(operation)
            rows.append(
                {
                    "operator": operation.operator_name.rpartition(".")[2],
                    "output": operation.outputs[0].name if operation.outputs else "",
                    "unit": _name(usage.preferred_compute_device),
                    "supported": tuple(_name(device) for device in usage.supported_compute_devices),
                    "share": None if cost is None else float(cost.weight),
                }
            )
    return rows


def _name(device):
    kind = type(device).__name__
    return _NAMES.get(kind, kind)
