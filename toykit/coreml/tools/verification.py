"""Does a package compute what the torch network computes that it was converted from?

coremltools may make another network and not notice: it passes over an option, or reads codes with another
scale. So the package is run in toykit's interpreter on the example, beside torch: shapes have to be equal,
and each output has to agree up to what rounding explains. The interpreter calculates in float32, and what
float16 rounds are the package's constants. Where they disagree, results inside that bear the same name in
both show where it begins.

Not here: how good the package is on data (`toykit.coreml.accuracy`), and what Core ML's units round on the
way.
"""

import copy
import re
import warnings

import numpy as np

from ..format.package import open_package
from ..format.protobuf import PackageError
from ..runtime.model import Model

# Signal to noise, in dB. Of the networks and operators in tests/parity that are right, the least is 54 in
# float16, and 91 of the operators in float32; activations of 8 bits may fall into the next code, and have 42.
# What coremltools got wrong had 17 at most.
ENOUGH = {"float16": 30.0, "float32": 60.0}
# Where it is less, torch says what rounding costs: with weights and inputs moved as far as it may move them.
LAST_PLACE = {"float16": 2.0**-11, "float32": 2.0**-22}
MARGIN = 10.0  # dB that a package may be worse than that


class _Unchecked(Exception):
    """Why a package cannot be compared with its network."""


def verify(torch, traced, examples, mlmodel, declared, precision):
    """Raise if a package answers otherwise than the network that it was converted from.

    Parameters
    ----------
    torch : module
    traced : torch.jit.ScriptModule
        What coremltools was handed.
    examples : tuple of torch.Tensor
        Its inputs. One that is the same everywhere, such as zeros, tells little: noise takes its place.
    mlmodel : coremltools.models.MLModel
    declared : list of coremltools.TensorType or ImageType
        How the inputs were described to coremltools.
    precision : {"float16", "float32"}
        Of the package.

    Raises
    ------
    ValueError
        If an output has another shape, or values that rounding does not explain.

    Warns
    -----
    UserWarning
        If the package could not be checked, and why; or if rounding alone moves its answers far.
    """
    constant, problem = [_is_constant(example) for example in examples], None
    for noisy in dict.fromkeys((any(constant), False)):
        try:
            _Check(torch, traced, examples, mlmodel, declared, precision, noisy).run()
            return
        except (_Unchecked, PackageError, IndexError, RuntimeError) as error:  # noise is no place in a table
            problem = error
    said = str(problem).partition("; it can run")[0]
    warnings.warn(f"the package was not checked against torch: {said}", stacklevel=3)


class _Check:
    def __init__(self, torch, traced, examples, mlmodel, declared, precision, noisy):
        self.torch, self.traced, self.precision, self.noisy = torch, traced, precision, noisy
        self.model = Model(open_package(mlmodel), "torch", weights="on the fly")
        features = list(self.model.inputs.values())
        if not len(features) == len(examples) == len(declared):
            raise _Unchecked(f"it has {len(features)} inputs, and the example {len(examples)}")
        self.noise = torch.Generator().manual_seed(0)
        self.given, self.tensors = {}, []
        for feature, example, kind in zip(features, examples, declared, strict=True):
            tensor = example.detach().cpu()
            if noisy and _is_constant(tensor):
                tensor = torch.randn(tensor.shape, generator=self.noise).to(tensor.dtype)
            if feature.kind == "image":
                self.given[feature.name], tensor = self._picture(tensor, kind)
            else:
                self.given[feature.name] = _array(tensor)
            self.tensors.append(tensor.to(example.device))

    def run(self):
        package, network = self._package(), self._network(self.traced, self.tensors)
        if len(package) != len(network):
            raise _Unchecked(f"it has {len(package)} outputs, and the network {len(network)}")
        wrong = []
        for number, (name, ours) in enumerate(package.items()):
            theirs = self._comparable(name, network[number])
            labelled = self.model.outputs[name].kind == "dictionary"
            if theirs.size == ours.size and (theirs.ndim == 0 or labelled):
                ours = ours.reshape(theirs.shape)
            if ours.shape != theirs.shape:
                wrong.append(f"output {name!r} has shape {ours.shape}, in torch {theirs.shape}")
            elif (near := agreement(ours, theirs, self.precision)) < ENOUGH[self.precision]:
                explained = agreement(self._comparable(name, self._rounded()[number]), theirs, self.precision)
                if near < explained - MARGIN:
                    wrong.append(f"output {name!r} agrees with torch's to {near:.0f} dB")
                else:
                    warnings.warn(
                        f"output {name!r} agrees with torch's to {near:.0f} dB, and not by a fault of the "
                        f"conversion: rounding as {self.precision} does moves torch's as far",
                        stacklevel=4,
                    )
        if wrong:
            noise = ", with noise in place of an example that is the same everywhere" if self.noisy else ""
            raise ValueError(
                f"coremltools made another network of this one: {'; '.join(wrong)}{noise}. {self._where()}"
                "check=False gives the package all the same"
            )

    def _picture(self, tensor, kind):
        """The picture whose pixels are nearest to a tensor, and the tensor that the package makes of it."""
        bias = self.torch.tensor(kind.bias, dtype=tensor.dtype).reshape(-1, 1, 1)
        pixels = (tensor - bias) / kind.scale
        if "FLOAT16" not in str(kind.color_layout):
            pixels = pixels.round().clamp(0, 255)
            if self.noisy and _is_constant(pixels):
                pixels = self.torch.randint(0, 256, pixels.shape, generator=self.noise).to(tensor.dtype)
        picture = pixels[0].movedim(0, -1).numpy()
        if picture.shape[-1] == 1:
            picture = picture[..., 0]
        elif "BGR" in str(kind.color_layout):
            picture = picture[..., ::-1]
        return picture, pixels * kind.scale + bias

    def _package(self):
        """The package's answers as arrays: of a classifier, the probabilities without their labels."""
        try:
            answers = self.model.predict(self.given, self.model.make_state() or None)
        except (TypeError, ValueError) as error:  # the package was not declared for the example's shape
            raise _Unchecked(str(error)) from error
        answers.pop(self.model.package.description.predicted_feature, None)
        found = {}
        for name, value in answers.items():
            found[name] = np.asarray(list(value.values()) if isinstance(value, dict) else value)
            color = self.model.outputs[name].color
            if color:
                pixels = found[name][..., None] if found[name].ndim == 2 else found[name]
                pixels = pixels[..., ::-1] if color == "BGR" else pixels
                found[name] = np.moveaxis(pixels, -1, 0)[None]
        return found

    def _comparable(self, name, theirs):
        """An output of torch as the package can say it: pictures have pixels of whole numbers."""
        color = self.model.outputs[name].color
        return np.clip(np.rint(theirs), 0, 255) if color and "FLOAT16" not in color else theirs

    def _network(self, network, tensors):
        """torch's answers, flat, with the states of the package at 0 as `make_state` has them."""
        buffers = dict(network.named_buffers())
        missing = [name for name in self.model.states if name not in buffers]
        if missing:
            raise _Unchecked(f"the network has no buffer {missing[0]!r}, which is a state of the package")
        before = {name: buffers[name].clone() for name in self.model.states}
        with self.torch.no_grad():
            try:
                for name in before:
                    buffers[name].zero_()
                return [_array(value).copy() for value in _flat(network(*tensors))]
            finally:
                for name, value in before.items():
                    buffers[name].copy_(value)

    def _rounded(self):
        """torch's answers with its weights and inputs moved as far as rounding may move them."""
        runs = [self._network(self.traced, self.tensors) for _ in range(2)]
        if any(agreement(*pair) < ENOUGH[self.precision] for pair in zip(*runs)):
            raise _Unchecked("the network answers differently each time")
        network = copy.deepcopy(self.traced)
        with self.torch.no_grad():
            for tensor in (*network.parameters(), *network.buffers()):
                tensor.copy_(self._moved(tensor))
        return self._network(network, [self._moved(tensor) for tensor in self.tensors])

    def _moved(self, tensor):
        if not tensor.is_floating_point():
            return tensor
        by = self.torch.rand(tensor.shape, generator=self.noise).to(tensor) * 2 - 1
        return tensor * (1 + LAST_PLACE[self.precision] * by)

    def _where(self):
        """A sentence that names the first result inside on which the two disagree, if it can be found."""
        try:
            made = self._inside()
            seen = self.model.inspect(self.given, state=self.model.make_state() or None)
        except (AttributeError, RuntimeError, PackageError):  # the graph is torch's own, and may change
            return ""
        seen = {re.sub(r"^var_|_(cast|to)_fp(16|32)$", "", name): value for name, value in seen.items()}
        for name, (kind, layer, theirs) in made.items():
            ours = seen.get(name)
            if ours is None or (ours.shape != theirs.shape and sorted(ours.shape) == sorted(theirs.shape)):
                continue  # fused into another one, or its axes are moved
            if ours.shape != theirs.shape or agreement(ours, theirs, self.precision) < ENOUGH[self.precision]:
                return f"They part at {kind}{f' of layer {layer!r}' if layer else ''}. "
        return ""

    def _inside(self):
        """Results of the trace, by the names that coremltools gives them: (operator, layer, array)."""
        graph, torch = self.traced.inlined_graph.copy(), self.torch
        tensor = torch._C.TensorType.get()
        made = [
            (node, value)
            for node in graph.nodes()
            if node.kind().startswith("aten::") and not node.kind().startswith("aten::quantize")  # codes
            for value in node.outputs()
            if value.type().isSubtypeOf(tensor)
        ]
        whole = graph.create("prim::TupleConstruct", [value for _, value in made], 1)
        whole.output().setType(torch._C.TupleType([value.type() for _, value in made]))
        graph.appendNode(whole)
        for _ in list(graph.outputs()):
            graph.eraseOutput(0)
        graph.registerOutput(whole.output())
        labels = [
            (value.debugName().replace(".", "_"), node.kind(), node.scopeName().rpartition("/")[2])
            for node, value in made
        ]
        run = torch._C._create_function_from_graph("forward", graph)
        return {
            name: (kind.removeprefix("aten::").strip("_"), layer.removeprefix("__module."), array)
            for (name, kind, layer), array in zip(
                labels, self._network(_Bound(run, self.traced), self.tensors), strict=True
            )
        }


class _Bound:
    """A function of a network, called as the network itself."""

    def __init__(self, run, network):
        self.run, self.network, self.named_buffers = run, network, network.named_buffers

    def __call__(self, *tensors):
        return self.run(self.network, *tensors)


def agreement(ours, theirs, precision="float32"):
    """The signal-to-noise ratio of an array to the one it should be, in dB; inf where they are equal.

    The signal is what varies, so a mean that all elements share hides nothing; but no less than makes
    `ENOUGH` of an error of four units in the mean's last place.
    """
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    finite = np.isfinite(theirs)
    ours, theirs = ours[finite], theirs[finite]
    if not np.isfinite(ours).all():
        return -np.inf
    noise = np.square(ours - theirs).sum()
    if noise == 0:
        return np.inf
    raw = np.square(theirs).sum()
    varies = np.square(theirs - theirs.mean()).sum() if theirs.size > 1 else raw
    least = raw * (4 * LAST_PLACE[precision]) ** 2 * 10 ** (ENOUGH[precision] / 10)
    return 10 * np.log10(max(varies, least, 1e-10 * theirs.size) / noise)


def _is_constant(tensor):
    return tensor.is_floating_point() and tensor.numel() > 1 and bool((tensor == tensor.flatten()[0]).all())


def _array(tensor):
    """A tensor of any type and place as NumPy knows it."""
    return (tensor.float() if tensor.is_floating_point() else tensor).cpu().numpy()


def _flat(value):
    """The tensors of an answer, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in _flat(part)]
    return [value]
