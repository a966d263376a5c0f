"""Public names that load their module when they are first used.

So `import toykit` needs NumPy alone, and a page that only prunes never waits for torch.
"""

import sys
from importlib import import_module


def lazy(package, home, modules=()):
    """Make the `__all__`, `__getattr__` and `__dir__` of a package.

    Parameters
    ----------
    package : str
        The package's `__name__`.
    home : dict of str to str
        Public name -> the module inside the package that defines it.
    modules : sequence of str
        Modules that are public by themselves.

    Returns
    -------
    (list, function, function)

    Examples
    --------
    >>> import toykit.models
    >>> "resnet50" in dir(toykit.models)
    True
    """
    public = sorted([*home, *modules])
    namespace = vars(sys.modules[package])

    def __getattr__(name):  # noqa: N807 - a module's own
        if name in home:
            # Kept in the namespace, also in place of a submodule of that name that the import leaves there.
            namespace[name] = getattr(import_module(f"{package}.{home[name]}"), name)
            return namespace[name]
        if name in modules:
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__():  # noqa: N807
        return sorted({*namespace, *public})

    return public, __getattr__, __dir__
