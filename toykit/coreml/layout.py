"""The bytes of a package, with its weights as they are or as they would be compressed.

A package is written in one pass over the program: each constant of 10 elements or more goes to
`weight.bin`, at the next multiple of 64, and the program keeps the place. So to know a compressed
package's size it is enough to put the operations that decompress in place of the constants
(`forms.write`), give each array its place, and count the bytes of the program that results. Nothing is
compressed. `weight.bin` comes out exact to the byte when the weights are at hand, which in a package
they are.

Which constants are compressed is coremltools' rule: floats that some operation uses, of two
dimensions or more and more elements than `weight_threshold` (2,048).

Not here: packages of several functions, and constants that two functions share.
"""

from dataclasses import replace

from .. import options as _options
from ..size import Ledger
from ..parts import Weight
from ..stored import predict
from . import forms, protobuf, weightbin
from .rows import places_of, read_rows, references, shape_of, walk
from .schema import DTYPES

_FLOATS = ("float16", "float32")


def ledger(package):
    """What each constant of a package weighs, and what the rest of the package does.

    Parameters
    ----------
    package : Package

    Returns
    -------
    toykit.size.Ledger
        A row for each constant in a weight file, in the order of the program. Its `after` predicts what
        `toykit.coreml.compress` would write. In a pipeline names begin with the number of the model,
        "0/conv_weight"; what models of other kinds hold is in the model file, a part of the rest.
    """
    rows = []
    for part in package.models or (package,):
        if part.kind == "mlProgram":
            rows += _rows(part, "" if part.number is None else f"{part.number}/")
    return Ledger(
        rows,
        package.path.name,
        rest=_rest(package.files, rows),
        predict=lambda technique, options: _after(package, technique, options),
    )


def _rows(package, prefix):
    """The rows of one ML program."""
    program = protobuf.decode(package.program_bytes, "Program")
    rows = read_rows(program, lambda place: package.find_blob(place["fileName"], place["offset"]).nbytes)
    return [replace(row, name=prefix + row.name) for row in rows]


def _rest(files, rows):
    """Bytes of everything that is not data of a constant, by what it is."""
    rest, data = {}, sum(row.nbytes for row in rows)
    for path, count in files.items():
        name = path.rpartition("/")[2]
        if name.endswith("weight.bin"):  # the models of a pipeline have 0-weight.bin, 1-weight.bin, ...
            name, count, data = "weight.bin: header, records, alignment", count - data, 0
        rest[name] = rest.get(name, 0) + count
    return rest


def _after(package, technique, options):
    """The ledger that the package would have."""
    steps = _options.steps(technique, options)
    if package.models:
        raise ValueError(
            f"{package.path.name} is a pipeline: compress its models one by one, before "
            "coremltools.utils.make_pipeline joins them"
        )
    forms.check(steps, package.spec_version)
    program = protobuf.decode(package.program_bytes, "Program")
    if len(program["functions"]) > 1:
        raise ValueError(f"{package.path.name} has several functions; coremltools compresses packages of one")
    before = package.model_file.stat().st_size - _field_size(len(package.program_bytes))
    compressor = _Compressor(package, steps)
    for function in program["functions"].values():
        for block in function["block_specializations"].values():
            compressor.function(block)
    rows = read_rows(program, lambda place: compressor.stored[place["offset"]])
    program.pop("attributes", None)  # coremltools notes what it converted, and forgets it when it compresses

    files = dict(package.files)
    for path in files:
        if path.endswith("weight.bin"):
            files[path] = compressor.end
    model = package.model_file.relative_to(package.path.resolve()).as_posix()
    files[model] = before + _field_size(len(protobuf.encode(program, "Program")))
    return Ledger(
        rows,
        f"{package.path.name} after {technique}",
        rest=_rest(files, rows),
        exact=compressor.exact,
        declined=compressor.declined,
    )


def _field_size(length):
    """Bytes of the program as a field of the model file: its number takes two bytes, then the length."""
    return 2 + max(1, -(-length.bit_length() // 7)) + length


def _element(kind):
    """Element type of a "ValueType" message of a tensor."""
    return DTYPES[kind["tensorType"]["dataType"]][0]


class _Compressor:
    """Rewrites a function in place, and gives every array its place in a new weight file.

    Attributes
    ----------
    end : int
        Bytes of the weight file so far.
    stored : dict of int to int
        Place of an array's record -> bytes of its data.
    exact : bool
    declined : dict of str to tuple of str
        Weights that were considered and stay as they are -> why.
    """

    def __init__(self, package, steps):
        self.package, self.steps = package, steps
        self.end, self.stored = weightbin.ALIGNMENT, {}
        self.exact, self.declined = True, {}
        self._shared, self._tables, self._moved, self._renamed = {}, {}, {}, {}
        self._file = next(iter(package.weight_files), "@model_path/weights/weight.bin")

    def function(self, block):
        self._uses, self._constants, self._kinds = {}, {}, {}
        for operation in walk(block):
            self._kinds |= {output["name"]: output["type"] for output in operation.get("outputs", [])}
            for parameter, name in references(operation):
                self._uses.setdefault(name, []).append((operation, parameter))
            if operation["type"] == "const":
                self._constants[operation["outputs"][0]["name"]] = operation["attributes"]["val"]
        self._block(block)
        for operation in walk(block):
            for argument in operation.get("inputs", {}).values():
                for binding in argument["arguments"]:
                    if "name" in binding:
                        binding["name"] = self._renamed.get(binding["name"], binding["name"])

    def _block(self, block):
        operations = []
        for operation in block.get("operations", []):
            for inner in operation.get("blocks", []):
                self._block(inner)
            replacement = self._compress(operation) if operation["type"] == "const" else None
            if replacement is None:
                self._move(operation)
                replacement = [*self._guards(operation), operation]
            operations += replacement
        block["operations"] = operations

    def _compress(self, operation):
        """The operations that stand for a constant, or None if it stays as it is."""
        output = operation["outputs"][0]
        place = operation["attributes"]["val"].get("blobFileValue")
        uses = self._uses.get(output["name"], [])
        if place is None or not uses or (dtype := _element(output["type"])) not in _FLOATS:
            return None
        blob, shape = self.package.find_blob(place["fileName"], place["offset"]), shape_of(output["type"])
        weight = Weight(shape, dtype, lambda: blob.array(shape), *self._axes(uses, len(shape)))
        if weight.size < forms.IN_PROGRAM:
            return None
        stored = predict(weight, self.steps, smallest=forms.IN_PROGRAM)
        self.exact &= stored.exact
        if stored.declined:
            self.declined[output["name"]] = stored.declined
        if not stored.parts:
            return None
        version = self.package.spec_version
        operations, name = forms.write(
            output["name"], output["type"], stored.parts, version, self._store, self._tables
        )
        self._renamed[output["name"]] = name
        return operations

    def _guards(self, operation):
        """What is put before an operation that gathers, once for each compression."""
        if operation["type"] not in ("gather", "gather_nd") or self.package.spec_version < forms.IOS17:
            return []
        binding = operation["inputs"]["indices"]["arguments"][0]
        kind, guards = self._kinds.get(binding.get("name")), []
        if kind is None or binding["name"] in self._constants or _element(kind).startswith("u"):
            return []
        for step in range(len(self.steps)):
            guards += forms.guard(binding["name"], kind, step + 1)
            binding["name"], kind = guards[-1]["outputs"][0]["name"], guards[-1]["outputs"][0]["type"]
        return guards

    def _axes(self, uses, rank):
        """Output and input axis of a weight, groups, and whether it can be pruned in patterns.

        An axis is None where the operations that use the weight disagree.
        """
        axes, groups, structured = set(), 1, True
        for operation, parameter in uses:
            kind, pair = operation["type"], (0, 1)
            if kind == "conv_transpose":
                pair = (1, 0)
            elif kind == "matmul":
                # y is (inputs, outputs) unless transposed; x, which comes first, the other way round.
                transposed = bool(self._scalar(operation, f"transpose_{parameter}"))
                last_is_output = (parameter == "y") != transposed
                pair = (rank - 1, rank - 2) if last_is_output else (rank - 2, rank - 1)
            axes.add(pair)
            if kind in ("conv", "conv_transpose"):
                groups = max(groups, self._scalar(operation, "groups") or 1)
            structured &= kind in ("conv", "linear") and parameter == "weight"
        outputs, inputs = map(set, zip(*axes, strict=True))
        agreed = (axis.pop() if len(axis) == 1 else None for axis in (outputs, inputs))
        return *agreed, groups, structured

    def _scalar(self, operation, parameter):
        """A number or truth value that an operation is given; False if it is not given."""
        arguments = operation.get("inputs", {}).get(parameter, {}).get("arguments", [])
        if not arguments:
            return False
        value = arguments[0].get("value") or self._constants.get(arguments[0].get("name"), {})
        content = next(iter(value.get("immediateValue", {}).get("tensor", {}).values()), {})
        return (content.get("values") or [0])[0]

    def _place(self, nbytes):
        """Reserve the next place: a record, then the data."""
        offset = weightbin.aligned(self.end)
        self.end = offset + weightbin.ALIGNMENT + nbytes
        self.stored[offset] = nbytes
        return offset

    def _store(self, part):
        """A "Value" message for an array. Equal ones of 100 elements or more are stored once."""
        if part.count < forms.IN_PROGRAM:
            return forms.immediate(part)
        key = (part.dtype, part.shape, part.content)
        if part.content is None or part.count < forms.STORED_ONCE:
            offset = self._place(part.nbytes)
        elif (offset := self._shared.get(key)) is None:
            offset = self._shared[key] = self._place(part.nbytes)
        kind = forms.tensor_type(part.dtype, part.shape)
        return {"type": kind, "blobFileValue": {"fileName": self._file, "offset": offset}}

    def _move(self, operation):
        """Give the arrays of an operation that stays as it is their new places, in their old order."""
        places = sorted(places_of(operation), key=lambda place: place["offset"])
        for place in places:
            old = (place["fileName"], place["offset"])
            if old not in self._moved:
                self._moved[old] = self._place(self.package.find_blob(*old).nbytes)
            place["offset"] = self._moved[old]
