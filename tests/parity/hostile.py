"""Change a program and write it again, to see what toykit makes of it."""

import time

import numpy as np
import pytest

import toykit as tk
from tests.parity import running
from tests.parity.operators.case import ProgramCase
from toykit.coreml.format import protobuf

MODEL = "Data/com.apple.CoreML/model.mlmodel"
ALLOWED = (ValueError, TypeError)  # PackageError and UnsupportedOperator are ValueErrors
SOON = 20.0  # seconds, on a busy computer; each of these takes a fraction of one


class Written:
    """A package whose program can be changed and written again."""

    def __init__(self, mlmodel, path):
        self.path = tk.coreml.save(mlmodel, path)
        self.model = protobuf.decode((self.path / MODEL).read_bytes(), "Model")
        self.program = protobuf.decode(self.model["mlProgram"], "Program")
        ((_, function),) = self.program["functions"].items()
        ((_, self.block),) = function["block_specializations"].items()

    def operation(self, kind):
        """The first operation of a kind; an operation stands for itself."""
        if isinstance(kind, dict):
            return kind
        return next(part for part in self.block["operations"] if part["type"] == kind)

    def constant(self, operation, parameter):
        """The value of a parameter, to be changed."""
        (binding,) = self.operation(operation)["inputs"][parameter]["arguments"]
        if "value" in binding:
            return binding["value"]
        maker = next(
            part for part in self.block["operations"] if part["outputs"][0]["name"] == binding["name"]
        )
        maker["outputs"][0]["type"] = maker["attributes"]["val"]["type"]
        return maker["attributes"]["val"]

    def set_ints(self, operation, parameter, *numbers):
        """Give a constant other numbers, and as many as these."""
        value = self.constant(operation, parameter)
        value["immediateValue"]["tensor"] = {"ints": {"values": list(numbers)}}
        if value["type"]["tensorType"].get("rank"):
            # A const declares its type twice, in the same object here.
            value["type"]["tensorType"]["dimensions"][:] = [{"constant": {"size": len(numbers)}}]

    def declare(self, operation, *sizes):
        """What an operation says that it makes; None stands for a size that is not known."""
        kind = self.operation(operation)["outputs"][0]["type"]["tensorType"]
        kind["rank"] = len(sizes)
        kind["dimensions"] = [
            {"unknown": {"variadic": False}} if size is None else {"constant": {"size": size}}
            for size in sizes
        ]

    def write(self):
        self.model["mlProgram"] = protobuf.encode(self.program, "Program")
        (self.path / MODEL).write_bytes(protobuf.encode(self.model, "Model"))
        return self.path


def predict(path, **options):
    """Load and predict with ones."""
    model = tk.coreml.load(path, **options)
    inputs = {name: np.ones(feature.shape, np.float32) for name, feature in model.inputs.items()}
    return model.predict(inputs)


def refused(path, reason, **options):
    start = time.perf_counter()
    with pytest.raises(tk.coreml.PackageError, match=reason) as caught:
        predict(path, **options)
    assert time.perf_counter() - start < SOON
    assert str(path) in str(caught.value)


def program(tmp_path, build, **inputs):
    case = ProgramCase("hostile", build, inputs or {"x": np.ones((2, 3), np.float32)})
    return Written(running.program(case), tmp_path / "m.mlpackage")
