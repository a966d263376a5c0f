"""One way to ask for a package that toykit can live without."""

from importlib import import_module

# Packages whose name on PyPI is not the name that is imported.
_DISTRIBUTION = {"sklearn": "scikit-learn"} | dict.fromkeys(
    ("coreai", "coreai_torch", "coreai_opt"), "toykit[coreai]"
)
_NOTES = {
    "coremltools": " (Windows and Arm Linux have no wheel of it: use WSL, or an x86-64 machine)"
} | dict.fromkeys(
    ("coreai", "coreai_torch", "coreai_opt"),
    " (there are wheels for x86-64 Linux with glibc 2.34 and for Macs with Apple silicon and macOS 26, and newer)",
)


def require(name, purpose):
    """Import the module `name`, or say what to install and what for.

    Parameters
    ----------
    name : str
        The module, for example "torch" or "matplotlib.pyplot".
    purpose : str
        The sentence's beginning, for example "toykit.sweep needs torch to run the network".

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If the package is not installed. A package that is installed and fails inside its own
        import raises its own error.

    Examples
    --------
    >>> require("json", "this example reads JSON").__name__
    'json'
    """
    package = name.partition(".")[0]
    try:
        return import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != package:
            raise
    requirement = _requirement(_DISTRIBUTION.get(package, package))
    raise ImportError(f"{purpose}: pip install '{requirement}'{_NOTES.get(package, '')}", name=package)


def _requirement(distribution):
    """The version that toykit itself asks for, so that pyproject.toml is the only list of them."""
    from importlib import metadata  # with all of `email`, for a sentence that is seldom said

    try:
        requirements = metadata.requires("toykit") or []
    except metadata.PackageNotFoundError:  # toykit runs from a folder and was never installed
        requirements = []
    for requirement in requirements:
        wanted = requirement.partition(";")[0].strip()
        if wanted == distribution or wanted.startswith(tuple(distribution + op for op in "=<>!~ [")):
            return wanted
    return distribution
