"""A picture of a package's program: all of a small one, of a large one what is important."""

from . import composing, drawing
from .style import COLORS, INK, pyplot


def program(package, function=None, ax=None, noise=None, important=()):
    """Draw the program of a small package as a graph.

    A box is an operation, with the arrays of the weight file that it uses as tabs, coloured by the
    technique that they are stored with; white tabs are weights so small that they lie in the program. A
    dashed box is an operator that decompresses. Lines are what flows, with its shape where there is
    room. Strides, axes and other settings are left out.

    Parameters
    ----------
    package : str, Path, Package or coremltools.models.MLModel
        With at most 40 operations, unless some are `important`.
    function : str, optional
        Which function of the program; by default the one that the package names.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure of the size that the program needs by default.
    noise : dict of str to float or None, optional
        The signal-to-noise ratios of results in decibels, as `toykit.where` measures them: an operation is the
        darker red the less is left, and says how much.
    important : sequence of str, optional
        Names of results, the most important first. In a program of more than 40 operations theirs have boxes of
        their own, as far as 40 boxes go, and each run of others between them is one box, drawn as a stack, that
        counts them.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the program has more than 40 operations and none is important, or no function of that name.
    FileNotFoundError, PackageError
        If there is no sound package at the path.
    """
    plt = pyplot()
    picture = composing.compose(package, function, noise, important)
    if ax is None:
        # The picture has its own margins; a layout engine would change the size of its letters.
        figure = plt.figure(figsize=drawing.extent(picture), layout="none")
        ax = figure.add_axes((0, 0, 1, 1))
    return drawing.draw(picture, ax, COLORS, INK, COLORS["dense"])
