"""A program of Core AI, run by Apple's runtime: on Linux its reference interpreter, on a new Mac the system's own.

The runtime is asynchronous. Here a prediction is an ordinary call, in a notebook too, where the thread of the page
has an event loop of its own already: the runtime works in a loop in another thread, and the caller waits.

Not here: times. What the interpreter on Linux takes says nothing about a phone.
"""

import asyncio
import contextlib
import os
import tempfile
import threading
from functools import cache
from pathlib import Path

import numpy as np

from .._quiet import working
from ..compressed import check_choice, shown
from ..coreml.format.features import Feature
from ..coreml.format.protobuf import PackageError
from ..coreml.runtime.inputs_outputs import check_inputs
from .asset import Asset, apples, open_program
from .program import is_loose_fp4, operations


def load(source, function=None):
    """Get a program of Core AI ready to predict.

    Parameters
    ----------
    source : str, Path, Asset or coreai.authoring.AIProgram
    function : str, optional
        Which function of a program that has several; by default "main", or the only one.

    Returns
    -------
    Model

    Raises
    ------
    ImportError
        Where Apple's packages are missing.
    FileNotFoundError
        If there is no asset at the path.
    PackageError
        If it is not sound, or Apple's runtime cannot load it. Its interpreter on Linux cannot run FP4 that has a byte
        for each code.
    TypeError
        If `source` is something else.
    ValueError
        If there is no such function.

    Examples
    --------
    >>> model = load("ResNet50.aimodel")                                    # doctest: +SKIP
    >>> model.predict({"image": pixels})["scores"].shape                    # doctest: +SKIP
    (1, 1000)
    """
    return Model(source, function)


def run(source, inputs, function=None):
    """Predict once: `load(source, function).predict(inputs)`.

    Parameters
    ----------
    source, function
        As for `load`.
    inputs : dict of str to array
        Or a list of such dictionaries.

    Returns
    -------
    dict of str to ndarray
        Or a list of them.

    Examples
    --------
    >>> run("ResNet50.aimodel", {"image": pixels})                          # doctest: +SKIP
    """
    return load(source, function).predict(inputs)


class Model:
    """A program of Core AI that is ready to predict. Made by `load`.

    Attributes
    ----------
    inputs, outputs, states : dict of str to toykit.coreml.format.features.Feature
    function : str
        Which function of the program it is.
    """

    def __init__(self, source, function=None):
        runtime = apples("coreai.runtime")
        authoring = apples("coreai.authoring.asset")
        asset = Asset(source) if isinstance(source, str | os.PathLike) else source
        program = open_program(asset)
        if not runtime._use_os_coreai and any(map(is_loose_fp4, operations(program))):
            raise PackageError(
                "the interpreter of coreai-core 1.0.0b3 cannot run weights of FP4 that have a byte each, as coreai-opt "
                "writes them, and which end the whole process; the system's own runtime on macOS 27 is asked where "
                "there is one"
            )
        self._array = runtime.NDArray
        with contextlib.ExitStack() as stack, working():
            if isinstance(asset, Asset):
                path = asset.path
            else:
                path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "program.aimodel")
                program.save_asset(path)
            try:
                self._model = _wait(_executable(authoring.AIModelAsset.load(path)))
            except RuntimeError as error:
                raise PackageError(f"Apple's runtime cannot load {path.name}: {_first(error)}") from error
            # On a Mac the system's runtime reads the asset when it needs it.
            self._folder = stack.pop_all()
        names = tuple(self._model.function_names)
        if function is None:
            function = names[0] if len(names) == 1 else "main"
        self.function = check_choice("function", function, names)
        with working(), _silent():
            self._call = self._model.load_function(self.function)
        described = self._call.desc
        self.inputs = {
            name: _feature(name, described.input_descriptor(name)) for name in described.input_names
        }
        self.outputs = {
            name: _feature(name, described.output_descriptor(name)) for name in described.output_names
        }
        self.states = {
            name: _feature(name, described.state_descriptor(name)) for name in described.state_names
        }

    def __repr__(self):
        return f"Model({', '.join(self.inputs)} -> {', '.join(self.outputs)}, function={self.function!r})"

    def make_state(self):
        """Zeros for every state of the program, to be handed to `predict`: dict of str to ndarray."""
        return {name: np.zeros(feature.shape, feature.dtype) for name, feature in self.states.items()}

    def predict(self, inputs, state=None):
        """Run the program.

        Parameters
        ----------
        inputs : dict of str to array
            A list of such dictionaries gives a list of results.
        state : dict of str to ndarray, optional
            Of a program with states: from `make_state`. It is changed.

        Returns
        -------
        dict of str to ndarray
            Of the types that the program declares.

        Raises
        ------
        TypeError, ValueError
            If an input is missing, unknown, or not as the program declares it, or the state does not come from
            `make_state`.
        PackageError
            If the runtime cannot carry it out.
        """
        if isinstance(inputs, list | tuple):
            return [self.predict(one, state) for one in inputs]
        self._check_state(state)
        arrays = check_inputs(inputs, self.inputs)
        given = {
            name: self._array(_converted(name, array, self.inputs[name])) for name, array in arrays.items()
        }
        state = state or {}
        states = {name: self._array(array) for name, array in state.items()}
        try:
            results = _wait(self._call(given, states))
        except RuntimeError as error:
            raise PackageError(f"Apple's runtime cannot run {self.function!r}: {_first(error)}") from error
        for name, array in states.items():
            state[name][...] = array.numpy()
        # Copies: the runtime's own buffers go with its arrays.
        return {name: np.array(results[name].numpy()) for name in self.outputs}

    def _check_state(self, state):
        if self.states and state is None:
            raise ValueError(
                f"the program has states ({', '.join(self.states)}): pass state=model.make_state(), and pass it again "
                "to go on"
            )
        given = {} if state is None else state
        if not isinstance(given, dict) or {
            name: (getattr(array, "shape", None), str(getattr(array, "dtype", None)))
            for name, array in given.items()
        } != {name: (feature.shape, feature.dtype) for name, feature in self.states.items()}:
            raise ValueError(f"state must come from make_state() of this model; got {shown(state)}")


def _converted(name, array, feature):
    """An array of the type that the program declares; as it is, a number that does not fit would become infinite."""
    with np.errstate(over="ignore"):
        converted = array.astype(feature.dtype)
    if converted.dtype.kind == "f" and np.isinf(converted).any() and not np.isinf(array).any():
        raise ValueError(
            f"input {name!r} must fit into {feature.dtype}; got a number of size {np.abs(array).max():.4g}"
        )
    return np.asarray(converted, order="C")  # np.ascontiguousarray would give a single number an axis


def _feature(name, described):
    shape = tuple(described.shape)
    ranges = None
    if -1 in shape:  # a length that may be any
        ranges = tuple((1, -1) if length == -1 else (length, length) for length in shape)
        shape = tuple(1 if length == -1 else length for length in shape)
    return Feature(name, "multiArray", described.dtype, shape, ranges)


async def _executable(asset):
    async with asset.executable() as model:
        return model


def _wait(work):
    """What a coroutine results in, once it has run in the loop of another thread."""
    return asyncio.run_coroutine_threadsafe(_awaited(work), _loop(os.getpid())).result()


async def _awaited(work):
    return await work


@cache
def _loop(process):
    """The loop of a process: one that is forked from it has no threads."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="toykit.coreai", daemon=True).start()
    return loop


@contextlib.contextmanager
def _silent():
    """A block in which the process's standard error is silent: the runtime writes there by itself."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _first(error):
    return str(error).strip().partition("\n")[0] or type(error).__name__
