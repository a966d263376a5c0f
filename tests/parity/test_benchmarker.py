"""What chapter 15 says about the benchmarker of Core ML Tools, held against its own code without a Mac.

The benchmarker gets a stand-in for the loaded model, whose times and plan are known. If a later
version of coremltools behaves differently, one of these fails, and the chapter has to be rewritten.
"""

import asyncio

import pytest

from toykit import coreml, quiet

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools")

with quiet():
    from coremltools.models import compute_plan
    from coremltools.models.ml_program.experimental import perf_utils

TIMES = (9e6, 2e6, 4e6, 3e6)  # nanoseconds; the first is the warm-up


def structure_of(spec):
    """The program of a spec in coremltools' classes, as Core ML would return it."""
    kind = compute_plan.MLModelStructureProgramValueType()

    def named(name):
        return compute_plan.MLModelStructureProgramNamedValueType(name, kind)

    (name, function), *_ = spec.mlProgram.functions.items()
    block = function.block_specializations[function.opset]
    operations = [
        compute_plan.MLModelStructureProgramOperation(
            {}, operation.type, [named(out.name) for out in operation.outputs], [], None
        )
        for operation in block.operations
    ]
    inner = compute_plan.MLModelStructureProgramBlock([], operations, list(block.outputs))
    main = compute_plan.MLModelStructureProgramFunction([], inner)
    return compute_plan.MLModelStructure(None, compute_plan.MLModelStructureProgram({name: main}), None)


class LoadedModel:
    """Stands in for a model on a device: known times, and a plan in which a convolution is 3/4 of the work."""

    load_duration_in_nano_seconds = 5_000_000

    def __init__(self, spec):
        self.times, self.structure = iter(TIMES), structure_of(spec)

    def make_state_if_needed(self):
        return None

    async def predict(self, inputs, state):
        self.last_predict_duration_in_nano_seconds = next(self.times)

    async def unload(self):
        pass

    async def retrieve_compute_plan(self):
        return self

    @property
    def model_structure(self):
        return self.structure

    def get_compute_device_usage_for_mlprogram_operation(self, operation):
        return None

    def get_estimated_cost_for_mlprogram_operation(self, operation):
        shares = {"conv": 0.75, "relu": 0.25}
        share = shares.get(operation.operator_name.rpartition(".")[2])
        return None if share is None else compute_plan.MLComputePlanCost(share)


@pytest.fixture
def benchmarker(monkeypatch):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    model = coreml.convert(network, torch.zeros(1, 3, 8, 8), check=False)

    async def loaded(model, device):
        return LoadedModel(model.get_spec())

    monkeypatch.setattr(perf_utils.MLModelBenchmarker, "_create_loaded_model", staticmethod(loaded))
    return perf_utils.MLModelBenchmarker(model)


def test_times_are_milliseconds_and_the_warm_up_is_left_out(benchmarker):
    assert asyncio.run(benchmarker.benchmark_load(iterations=3)).samples == [5.0] * 3
    runs = asyncio.run(benchmarker.benchmark_predict(iterations=3, warmup=True))
    assert runs.samples == [2.0, 4.0, 3.0] and runs.statistics.median == 3.0


def test_times_of_operations_are_shares_of_the_whole(benchmarker):
    found = asyncio.run(benchmarker.benchmark_operation_execution(iterations=3, warmup=True))
    times = {info.spec.type: info.measurement.samples for info in found}
    assert times["conv"] == [1.5, 3.0, 2.25] and times["relu"] == [0.5, 1.0, 0.75]
    # The guide's example asks for `.statistics` of an operation, which has none.
    assert found[0].spec.type == "conv" and not hasattr(found[0], "statistics")
