"""The settings that are tried: those that the target's system can hold and that suit the unit.

What suits which unit is Apple's guide to Core ML Tools, as the recipe's page of the book cites it: as of iOS 18 and
macOS 15, read in November 2026. Nothing of it was measured here, and where the guide says nothing, that is said.
"""

from dataclasses import dataclass

from ..compressed import check_choice
from ..coreml.writing import forms
from ..settings import read_setting

UNITS = ("ane", "gpu", "cpu")
FLOAT16 = {"technique": "float16"}
_GUIDE = "https://apple.github.io/coremltools/docs-guides/source/opt-"
_PAGES = {
    "palette": "palettization-perf.html",
    "groups": "palettization-perf.html",
    "linear": "quantization-perf.html",
    "blocks": "quantization-perf.html",
    "pruned": "pruning-perf.html",
}
# What the guide says of a form on a unit; None where it says nothing. A form that it advises against is not tried.
_SAYS = {
    "palette": {"ane": "best here: less memory, lower latency", "gpu": "perhaps less memory", "cpu": None},
    "groups": {"ane": "as palettes, but slower with more tables", "gpu": None, "cpu": None},
    "linear": {"ane": None, "gpu": None, "cpu": None},
    "blocks": {"ane": None, "gpu": "on a Mac: much less memory", "cpu": None},
    "pruned": {
        "ane": "faster; from three quarters on it may skip the zeros",
        "gpu": None,
        "cpu": "can be faster",
    },
}
_AGAINST = {("blocks", "ane")}  # "take one scale a channel instead"


@dataclass(frozen=True)
class Advice:
    """What Apple's guide says of a form on a unit.

    Attributes
    ----------
    form : {"palette", "groups", "linear", "blocks", "pruned"}
    says : str
        "" where it says nothing.
    source : str
        The page of the guide.
    """

    form: str
    says: str
    source: str


def _palette(bits, **options):
    return {"technique": "palettize", "bits": bits, **options}


def _pruned(sparsity, bits):
    return {"technique": "joint", "prune": {"sparsity": sparsity}, "palettize": {"bits": bits}}


ALL = (
    {"technique": "quantize", "bits": 8},
    {"technique": "quantize", "bits": 4},
    {"technique": "quantize", "bits": 4, "granularity": "per_block", "block_size": 32},
    *(_palette(bits) for bits in (8, 6, 4, 3, 2, 1)),
    *(_palette(bits, group_size=16) for bits in (4, 3, 2)),
    {"technique": "prune", "sparsity": 0.75},
    _pruned(0.5, 4),
    _pruned(0.75, 4),
)


def form_of(setting):
    """Which row of the guide's table a setting belongs to.

    Examples
    --------
    >>> form_of({"technique": "palettize", "bits": 4, "group_size": 16})
    'groups'
    """
    options = dict(read_setting(setting))
    if "prune" in options:
        return "pruned"
    if "palettize" in options:
        return "groups" if options["palettize"]["group_size"] else "palette"
    return "blocks" if options["quantize"]["granularity"] == "per_block" else "linear"


def advice(setting, unit):
    """What the guide says of a setting on a unit.

    Parameters
    ----------
    setting : dict
        As in `toykit.sweep`, and not "float16".
    unit : {"ane", "gpu", "cpu"} or None

    Returns
    -------
    Advice
    """
    form = form_of(setting)
    return Advice(form, (unit and _SAYS[form][unit]) or "", _GUIDE + _PAGES[form])


def settings_for(package, target=None, unit=None, given=None):
    """The settings that are tried on each weight.

    Parameters
    ----------
    package : Package
    target : {"iOS16", "iOS17", "iOS18", "iOS26"}, optional
        By default the package's own system.
    unit : {"ane", "gpu", "cpu"}, optional
        By default all forms are tried, whichever unit they suit.
    given : list of dict, optional
        Settings to try in place of toykit's own.

    Returns
    -------
    (list of dict, int)
        The settings, and the version of the specification that their package has.

    Raises
    ------
    TypeError, ValueError
        If the target or the unit is unknown, the package cannot be raised to the target, or a setting that was given
        is not one, or cannot be held by the target.
    """
    if unit is not None:
        check_choice("unit", unit, UNITS)
    version = forms.IOS16
    if target is not None:
        check_choice("target", target, tuple(forms.VERSIONS)[1:])
        version, _ = forms.raised(package, target)
    if given is not None:
        for setting in given:
            forms.check(package, read_setting(setting, model=True), version)
        return list(given), version
    fitting = [one for one in ALL if (form_of(one), unit) not in _AGAINST and _held(package, one, version)]
    return fitting, version


def _held(package, setting, version):
    try:
        forms.check(package, read_setting(setting, model=True), version)
    except ValueError:
        return False
    return True
