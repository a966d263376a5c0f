"""Small networks made by hand: linear layers one after the other, so that what a weight does depends on the others."""

from tests import handmade
from tests.strategies import trained
from toykit.coreml.format.program import Operation, Type
from toykit.coreml.writing import messages

ROWS = 2


def chain(path, sizes=(48, 64, 56, 64), seed=0, version=9):
    """A package of linear layers with a ReLU between them.

    Parameters
    ----------
    path : Path
    sizes : sequence of int
        Of the input, and of each layer's output.
    """
    file, operations, given = handmade.File(), [], "x"
    for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        name, kind = f"w{number}", Type("tensor", "float16", (ROWS, outputs))
        value = file.add(trained((outputs, inputs), seed + number))
        made = Operation("const", name, {}, {name: value.type}, {"val": value}, [])
        operations.append(messages.encode_operation(made, handmade.FILE))
        operations.append(handmade.operation("linear", f"y{number}", {"x": given, "weight": name}, kind))
        given = f"y{number}"
        if number + 2 < len(sizes):
            operations.append(handmade.operation("relu", f"r{number}", {"x": given}, kind))
            given = f"r{number}"
    return handmade.save(path, file, operations, [("x", (ROWS, sizes[0]), "float16")], [given], version)
