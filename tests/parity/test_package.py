"""The reader of packages against coremltools' own definitions, and against files that lie."""

import json
import os
import shutil
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ct = pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")

import contextlib

import toykit as tk
from toykit._quiet import quiet
from toykit.coreml import Package, PackageError
from toykit.coreml.format import package as package_module
from toykit.coreml.format import protobuf, schema, weightbin

from . import architectures, sizes

MODEL = "Data/com.apple.CoreML/model.mlmodel"
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def packages(folder):
    """Every architecture as converted, and one of them in many compressed forms."""
    torch.set_num_threads(1)
    paths = []
    for name in architectures.EXAMPLES:
        mlmodel = tk.coreml.convert(*architectures.build(name), target="iOS18", check=False)
        paths.append(tk.coreml.save(mlmodel, folder / f"{name}.mlpackage"))
    for target, cases in (("iOS16", sizes.OLD), ("iOS18", sizes.NEW)):
        mlmodel = tk.coreml.convert(*architectures.build("pointwise"), target=target, check=False)
        for number, (technique, options) in enumerate(cases):
            small = tk.coreml.compress(mlmodel, technique, engine="coremltools", **options)
            paths.append(tk.coreml.save(small, folder / f"{target}-{number}.mlpackage"))
    return paths


@pytest.fixture
def package(packages, tmp_path):
    """A copy of a small package, to be spoilt."""
    return shutil.copytree(packages[1], tmp_path / "spoilt.mlpackage")


class TestSchema:
    """Every line of the tables is what coremltools says."""

    FILES = ("Model_pb2", "FeatureTypes_pb2", "MIL_pb2")
    KINDS = {"int32": "int", "int64": "int", "enum": "int", "uint64": "uint"}

    def descriptor(self, name):
        from coremltools import proto

        outer, *inner = name.split(".")
        for file in self.FILES:
            message = getattr(proto, file).DESCRIPTOR.message_types_by_name.get(outer)
            if message is not None:
                for part in inner:
                    message = message.nested_types_by_name[part]
                return message
        raise AssertionError(f"coremltools has no message {name}")

    def kind(self, field):
        kinds = vars(type(field)).items()
        name = next(name[5:].lower() for name, code in kinds if name[:5] == "TYPE_" and code == field.type)
        if name == "message":
            return field.message_type.full_name.removeprefix("CoreML.Specification.").removeprefix("MILSpec.")
        return self.KINDS.get(name, name)

    @pytest.mark.parametrize("name", schema.MESSAGES)
    def test_message(self, name):
        fields = self.descriptor(name).fields_by_number
        for number, (field_name, kind, label) in schema.MESSAGES[name].items():
            field = fields[number]
            assert field.name == field_name
            if name == "Model" and number in schema.MODEL_KINDS:
                continue  # kept as bytes: most are never read
            if label == "map":
                entry = field.message_type.fields_by_name
                assert field.message_type.GetOptions().map_entry and self.kind(entry["key"]) == "string"
                assert self.kind(entry["value"]) == kind
            else:
                assert self.kind(field) == kind and field.is_repeated == (label == "repeated")

    def test_model_kinds_are_complete(self):
        oneof = self.descriptor("Model").oneofs_by_name["Type"]
        assert {field.number: field.name for field in oneof.fields} == schema.MODEL_KINDS

    def test_element_types(self):
        from coremltools.proto import FeatureTypes_pb2, MIL_pb2

        names = {value.number: value.name.lower() for value in MIL_pb2.DataType.DESCRIPTOR.values}
        del names[0]
        assert {code: name for code, (name, _) in schema.DTYPES.items()} == names
        arrays = FeatureTypes_pb2.ArrayFeatureType.ArrayDataType
        for code, name in schema.ARRAY_DTYPES.items():
            assert arrays.Name(code).lower() == {"float64": "double"}.get(name, name)
        for code, name in schema.COLOR_SPACES.items():
            assert FeatureTypes_pb2.ImageFeatureType.ColorSpace.Name(code) == name


def same(decoded, message):
    """Whether a decoded dict says what a protobuf message says."""
    listed = {field.name: value for field, value in message.ListFields()}
    assert set(decoded) == set(listed)
    for name, value in listed.items():
        ours = decoded[name]
        if hasattr(value, "items"):
            assert set(ours) == set(value)
            for key in value:
                same(ours[key], value[key]) if isinstance(ours[key], dict) else _equal(ours[key], value[key])
        elif hasattr(value, "ListFields"):
            same(ours, value)
        elif isinstance(value, (str, bytes, int, float, bool)):
            _equal(ours, value)
        else:
            assert len(ours) == len(value)
            for one, other in zip(ours, value, strict=True):
                same(one, other) if isinstance(one, dict) else _equal(one, other)
    return True


def _equal(ours, theirs):
    assert bytes(ours) == theirs if isinstance(theirs, bytes) else ours == theirs


class TestAgainstProtobuf:
    def test_programs_and_descriptions(self, packages):
        from coremltools.proto import MIL_pb2, Model_pb2

        for path in packages:
            package = Package(path)
            model = Model_pb2.Model.FromString((path / MODEL).read_bytes())
            program = protobuf.decode(package.program_bytes, "Program")
            assert same(program, model.mlProgram)
            assert MIL_pb2.Program.FromString(protobuf.encode(program, "Program")) == model.mlProgram
            assert len(protobuf.encode(program, "Program")) == len(package.program_bytes)
            whole = protobuf.decode((path / MODEL).read_bytes(), "Model")
            assert same(whole["description"], model.description)
            assert package.spec_version == model.specificationVersion

    def test_numbers_of_every_kind(self):
        from coremltools.proto import FeatureTypes_pb2, MIL_pb2

        size = FeatureTypes_pb2.SizeRange(lowerBound=2**64 - 1, upperBound=-1)
        decoded = protobuf.decode(size.SerializeToString(), "SizeRange")
        assert decoded == {"lowerBound": 2**64 - 1, "upperBound": -1}
        tensor = MIL_pb2.TensorValue()
        tensor.floats.values.extend([1.5, -np.inf])
        decoded = protobuf.decode(tensor.SerializeToString(), "TensorValue")
        assert decoded["floats"]["values"].tolist() == [1.5, -np.inf]
        assert protobuf.encode(decoded, "TensorValue") == tensor.SerializeToString()
        # Numbers need not be packed, and may come in several pieces.
        decoded = protobuf.decode(b"\x0a\x02\x01\x02\x08\x03", "TensorValue.RepeatedInts")
        assert decoded == {"values": [1, 2, 3]}

    @given(st.binary(max_size=60))
    @settings(max_examples=300)
    def test_any_bytes(self, content):
        for message in ("Model", "Program", "Operation", "Value"):
            with contextlib.suppress(PackageError):
                protobuf.decode(content, message)

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"\x0a\xff\xff\xff\xff\x0f", "claims 4294967295 bytes, 0 are left"),
            (b"\x08" + b"\xff" * 11, "more than ten bytes"),
            (b"\x08\x80", "ends inside a number"),
            (b"\x0b", "wire type 3"),
            (b"\x00\x00", "number 0"),
            (b"\x08\x01", "FeatureDescription.name has wire type 0, not that of string"),
            (b"\x0a\x01\xff", "not text in UTF-8"),
        ],
    )
    def test_reasons(self, content, reason):
        with pytest.raises(PackageError, match=reason):
            protobuf.decode(content, "FeatureDescription")

    def test_depth(self):
        content = b""
        for _ in range(200):  # a block in an operation in a block ...
            content = protobuf._field(4, protobuf._field(3, content, "bytes"), "bytes")
        with pytest.raises(PackageError, match="nested more than 100 deep"):
            protobuf.decode(content, "Operation")


class TestWeightFile:
    @pytest.fixture
    def written(self, tmp_path):
        """A weight file with every type that coremltools writes, and what is in it."""
        from coremltools.libmilstoragepython import _BlobStorageWriter

        rng = np.random.default_rng(0)
        writer, arrays = _BlobStorageWriter(str(tmp_path / "weight.bin")), {}
        floats = rng.normal(size=37).astype(np.float32)
        arrays[writer.write_float_data(floats)] = ("float32", floats)
        halves = floats.astype(np.float16)
        arrays[writer.write_fp16_data(halves.view(np.uint16))] = ("float16", halves)
        for bits in (8, 16, 32):
            for sign in ("", "u"):
                kind = np.dtype(f"{sign}int{bits}")
                numbers = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, 65, kind)
                arrays[getattr(writer, f"write_{kind}_data")(numbers)] = (str(kind), numbers)
        for bits in (1, 2, 3, 4, 6):
            codes = rng.integers(0, 1 << bits, 77).astype(np.uint8)
            arrays[getattr(writer, f"write_uint{bits}_data")(codes)] = (f"uint{bits}", codes)
        signed = rng.integers(-8, 8, 77).astype(np.int8)
        arrays[writer.write_int4_data(signed)] = ("int4", signed)
        del writer
        return tmp_path / "weight.bin", arrays

    def test_every_type(self, written):
        path, arrays = written
        weights = weightbin.WeightFile(path)
        assert [blob.offset for blob in weights.blobs()] == list(arrays)
        for offset, (dtype, values) in arrays.items():
            blob = weights.blob(offset)
            assert (blob.dtype, blob.count) == (dtype, values.size)
            assert np.array_equal(blob.array(), values)
        assert weightbin.size(blob.nbytes for blob in weights.blobs()) == path.stat().st_size

    def test_a_large_array_is_mapped_not_read(self, tmp_path):
        path = tmp_path / "weight.bin"
        record = struct.pack("<IIQQQ", weightbin.SENTINEL, 1, 2**33, 128, 0)
        with path.open("wb") as file:  # 8 GiB that take no room on disk
            file.write(struct.pack("<II", 1, 2).ljust(64, b"\0") + record.ljust(64, b"\0"))
            file.truncate(128 + 2**33)
        array = weightbin.WeightFile(path).blob(64).array()
        assert array.size == 2**32 and array[-1] == 0

    @pytest.mark.parametrize(
        ("position", "content", "reason"),
        [
            (4, struct.pack("<I", 3), "version 3"),
            (64, b"\0", "no array lies here"),
            (68, struct.pack("<I", 99), "element type 99 is unknown"),
            (72, struct.pack("<Q", 2**40), "past the end of the file"),
            (80, struct.pack("<Q", 2**63), "past the end of the file"),
            (80, struct.pack("<Q", 129), "no whole float32s"),
            (72, struct.pack("<Q", 147), "no whole float32s"),
        ],
    )
    def test_spoilt_records(self, written, position, content, reason):
        path, _ = written
        with path.open("r+b") as file:
            file.seek(position)
            file.write(content)
        with pytest.raises(PackageError, match=reason):
            weightbin.WeightFile(path).blob(64)

    def test_reserved_bytes_can_be_anything(self, written):
        """coremltools before 8 left them as memory was; only elements of fewer than 8 bits count theirs."""
        path, arrays = written
        content, noise = bytearray(path.read_bytes()), np.random.default_rng(0)
        for offset, (dtype, _) in arrays.items():
            start = offset + (24 if weightbin.BITS[dtype] >= 8 else 32)
            content[start : offset + 64] = noise.integers(1, 256, offset + 64 - start, np.uint8).tobytes()
        path.write_bytes(content)
        self.test_every_type(written)

    @pytest.mark.parametrize("unused", [2, 8, 2**63])
    def test_spoilt_count_of_unused_bits(self, written, unused):
        path, arrays = written
        offset = next(offset for offset, (dtype, _) in arrays.items() if dtype == "uint3")
        with path.open("r+b") as file:
            file.seek(offset + 24)
            file.write(struct.pack("<Q", unused))
        with pytest.raises(PackageError, match="no whole uint3s"):
            weightbin.WeightFile(path).blob(offset)

    @pytest.mark.parametrize("offset", [0, 63, 65, 2**40, -64])
    def test_places_without_an_array(self, written, offset):
        with pytest.raises(PackageError, match="no array lies here|not a multiple"):
            weightbin.WeightFile(written[0]).blob(offset)

    def test_records_that_lead_in_circles(self, written):
        path, _ = written
        with path.open("r+b") as file:
            file.write(struct.pack("<I", 2**32 - 1))
            file.seek(80)
            file.write(struct.pack("<Q", 0))
        with pytest.raises(PackageError, match="starts before its end"):
            weightbin.WeightFile(path).blobs()

    def test_a_file_that_cannot_be_mapped_is_read_array_by_array(self, written, monkeypatch):
        """So it is in a browser."""
        monkeypatch.setattr(weightbin, "_READ_AT_ONCE", 0)
        monkeypatch.setattr(weightbin, "CAN_MAP", False)
        self.test_every_type(written)
        self.test_records_that_lead_in_circles(written)

    @pytest.mark.parametrize("read_at_once, can_map", [(0, True), (0, False), (2**20, True)])
    def test_a_file_that_is_cut_while_in_use(self, written, monkeypatch, read_at_once, can_map):
        """What is mapped ends the process when it is read behind the end; it must not come to that."""
        path, arrays = written
        monkeypatch.setattr(weightbin, "_READ_AT_ONCE", read_at_once)
        monkeypatch.setattr(weightbin, "CAN_MAP", can_map)
        weights = weightbin.WeightFile(path)
        *_, last = weights.blobs()
        path.write_bytes(path.read_bytes()[:100])
        if read_at_once:
            assert np.array_equal(last.array(), arrays[last.offset][1])
        else:
            with pytest.raises(PackageError, match="was cut from .* bytes to 100 while it was in use"):
                last.array()

    def test_too_short(self, tmp_path):
        (tmp_path / "weight.bin").write_bytes(b"\x01")
        with pytest.raises(PackageError, match="its header alone takes 64"):
            weightbin.WeightFile(tmp_path / "weight.bin")


class TestPackage:
    def test_constants_are_the_networks(self, packages, folder):
        network, _ = architectures.build("pointwise")
        package = Package(folder / "pointwise.mlpackage")
        constants = {
            next(iter(operation.outputs)): operation.attributes["val"].numpy()
            for operation in package.program.walk()
            if operation.op == "const"
        }
        weight = constants["layers_2_weight_to_fp16"]
        assert np.array_equal(weight, network.layers[2].weight.detach().numpy().astype(np.float16))
        assert constants["input_5_pad_type_0"] == "valid"
        assert constants["input_5_strides_0"].tolist() == [1, 1]
        assert constants["input_5_groups_0"] == 1

    def test_graph_is_whole(self, packages):
        for path in packages:
            package = Package(path)
            (function,) = package.program.functions.values()
            known = set(function.inputs)
            for operation in function.block.walk():
                arguments = [argument for values in operation.inputs.values() for argument in values]
                assert known.issuperset(name for name in arguments if isinstance(name, str)), operation
                known |= set(operation.outputs)
            assert known.issuperset(function.block.outputs)
            assert package.nbytes == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
            assert repr(package).startswith(f"Package('{path.name}', ")

    def test_flexible_inputs(self, tmp_path):
        network = torch.nn.Conv2d(3, 4, 3).eval()
        shape = ct.Shape((1, 3, ct.RangeDim(8, 64, default=16), 32))
        listed = ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 16, 16)])
        image = ct.ImageType(name="x", shape=(1, 3, 24, 40), color_layout=ct.colorlayout.BGR)
        inputs = []
        example = torch.zeros(1, 3, 16, 32)
        for kind in (ct.TensorType(name="x", shape=shape), ct.TensorType(name="x", shape=listed), image):
            mlmodel = tk.coreml.convert(network, example, target="iOS16", inputs=[kind], check=False)
            package = Package(tk.coreml.save(mlmodel, tmp_path / "flexible.mlpackage"))
            inputs.append(package.description.inputs["x"])
        ranged, listed, image = inputs
        assert ranged.ranges == ((1, 1), (3, 3), (8, 64), (32, 32)) and ranged.shape == (1, 3, 16, 32)
        assert listed.shapes == ((1, 3, 8, 8), (1, 3, 16, 16))
        assert (image.kind, image.shape, image.color) == ("image", (24, 40), "BGR")

    def test_needs_no_coremltools(self, packages):
        import subprocess
        import sys

        code = (
            "import sys; sys.modules['coremltools'] = sys.modules['google'] = sys.modules['torch'] = None\n"
            "import toykit as tk\n"
            f"print(tk.size.ledger({str(packages[1])!r}).after('quantize').exact)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "True\n"


def place(**changes):
    """A change of where a constant lies."""
    return lambda value, _: value["blobFileValue"].update(changes)


def tensor(**changes):
    """A change of a constant's type."""
    return lambda value, _: value["type"]["tensorType"].update(changes)


def main(program):
    """The block of the main function."""
    (block,) = program["functions"]["main"]["block_specializations"].values()
    return block


def first(**changes):
    """A change of the operation that makes the first large constant."""

    def change(value, program):
        makers = [o for o in main(program)["operations"] if o["attributes"].get("val") is value]
        makers[0].update(changes)

    return change


class TestBadPackages:
    def refuse(self, path, reason):
        with pytest.raises(PackageError, match=reason) as caught:
            Package(path)
        assert str(path) in str(caught.value)

    def test_not_a_package(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no package at"):
            Package(tmp_path / "gone.mlpackage")
        (tmp_path / "old.mlmodel").write_bytes(b"\x08\x01")
        self.refuse(tmp_path / "old.mlmodel", "an .mlmodel file has no ML program")

    def test_a_folder_is_not_listed_before_it_is_a_package(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "walk", lambda path: pytest.fail("listed"))
        self.refuse(tmp_path, "has no Manifest.json, so it is not a package")

    def test_more_files_than_a_package_has(self, package, monkeypatch):
        monkeypatch.setattr(package_module, "_MOST_FILES", 2)
        self.refuse(package, "more than 2 files")

    def test_fields_are_limited(self, package):
        whole = Package(package)
        with pytest.raises(
            PackageError, match=r"more than 100 fields; raise the limit with Package\(path, field"
        ):
            Package(package, field_limit=100)
        assert repr(Package(package, field_limit=10**6)) == repr(whole)

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
    def test_a_file_that_may_not_be_read(self, package):
        (package / MODEL).chmod(0)
        self.refuse(package, "model.mlmodel cannot be read: Permission denied")

    def test_names_do_not_reach_the_terminal_as_they_are(self, package):
        self.spoil(package, lambda _, program: program["functions"]["main"].update(opset="\x1b[2J"))
        with pytest.raises(PackageError) as caught:
            Package(package)
        assert str(caught.value).isprintable() and "\\x1b[2J" in str(caught.value)

    def test_neural_network(self, tmp_path):
        with quiet():
            mlmodel = ct.convert(
                torch.jit.trace(torch.nn.Linear(3, 2).eval(), torch.zeros(1, 3)),
                inputs=[ct.TensorType(shape=(1, 3))],
                convert_to="neuralnetwork",
            )
            mlmodel.save(str(tmp_path / "old.mlpackage"))
        self.refuse(tmp_path / "old.mlpackage", "of type neuralNetwork, not an ML program")
        with pytest.raises(ValueError, match="neuralNetwork, not an ML program"):
            tk.size.ledger(tmp_path / "old.mlpackage")
        with pytest.raises(ValueError, match="the MLModel is not a package|neuralNetwork, not an ML program"):
            tk.size.ledger(mlmodel)

    @pytest.mark.parametrize(
        ("manifest", "reason"),
        [
            (b"", "not JSON"),
            (b"\xff", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"{}", "does not say where the model is"),
            (b"[]", "does not say where the model is"),
            (b'{"rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path": 3}}}', "gives 3 as the path"),
        ],
    )
    def test_manifest(self, package, manifest, reason):
        (package / "Manifest.json").write_bytes(manifest)
        self.refuse(package, reason)

    @pytest.mark.parametrize(
        "path", ["../../outside", "/etc/hostname", "gone", "com.apple.CoreML", "a\0b", "a" * 5000]
    )
    def test_manifest_that_points_elsewhere(self, package, path):
        (package.parent / "outside").write_bytes(b"\x08\x01")
        manifest = {"rootModelIdentifier": "a", "itemInfoEntries": {"a": {"path": path}}}
        (package / "Manifest.json").write_text(json.dumps(manifest))
        self.refuse(package, "leads out of the package|cannot be opened|is not a file")

    def test_links(self, package):
        weights = package / WEIGHTS
        moved = weights.rename(package.parent / "moved.bin")
        weights.symlink_to(moved)
        self.refuse(package, "leads out of the package")
        weights.unlink()
        weights.symlink_to(weights)
        self.refuse(package, "cannot be opened")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_pipe_is_not_waited_for(self, package):
        (package / MODEL).unlink()
        os.mkfifo(package / MODEL)
        self.refuse(package, "is not a file")

    def test_missing_and_cut_weights(self, package):
        content = (package / WEIGHTS).read_bytes()
        (package / WEIGHTS).write_bytes(content[: len(content) // 2])
        self.refuse(package, "past the end of the file|not a multiple of 64 inside")
        (package / WEIGHTS).unlink()
        self.refuse(package, "weight.bin cannot be opened")

    def test_empty_model(self, package):
        (package / MODEL).write_bytes(b"")
        self.refuse(package, "has 0 bytes")
        (package / MODEL).write_bytes(b"\x08\x09")
        self.refuse(package, "that is unknown, not an ML program")

    def spoil(self, package, change):
        """Rewrite the program of a package with `change` made to its first large constant."""
        model = protobuf.decode((package / MODEL).read_bytes(), "Model")
        program = protobuf.decode(model["mlProgram"], "Program")
        values = [operation["attributes"].get("val", {}) for operation in main(program)["operations"]]
        change(next(value for value in values if "blobFileValue" in value), program)
        model["mlProgram"] = protobuf.encode(program, "Program")
        (package / MODEL).write_bytes(protobuf.encode(model, "Model"))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (place(offset=2**62), "not a multiple of 64 inside"),
            (place(offset=2**64 - 64), "not a multiple of 64 inside"),
            (place(fileName="weights/weight.bin"), "@model_path/"),
            (place(fileName="@model_path/../../../x"), "cannot be opened|out of"),
            (tensor(dataType=11), "lies in a blob of float16"),
            (tensor(dataType=77), "element type 77 is unknown"),
            (tensor(rank=7), "rank 7 has 4 sizes"),
            (lambda value, _: value["type"]["tensorType"].pop("rank"), "rank 0 has 4 sizes"),
            (tensor(rank=100, dimensions=[{"constant": {"size": 1}}] * 100), "100 axes"),
            (tensor(dimensions=[{}] * 4), "neither a number nor unknown"),
            (
                tensor(rank=1, dimensions=[{"constant": {"size": 2048}}]),
                r"is float16\[2048\], and declared as",
            ),
            (tensor(rank=2, dimensions=[{"constant": {"size": 2**63}}] * 2), "more elements than any tensor"),
            (tensor(rank=2, dimensions=[{"constant": {"size": 2**30}}] * 2), "has 2048 elements"),
            (lambda value, _: value.pop("type"), "has no type"),
            (lambda value, _: value.pop("blobFileValue"), "has no value"),
            (first(outputs=[]), "and declared as nothing"),
            (first(attributes={}), "the constant has no value"),
            (first(type=""), r"operation \d+ \(\): an operation does not say what it is"),
            (first(inputs={"x": {"arguments": [{"name": "gone"}]}}), "'gone' is used, and nothing before"),
            (first(inputs={"x": {"arguments": [{}]}}), "has no type"),
            (first(outputs=[{"name": "x"}]), "has no type"),
            (first(outputs=[{"type": {"tensorType": {"dataType": 10}}}]), "has no name"),
            (lambda _, program: main(program).update(outputs=["gone"]), "'gone' is used, and nothing before"),
            (
                lambda _, program: main(program)["operations"].append(main(program)["operations"][0]),
                "made twice",
            ),
            (lambda _, program: program.pop("functions"), "has no functions"),
            (lambda _, program: program["functions"]["main"].update(opset="CoreML99"), "no block for its"),
        ],
    )
    def test_programs_that_lie(self, package, change, reason):
        self.spoil(package, change)
        self.refuse(package, reason)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (dict(type={}), "input 'x' has no type"),
            (dict(type={"multiArrayType": {"shape": [-1]}}), r"input 'x' has shape \(-1,\)"),
            (dict(type={"multiArrayType": {"shape": [2**30, 2**30]}}), "input 'x' has shape"),
            (dict(type={"imageType": {"width": -3, "height": 3}}), r"has shape \(3, -3\)"),
            (
                dict(type={"multiArrayType": {"shape": [1], "shapeRange": {"sizeRanges": [{}, {}]}}}),
                "has 2 ranges of sizes for shape",
            ),
            (
                dict(type={"multiArrayType": {"dataType": 131080, "shape": [1], "intDefaultValue": 999}}),
                "has 999 for a default, which int8 does not hold",
            ),
        ],
    )
    def test_descriptions_that_lie(self, package, change, reason):
        model = protobuf.decode((package / MODEL).read_bytes(), "Model")
        model["description"]["input"][0].update(name="x", **change)
        (package / MODEL).write_bytes(protobuf.encode(model, "Model"))
        self.refuse(package, reason)

    def test_two_inputs_of_one_name(self, package):
        model = protobuf.decode((package / MODEL).read_bytes(), "Model")
        model["description"]["input"] *= 2
        (package / MODEL).write_bytes(protobuf.encode(model, "Model"))
        self.refuse(package, "two inputs are called")

    def test_any_byte_may_be_wrong(self, package):
        """Whatever is changed, the answer is a package or a PackageError, soon."""
        files = [package / name for name in (MODEL, WEIGHTS, "Manifest.json")]
        sound = {file: file.read_bytes() for file in files}
        rng = np.random.default_rng(0)
        refused = 0
        for _ in range(400):
            file = files[rng.choice(3, p=[0.7, 0.15, 0.15])]
            content = bytearray(sound[file])
            if rng.random() < 0.2:
                del content[rng.integers(len(content)) :]
            else:
                # Mostly where the structure is: headers and records, not the middle of an array.
                reach = len(content) if rng.random() < 0.8 else min(len(content), 192)
                for _ in range(rng.integers(1, 4)):
                    content[rng.integers(reach) if reach else 0] = rng.integers(256)
            file.write_bytes(content)
            try:
                for value in (v for op in Package(package).program.walk() for v in op.attributes.values()):
                    value.numpy()
            except PackageError:
                refused += 1
            file.write_bytes(sound[file])
        assert 150 < refused < 400
