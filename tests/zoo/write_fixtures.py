"""Write small packages with the version of coremltools that is installed: `make zoo-fixtures` runs it in each.

    python tests/zoo/write_fixtures.py packages/7.2.tar.xz

For every specification that the version knows: the network of `nets` as it is, and compressed in every form
that the version has. The archive holds the packages and `index.json`: for each package the digests of its
weights as coremltools itself decompresses them, and the answers of these weights, computed with NumPy.

Nothing here needs torch or toykit.
"""

import argparse
import hashlib
import json
import lzma
import sys
import tarfile
import tempfile
from pathlib import Path

import coremltools as ct
import nets
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.converters.mil.mil import types

try:
    import coremltools.optimize.coreml as cto
except ImportError:  # before version 7
    cto = None
    from coremltools.models.ml_program import compression_utils

VERSION = ct.__version__
MODERN = hasattr(ct.target, "iOS18")
CALLS = 2


def targets():
    """The specifications with ML programs that this version knows, oldest first."""
    return [target for target in ct.target if target.name.startswith("iOS") and target >= ct.target.iOS15]


# ------------------------------------------------------------------ networks


def network(target, precision="FLOAT16", lattice=False, quantized=False, second=False):
    """The network of `nets`; `second` has another bias."""
    values = {name: np.float32(array) for name, array in nets.weights(lattice).items()}
    bias = values["linear bias"] + (1 if second else 0)
    specs = [mb.TensorSpec((1, 8, 5, 5)), mb.TensorSpec((1, 3), dtype=types.int32)]

    @mb.program(input_specs=specs, opset_version=target)
    def program(x, ids):
        if quantized:
            scale = np.float32(nets.ACTIVATION_SCALE)
            x = mb.quantize(input=x, scale=scale, zero_point=np.int8(0), output_dtype="int8")
            x = mb.dequantize(input=x, scale=scale, zero_point=np.int8(0))
        x = features(values, x)
        rows = mb.gather(x=values["gather"], indices=ids, axis=0)
        x = mb.add(x=x, y=mb.reduce_mean(x=rows, axes=[1], keep_dims=False))
        return mb.linear(x=x, weight=values["linear"], bias=bias, name="answer")

    return convert(program, target, precision)


def features(values, x):
    x = mb.conv(x=x, weight=values["conv"], bias=values["conv bias"], pad_type="valid")
    return mb.reduce_mean(x=mb.relu(x=x), axes=[2, 3], keep_dims=False)


def counter(target):
    """A network that adds up what it has seen, in a state."""
    values = {name: np.float32(array) for name, array in nets.weights().items()}
    specs = [mb.TensorSpec((1, 8, 5, 5)), mb.StateTensorSpec((1, 8), dtype=types.fp16)]

    @mb.program(input_specs=specs, opset_version=target)
    def program(x, sum_so_far):
        found = mb.cast(x=features(values, x), dtype="fp16")
        found = mb.add(x=mb.read_state(input=sum_so_far), y=found)
        found = mb.coreml_update_state(state=sum_so_far, value=found)
        found = mb.cast(x=found, dtype="fp32")
        return mb.linear(x=found, weight=values["linear"], bias=values["linear bias"], name="answer")

    return convert(program, target)


def convert(program, target, precision="FLOAT16"):
    return ct.convert(
        program,
        convert_to="mlprogram",
        minimum_deployment_target=target,
        compute_precision=getattr(ct.precision, precision),
        compute_units=ct.ComputeUnit.CPU_ONLY,
        skip_model_load=True,
    )


# ------------------------------------------------------------------ compression


def forms_of_version_6():
    def of(function, **options):
        chosen = lambda const: const.val.val.size > nets.THRESHOLD
        return lambda model: getattr(compression_utils, function)(model, op_selector=chosen, **options)

    yield "int8 symmetric", of("affine_quantize_weights", mode="linear_symmetric", dtype=np.int8)
    yield "int8 affine", of("affine_quantize_weights", mode="linear", dtype=np.int8)
    yield "uint8 affine", of("affine_quantize_weights", mode="linear", dtype=np.uint8)
    for bits in (1, 2, 4, 6, 8):
        yield f"palette {bits}", of("palettize_weights", nbits=bits, mode="uniform")
    yield "palette 4 k-means", of("palettize_weights", nbits=4, mode="kmeans")
    yield "palette unique", of("palettize_weights", mode="unique")
    yield "pruned half", of("sparsify_weights", mode="percentile_based", target_percentile=0.5)
    yield "pruned threshold", of("sparsify_weights", mode="threshold_based", threshold=0.2)


def steps(*configs):
    """Compress by one configuration after the other; the second and those after it are joint."""
    functions = {
        "OpLinearQuantizerConfig": "linear_quantize_weights",
        "OpPalettizerConfig": "palettize_weights",
        "OpMagnitudePrunerConfig": "prune_weights",
        "OpThresholdPrunerConfig": "prune_weights",
    }

    def compress(model):
        for number, config in enumerate(configs):
            chosen = cto.OptimizationConfig(global_config=config)
            joint = {"joint_compression": True} if number else {}
            model = getattr(cto, functions[type(config).__name__])(model, chosen, **joint)
        return model

    return compress


def quantizer(**options):
    return cto.OpLinearQuantizerConfig(weight_threshold=nets.THRESHOLD, **options)


def palettizer(bits=None, mode="uniform", **options):
    return cto.OpPalettizerConfig(mode=mode, nbits=bits, weight_threshold=nets.THRESHOLD, **options)


def pruner(sparsity=None, **options):
    return cto.OpMagnitudePrunerConfig(target_sparsity=sparsity, weight_threshold=nets.THRESHOLD, **options)


def forms_of_ios16():
    """What iOS 16 and 17 can store, from version 7 on."""
    yield "int8 symmetric", steps(quantizer(mode="linear_symmetric", dtype=np.int8))
    yield "int8 affine", steps(quantizer(mode="linear", dtype=np.int8))
    yield "uint8 affine", steps(quantizer(mode="linear", dtype=np.uint8))
    for bits in (1, 2, 4, 6, 8):
        yield f"palette {bits}", steps(palettizer(bits))
    yield "palette 4 k-means", steps(palettizer(4, "kmeans"))
    yield "palette unique", steps(palettizer(mode="unique"))
    yield "pruned half", steps(pruner(0.5))
    yield "pruned blocks", steps(pruner(0.5, block_size=2))
    yield "pruned 2:4", steps(pruner(n_m_ratio=(2, 4)))
    yield (
        "pruned threshold",
        steps(
            cto.OpThresholdPrunerConfig(
                threshold=0.2, minimum_sparsity_percentile=0.3, weight_threshold=nets.THRESHOLD
            )
        ),
    )


def forms_of_ios18():
    """What iOS 18 added: 4 bits, blocks, groups, vectors, scales, and one form on top of another."""
    groups = {"granularity": "per_grouped_channel", "group_size": 4, "channel_axis": 0}
    tables = quantizer(mode="linear_symmetric", dtype="int8", granularity="per_tensor")
    yield "int8 of the whole", steps(tables)
    yield "int4", steps(quantizer(mode="linear_symmetric", dtype="int4"))
    yield "uint4 affine", steps(quantizer(mode="linear", dtype="uint4"))
    for bits in (4, 8):
        options = {
            "mode": "linear_symmetric",
            "dtype": f"int{bits}",
            "granularity": "per_block",
            "block_size": 8,
        }
        yield f"int{bits} blocks", steps(quantizer(**options))
    yield "palette 3", steps(palettizer(3))
    yield "palettes of groups", steps(palettizer(4, **groups))
    yield "palettes of groups, scaled", steps(palettizer(2, enable_per_channel_scale=True, **groups))
    yield "palette, scaled", steps(palettizer(4, enable_per_channel_scale=True))
    yield "palette of vectors", steps(palettizer(4, "kmeans", cluster_dim=2))
    yield "pruned + int8", steps(pruner(0.6), quantizer(mode="linear_symmetric", dtype="int8"))
    yield "pruned + int4", steps(pruner(0.6), quantizer(mode="linear_symmetric", dtype="int4"))
    yield "pruned + palette", steps(pruner(0.6), palettizer(4))
    yield "int8 palette", steps(palettizer(4), tables)
    yield "pruned + int8 palette", steps(pruner(0.6), palettizer(6), tables)


def fixtures(refused):
    """(name, model, what it is) of every package; a name says specification and form.

    What this version of coremltools fails to write goes to `refused`, by name, in its words.
    """
    for target in targets():
        system = target.name
        plain = network(target)
        yield f"{system} plain", plain, {}
        if target in (targets()[0], targets()[-1]):
            yield f"{system} float32", network(target, "FLOAT32"), {}
        if target == ct.target.iOS15:
            continue  # iOS 15 stores weights as they are, and nothing else
        forms = list(forms_of_ios16() if cto else forms_of_version_6())
        if MODERN and target >= ct.target.iOS18:
            forms += forms_of_ios18()
        lattice = network(target, lattice=True)
        for form, compress in forms:
            name = f"{system} {form}"
            try:
                model = compress(lattice if form == "palette unique" else plain)
            except ValueError as error:  # "int8 palette" for iOS 26
                refused[name] = str(error)
            else:
                yield name, model, {}
        if cto and target >= ct.target.iOS17:
            yield f"{system} quantized activations", network(target, quantized=True), {"quantized": True}
        if MODERN and target >= ct.target.iOS18:
            yield f"{system} state", counter(target), {"calls": CALLS}
            yield f"{system} two functions", network(target), {"second": network(target, second=True)}


# ------------------------------------------------------------------ what is written down


def decompressed(model):
    """Weights and biases by operator, as this version of coremltools decompresses them."""
    model = cto.decompress_weights(model) if cto else compression_utils.decompress_weights(model)
    spec = model.get_spec()
    program = load(spec, specification_version=spec.specificationVersion, file_weights_dir=model.weights_dir)
    found = {}
    for operation in program.functions["main"].operations:
        if operation.op_type in ("conv", "linear"):
            found[operation.op_type] = operation.weight.val
            found[f"{operation.op_type} bias"] = operation.bias.val
        elif operation.op_type == "gather":
            found["gather"] = operation.x.val
    return found


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def described(name, model, quantized=False, calls=0, second=None):
    """The entry of a package in the index."""
    values, given = decompressed(model), nets.inputs()
    entry = {"specification": model.get_spec().specificationVersion, "weights": {}}
    for operator in nets.SHAPES:
        if operator in values:  # the network with a state has no table
            array = values[operator]
            entry["weights"][operator] = [str(array.dtype), list(array.shape), digest(array)]
    if calls:
        answers = {"main": nets.counted(values, given, calls)}
    else:
        answers = {"main": [nets.answer(values, given, quantized)]}
    if second is not None:
        answers["second"] = [nets.answer(decompressed(second), given)]
    entry["answers"] = {
        function: [[float(f"{number:.8g}") for number in each.ravel()] for each in several]
        for function, several in answers.items()
    }
    return entry


def save(model, path, second=None):
    if second is None:
        model.save(str(path))
        return
    with tempfile.TemporaryDirectory() as scratch:
        for number, each in enumerate((model, second)):
            each.save(f"{scratch}/{number}.mlpackage")
        functions = ct.utils.MultiFunctionDescriptor()
        functions.add_function(f"{scratch}/0.mlpackage", "main", "main")
        functions.add_function(f"{scratch}/1.mlpackage", "main", "second")
        functions.default_function_name = "main"
        ct.utils.save_multifunction(functions, str(path))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    archive = parser.parse_args().archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        index = {"coremltools": VERSION, "numpy": np.__version__, "packages": {}, "refused": {}}
        for name, model, what in fixtures(index["refused"]):
            save(model, Path(scratch, f"{name}.mlpackage"), what.get("second"))
            index["packages"][name] = described(name, model, **what)
        Path(scratch, "index.json").write_text(json.dumps(index, indent=1))
        # Solid: the same weights in many packages take their place once.
        with (
            lzma.open(archive, "wb", preset=9 | lzma.PRESET_EXTREME) as file,
            tarfile.open(fileobj=file, mode="w") as tar,
        ):
            for path in sorted(Path(scratch).rglob("*"), key=lambda path: (path.name, path)):
                if path.is_file():
                    tar.add(path, str(path.relative_to(scratch)), filter=anonymous)
    size = archive.stat().st_size
    print(f"{archive.name}: {len(index['packages'])} packages in {size:,} bytes; refused: {index['refused']}")


def anonymous(info):
    """A member of the archive without the date and the name of who made it."""
    info.mtime = info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    sys.exit(main())
