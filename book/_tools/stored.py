"""Check what is stored in a notebook, without running it."""


def problems_in(path):
    """Return what is wrong with the stored outputs of the notebook at `path`, as sentences."""
    return []
