"""Run a Core ML package on any computer.

Core ML runs packages on Apple's systems only. An ML program is a list of well-defined operations,
though, and its weights lie in a file: NumPy can carry them out. What this gives is the arithmetic of
the program, so a compressed model's answers can be checked without a Mac. It says nothing about how
long they would take there, and Apple's units round in places of their own.
"""

import math
from typing import overload

import numpy as np

from ...compressed import check_choice
from ..format.package import open_package
from ..format.protobuf import PackageError
from . import costs
from . import limits as prediction
from .backends import find_backend
from .inputs_outputs import check_inputs, convert_output
from .limits import Memory, check_limit
from .operands import Constants
from .plan import MISFITS, Steps

PRECISIONS = ("float32", "float16")
WEIGHTS = ("ahead", "on the fly")
_MOST_AXES = 64  # NumPy's own limit


def load(
    package,
    *,
    backend=None,
    precision="float32",
    weights="ahead",
    function=None,
    memory_limit=None,
    work_limit=None,
):
    """Get a package ready to predict.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
    backend : {"torch", "numpy"}, optional
        What does the arithmetic; torch where it is installed.
    precision : {"float32", "float16"}
        "float32": all numbers are kept in float32, also where the program asks for float16; weights
        are what is stored. "float16": results that the program declares float16 are rounded to it,
        one operation after the other; sums inside an operation are in float32.
    weights : {"ahead", "on the fly"}
        "ahead": constants are decompressed once, now, to float32. "on the fly": each time they are
        used, and dropped: slower, and memory holds one decompressed weight at a time.
    function : str, optional
        Which function of a package that has several; by default the one that the package names.
    memory_limit : int, optional
        Bytes that the constants, and all results that are alive at a time, may take; one result may take an
        eighth of it. By default 2**29 (512 MiB), and 64 for each byte of the package and 256 for each of the
        inputs.
    work_limit : int, optional
        Multiply-adds that a prediction may take; what an operation does besides counts as the multiply-adds
        that last about as long. By default 10**11, some five seconds of one core, and for each byte of the
        package 32 times as many as the inputs have elements. ResNet-50 takes 9 * 10**9 of its
        2 * 10**14, a text model of 10**9 weights of 4 bits with 2,048 tokens 2 * 10**12 of 3 * 10**13.
        Both limits are there so that a small package of a stranger does not take the whole computer.

    Returns
    -------
    Model
        Of a pipeline whose models all are ML programs, a `Pipeline`, which is used in the same way.

    Raises
    ------
    FileNotFoundError
        If there is no package.
    PackageError
        If it is not sound, its constants need more than the memory limit, or it is a pipeline with a model
        of another kind.
    UnsupportedOperator
        If it has an operator that toykit cannot run: the error names it, its place, and those that
        toykit can run, which are the keys of `toykit.coreml.OPERATORS`.
    ValueError
        If an option is unknown.

    Examples
    --------
    >>> model = load("ResNet50.mlpackage", precision="float16")             # doctest: +SKIP
    >>> model.predict({"image": pixels})["scores"].shape                    # doctest: +SKIP
    (1, 1000)
    """
    package = open_package(package)
    kind = Pipeline if package.models else Model
    limits = check_limit("memory_limit", memory_limit), check_limit("work_limit", work_limit)
    return kind(package, backend, precision, weights, function, *limits)


def run(package, inputs, **options):
    """Predict once: `load(package, **options).predict(inputs)`.

    Parameters
    ----------
    package
        As for `load`.
    inputs : dict of str to array
        Or a list of such dictionaries.
    **options
        As for `load`.

    Returns
    -------
    dict of str to ndarray
        Or a list of them.

    Examples
    --------
    >>> run("ResNet50.mlpackage", {"image": pixels})                        # doctest: +SKIP
    """
    return load(package, **options).predict(inputs)


class Model:
    """A package that is ready to predict. Made by `load`.

    Threads may predict with the same model at the same time: a prediction changes nothing but the
    state that it is given.

    Attributes
    ----------
    package : Package
    inputs, outputs, states : dict of str to toykit.coreml.format.features.Feature
    backend, precision, weights : str
        As loaded.
    function : str
        Which function of the package it is.
    """

    def __init__(
        self,
        package,
        backend=None,
        precision="float32",
        weights="ahead",
        function=None,
        memory_limit=None,
        work_limit=None,
    ):
        check_choice("precision", precision, PRECISIONS)
        check_choice("weights", weights, WEIGHTS)
        self._xp = find_backend(backend)
        self.package, self.backend = package, self._xp.name
        self.precision, self.weights = precision, weights
        description = package.description
        functions = package.program.functions
        name = description.default_function if function is None else function
        if function is None and name not in functions:
            raise PackageError(
                f"{package}: the description asks for a function {name!r}, which the program lacks"
            )
        self._memory_limit, self._work_limit = memory_limit, work_limit
        self.function = check_choice("function", name, tuple(functions))
        described = (description.functions or {}).get(name, description)
        self.inputs, self.outputs, self.states = described.inputs, described.outputs, described.states
        for feature in (self.inputs | self.states).values():
            if len(feature.shape or ()) > _MOST_AXES:
                raise PackageError(
                    f"{package}: {feature.name!r} has {len(feature.shape)} axes, more than the {_MOST_AXES} of an array"
                )
        self._rounded = precision == "float16"
        chosen = functions[name]
        self._stored = prediction.uncompressed(package.nbytes, chosen.block)
        try:
            missing = [name for name in chosen.inputs if name not in self.inputs | self.states]
            missing += [name for name in self.outputs if name not in chosen.block.outputs]
            if missing:
                raise PackageError(
                    f"{missing[0]!r} is in the program, or in the description, but not in both"
                )
            keep = weights == "ahead"
            memory = Memory(prediction.memory_limit(memory_limit, self._stored))
            self._constants = Constants(self._xp, keep, package.release_pages, memory)
            self._steps = Steps(chosen.block, dict.fromkeys(chosen.inputs), self._constants, self._rounded)
        except PackageError as error:
            raise type(error)(f"{package}: {error}") from error
        if keep:
            package.release_pages()

    def __repr__(self):
        return (
            f"{type(self).__name__}({self.package.path.name!r}, backend={self.backend!r}, "
            f"precision={self.precision!r}, weights={self.weights!r})"
        )

    @overload
    def predict(self, inputs: dict, state: dict | None = None) -> dict: ...
    @overload
    def predict(self, inputs: list | tuple, state: dict | None = None) -> list: ...
    def predict(self, inputs, state=None):
        """Run the program, as `coremltools.models.MLModel.predict` does on a Mac.

        Parameters
        ----------
        inputs : dict of str to array
            Multi-arrays as NumPy arrays, or anything that NumPy makes an array of; images as PIL
            images, or arrays of bytes of shape (height, width, 3) or (height, width). A list of such
            dictionaries gives a list of results.
        state : dict, optional
            Of a model with states: from `make_state`. It is changed.

        Returns
        -------
        dict of str to ndarray
            Float multi-arrays are float32 with `precision="float32"`, otherwise as the package
            declares them. Images are PIL images; a classifier's label is a str or int, and its
            probabilities are a dictionary.

        Raises
        ------
        TypeError, ValueError
            If an input is missing, unknown, or not as the description says.
        PackageError
            If an operation cannot be carried out: the error names it.
        """
        if isinstance(inputs, (list, tuple)):
            return [self.predict(one, state) for one in inputs]
        return self._answer(inputs, state)

    def inspect(self, inputs, names=None, state=None):
        """Results of the operations inside the program.

        Parameters
        ----------
        inputs, state
            As for `predict`.
        names : sequence of str, optional
            Which results; by default all that are arrays.

        Returns
        -------
        dict of str to ndarray
            In the order in which they were computed.

        Raises
        ------
        ValueError
            If no operation makes a result of that name.
        """
        seen = {}

        def watch(operation, name, value):
            if (names is None or name in names) and hasattr(value, "shape"):
                seen[name] = self._xp.numpy(value).copy()

        self._answer(inputs, state, watch)
        for name in names or ():
            if name not in seen:
                raise ValueError(f"names: no operation of the program has a result {name!r}")
        return seen

    def allow_as(self, other):
        """Let a prediction take what it may with another model: results do not shrink with the package."""
        for mine, its in zip(getattr(self, "models", (self,)), getattr(other, "models", (other,))):
            mine._stored = max(mine._stored, its._stored)

    def make_state(self):
        """Zeros for every state of the model, to be handed to `predict`: dict of str to array."""
        if not self.states:
            return {}
        shapes = [feature.shape for feature in self.states.values()]
        try:
            self._constants.memory.check(4 * sum(map(math.prod, shapes)))
        except PackageError as error:
            raise PackageError(f"{self.package}: {error}") from error
        return {name: self._xp.array(np.zeros(shape, np.float32)) for name, shape in zip(self.states, shapes)}

    def _answer(self, inputs, state, watch=None):
        results = self._run(inputs, state, watch)
        return {name: self._given(name, results[name]) for name in self.outputs}

    def _given(self, name, values):
        try:
            return convert_output(values, self.outputs[name], self._rounded)
        except MISFITS as error:
            problem = f"output {name!r} is not what the description says: {error}"
            raise PackageError(f"{self.package}: {problem}") from error

    def _check_state(self, state):
        if self.states and state is None:
            raise ValueError(
                f"the model has states ({', '.join(self.states)}): pass state=model.make_state(), and pass "
                "it again to go on"
            )
        if state is not None and (not isinstance(state, dict) or set(state) != set(self.states)):
            raise ValueError(f"state must come from make_state() of this model; got {type(state).__name__}")

    def _run(self, inputs, state, watch):
        self._check_state(state)
        try:
            arrays = check_inputs(inputs, self.inputs)
            under_way = self._prediction(arrays, state or {}, watch)
            with self._xp.running(), under_way.running():
                given = self._entering(arrays) | {name: name for name in self.states}
                outputs = self._steps.run({}, given, under_way)
        except PackageError as error:
            raise type(error)(f"{self.package}: {error}") from error
        return self._named(outputs)

    def _named(self, outputs):
        """The outputs of the program by their names, as arrays of NumPy."""
        names = self._steps.block.outputs
        return {
            name: self._xp.numpy(value) if hasattr(value, "shape") else value
            for name, value in zip(names, outputs)
        }

    def _prediction(self, arrays, state, watch):
        """A prediction with these inputs, and what it may use."""
        stored, given = self._stored, sum(array.nbytes for array in arrays.values())
        memory = Memory(prediction.memory_limit(self._memory_limit, stored, given))
        memory.used = self._constants.memory.used
        elements = sum(costs.elements(array) for array in [*arrays.values(), *state.values()])
        limit = prediction.work_limit(self._work_limit, stored, elements)
        return prediction.Prediction(state, memory, limit, watch)

    def _entering(self, arrays):
        """Inputs as the program begins with them: what is float16 for the app arrives rounded."""
        given = {name: self._xp.array(array) for name, array in arrays.items()}
        if not self._rounded:
            return given
        half = [name for name in given if self.inputs[name].dtype == "float16"]
        return given | {name: self._xp.to_float16(given[name]) for name in half}


class Pipeline(Model):
    """A package of several models, ready to predict. Made by `load`.

    They run one after the other. Each takes its inputs by name: from what the pipeline is given, and from
    the outputs of the models before it. `inspect` puts a model's number before its results: "0/conv".

    Attributes
    ----------
    models : tuple of Model
    """

    def __init__(self, package, backend=None, precision="float32", weights="ahead", function=None, *limits):
        if function is not None:
            raise ValueError(
                f"function must be None: {package} is a pipeline, which has models, not functions"
            )
        for part in package.models:
            if part.kind != "mlProgram" or part.description.states:
                problem = f"is of type {part.kind}" if part.kind != "mlProgram" else "has states"
                raise PackageError(
                    f"{part} {problem}, and toykit runs pipelines of ML programs without states; it can run "
                    "one model of a pipeline: load(Package(path).models[0])"
                )
        self.models = tuple(
            Model(part, backend, precision, weights, None, *limits) for part in package.models
        )
        self._xp, self.package, self.backend = self.models[0]._xp, package, self.models[0].backend
        self.precision, self.weights = precision, weights
        self.inputs, self.outputs, self.states = package.description.inputs, package.description.outputs, {}
        known = dict(self.inputs)
        for model in self.models:
            missing = [name for name in model.inputs if name not in known and not model.inputs[name].optional]
            if missing:
                raise PackageError(f"{model.package}: nothing before it gives its input {missing[0]!r}")
            known |= model.outputs
        missing = [name for name in self.outputs if name not in known]
        if missing:
            raise PackageError(f"{package}: no model of the pipeline gives its output {missing[0]!r}")

    def _answer(self, inputs, state, watch=None):
        self._check_state(state)
        check_inputs(inputs, self.inputs)
        values = dict(inputs)
        for model in self.models:
            given = {name: values[name] for name in model.inputs if values.get(name) is not None}
            values |= model._answer(given, None, watch and _numbered(watch, model.package.number))
        return {name: values[name] for name in self.outputs}


def _numbered(watch, number):
    return lambda operation, name, value: watch(operation, f"{number}/{name}", value)
