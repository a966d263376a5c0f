"""Public names that load their module when they are first used.

So `import toykit` needs NumPy alone, and a page that only prunes never waits for torch. A package's
`__init__.pyi` says where each of its public names comes from. Editors and type checkers read it, and so does
`attach` when the package is imported: what is offered is what is there. It imports by full names, because with
relative ones type checkers take the modules inside the package for public, too.
"""

import ast
import sys
from importlib import import_module


def attach(package):
    """Make the `__all__`, `__getattr__` and `__dir__` of a package from its `__init__.pyi`.

    Parameters
    ----------
    package : str
        The package's `__name__`.

    Returns
    -------
    (list, function, function)

    Examples
    --------
    >>> import toykit.models
    >>> "resnet50" in dir(toykit.models)
    True
    """
    namespace = vars(sys.modules[package])
    loader, path = namespace["__loader__"], namespace["__file__"]
    home = {
        alias.name: "." * node.level + (node.module or "")
        for node in ast.parse(loader.get_data(path + "i")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    def __getattr__(name):  # noqa: N807 - a module's own
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name] == ".":
            return import_module(f".{name}", package)
        # Kept in the namespace, also in place of a submodule of that name that the import leaves there.
        namespace[name] = getattr(import_module(home[name], package), name)
        return namespace[name]

    def __dir__():  # noqa: N807 - as above
        return sorted({*home, *(name for name in namespace if name.startswith("__"))})

    return sorted(home), __getattr__, __dir__
