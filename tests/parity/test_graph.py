"""Programs as graphs, against coremltools' own reading of the same packages."""

import math

import pytest

ct = pytest.importorskip("coremltools")
pytest.importorskip("torch")

import toykit as tk
from toykit._quiet import quiet
from toykit.coreml import Package, PackageError
from toykit.coreml.constants.reading import CONSTEXPR
from toykit.coreml.format.program import Operation, Type, Value
from toykit.coreml.view import graph, meanings, wording

from . import inside


def specification(path):
    """The operations of the main function as coremltools' protobuf classes hold them, inner ones after their owner."""
    with quiet():
        function = ct.utils.load_spec(str(path)).mlProgram.functions["main"]

    def walk(block, depth):
        for operation in block.operations:
            yield operation, depth
            for inner in operation.blocks:
                yield from walk(inner, depth + 1)

    return list(walk(function.block_specializations[function.opset], 0))


@pytest.mark.parametrize("name", inside.NAMES)
def test_steps_inputs_and_places_are_those_of_the_specification(name):
    path = inside.package(name)
    found, expected = graph.read_graph(path), specification(path)
    places = {  # what a constant lies in the weight file as: its name -> the record
        operation.outputs[0].name: operation.attributes["val"].blobFileValue.offset
        for operation, _ in expected
        if operation.type == "const" and operation.attributes["val"].HasField("blobFileValue")
    }
    constants = {operation.outputs[0].name for operation, _ in expected if operation.type == "const"}
    steps = [(operation, depth) for operation, depth in expected if operation.type != "const"]
    assert len(found.steps) == len(steps)
    for step, (operation, depth) in zip(found.steps, steps):
        assert (step.op, step.depth, list(step.outputs)) == (
            operation.type,
            depth,
            [o.name for o in operation.outputs],
        )
        names, records = [], []
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                if binding.HasField("value"):
                    blob = binding.value.HasField("blobFileValue")
                    records += [binding.value.blobFileValue.offset] if blob else []
                elif binding.name in places:
                    records.append(places[binding.name])
                elif binding.name not in constants:
                    names.append(binding.name)
        records += [
            value.blobFileValue.offset
            for value in operation.attributes.values()
            if value.HasField("blobFileValue")
        ]
        assert sorted(name for _, name in step.inputs) == sorted(names)
        assert sorted(constant.blob.offset for constant in step.constants) == sorted(records)


@pytest.mark.parametrize("name", inside.NAMES)
def test_every_byte_of_data_is_a_constant_of_some_step(name):
    package = Package(inside.package(name))
    blobs = {c.blob.offset: c.blob for step in graph.read_graph(package).steps for c in step.constants}
    assert sorted(blobs) == [blob.offset for blob in package.weight_blobs]
    assert sum(blob.nbytes for blob in blobs.values()) == sum(
        row.nbytes for row in tk.size.ledger(package).rows
    )
    for blob in blobs.values():  # the bytes are where it says
        assert blob.path.read_bytes()[blob.start : blob.start + blob.nbytes] == blob.packed.tobytes()


def test_edges_lead_from_the_step_that_makes_a_result():
    found = graph.read_graph(inside.package("unet"))
    edges = found.edges()
    assert all(a < b for a, b in edges)
    shortcuts = [(a, b) for a, b in edges if found.steps[b].op == "concat" and b - a > 1]
    assert len(shortcuts) == 2 and all(found.steps[a].op == "relu" for a, _ in shortcuts)
    for (a, b), names in edges.items():
        assert set(names) <= set(found.steps[a].outputs) & {name for _, name in found.steps[b].inputs}


def test_small_constants_are_settings_and_large_ones_are_not():
    conv = next(step for step in graph.read_graph(inside.package("plain")).steps if step.op == "conv")
    assert conv.settings["strides"] == "[1, 1]" and conv.settings["pad_type"] == "custom"
    assert [constant.parameter for constant in conv.constants] == ["weight", "bias"]
    assert conv.constants[0].name == "conv_weight_to_fp16" and conv.constants[0].form == "float16"


def test_forms_and_techniques():
    def told(name):
        steps = graph.read_graph(inside.package(name)).steps
        return {(step.op, step.form, step.technique) for step in steps if step.decompresses}, {
            constant.technique for step in steps for constant in step.constants
        }

    assert told("plain") == (set(), {"dense"})
    palette = ("constexpr_lut_to_dense", "4-bit palette, 1 table", "palettization")
    assert told("palette") == ({palette}, {"dense", "palettization"})
    joint, techniques = told("joint")
    assert techniques == {"dense", "joint"} and {op for op, *_ in joint} == {
        "constexpr_lut_to_sparse",
        "constexpr_sparse_to_dense",
    }
    assert all(technique == "joint" for *_, technique in joint)
    assert ("constexpr_sparse_to_dense", "60.0 % zero, float16", "joint") in joint


@pytest.mark.parametrize(
    "steps, form, technique",
    [
        ([("quantize", {"bits": 8})], "int8, a scale for each of 131 channels", "quantization"),
        (
            [("quantize", {"bits": 4, "granularity": "per_block", "block_size": 16})],
            "int4, 1,048 scales",
            "quantization",
        ),
        ([("palettize", {"bits": 2, "group_size": 32})], "2-bit palette, 2 tables", "palettization"),
        (
            [("palettize", {"bits": 4, "cluster_dim": 2})],
            "4-bit palette, 1 table of vectors of 2",
            "palettization",
        ),
        ([("prune", {"sparsity": 0.75})], "75.0 % zero, float16", "pruning"),
    ],
)
def test_forms_in_words(tmp_path, steps, form, technique):
    from . import architectures

    model = tk.coreml.convert(*architectures.build("pointwise"), target="iOS18", check=False)
    for name, options in steps:
        model = tk.coreml.compress(model, name, **options)
    found = graph.read_graph(tk.coreml.save(model, tmp_path / "small.mlpackage")).steps
    assert (form, technique) in {(step.form, step.technique) for step in found}


@pytest.mark.parametrize(
    "scale, form",
    [
        ((8, 1), "int4, a scale for each of 8 channels"),
        ((1, 64), "int4, a scale for each of 64 channels"),
        ((1, 8), "int4, 8 scales"),  # blocks of 8: as many as there are rows, by chance
        ((1, 1), "int4, 1 scale"),
        ((8,), "int4, a scale for each of 8 channels"),
        ((), "int4, 1 scale"),
    ],
)
def test_scales_are_of_channels_only_along_a_whole_axis(scale, form):
    weight = {"w": Type("tensor", "float16", (8, 64))}
    types = {"data": Type("tensor", "int4", (8, 64)), "scale": Type("tensor", "float16", scale)}
    assert (
        wording.form_of(Operation("constexpr_blockwise_shift_scale", "q", {}, weight, {}, []), types) == form
    )


def test_a_function_that_is_not_there_and_parts_without_shapes_are_told():
    with pytest.raises(ValueError, match="function must be one of the package's: 'main'; got 'other'"):
        graph.read_graph(inside.package("plain"), "other")
    lut = Value(Type("tensor", "float16", ()))
    broken = Operation(
        "constexpr_lut_to_dense", "odd", {}, {"w": Type("tensor", "float16", (2,))}, {"lut": lut}, []
    )
    with pytest.raises(
        PackageError, match="constexpr_lut_to_dense 'odd': its parts are not tensors of known shapes"
    ):
        graph._Reader().step(broken, 0)


def test_every_operator_that_can_run_or_decompress_has_a_sentence():
    assert set(meanings.MEANINGS) == set(tk.coreml.OPERATORS) | CONSTEXPR
    assert all(text.endswith(".") and len(text) <= 90 for text in meanings.MEANINGS.values())


def test_the_weight_file_is_header_records_and_data():
    package = Package(inside.package("joint"))
    (file,) = package.weight_files.values()
    end = 64
    for blob in file.blobs():
        assert blob.offset == math.ceil(end / 64) * 64 and blob.start == blob.offset + 64
        end = blob.start + blob.nbytes
    assert end == file.nbytes
