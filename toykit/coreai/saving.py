"""Write an asset under its name, so that whatever happens meanwhile, nothing is lost."""

from .._quiet import working
from ..coreml.writing.output import Kind
from ..coreml.writing.saving import write_whole
from .asset import PROGRAM, SUFFIX, is_program

ASSET = Kind(SUFFIX, PROGRAM, "the folder that Core AI's tools recognise", "an asset")


def save(program, path, *, replace=True):
    """Write a program as an .aimodel.

    Stopped at any moment, it leaves a whole asset under the name, the new one or what was there before, as
    `toykit.coreml.save` does. (coreai's own `save_asset` removes what is there before it begins.)

    Parameters
    ----------
    program : coreai.authoring.AIProgram
    path : str or Path
        Ends in .aimodel.
    replace : bool
        Whether an asset that lies there may be replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    TypeError
        If `program` is something else.
    ValueError
        If the path does not end in .aimodel, its folder is missing or cannot be written to, or something lies there:
        an asset if `replace` is false, anything else in any case.
    OSError
        If it cannot be written, such as on a full disk; what was there stays as it was.

    Examples
    --------
    >>> save(program, "Net.aimodel")                                        # doctest: +SKIP
    """
    if not is_program(program):
        raise TypeError(
            f"program must be coreai's AIProgram, as convert gives it; got {type(program).__name__}"
        )

    def write(new):
        with working():
            try:
                program.save_asset(new)
            except RuntimeError as error:  # so coreai says what went wrong, of the disk too
                cause = error.__cause__ or error
                raise cause if isinstance(cause, OSError) else OSError(str(cause).splitlines()[0]) from error

    return write_whole(write, path, ASSET, replace)
