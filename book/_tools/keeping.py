"""Write files into a folder in which somebody works, and remove them again, without touching their work.

A hidden file in the folder says which files were written there, and the digest of each. A file with
another digest was changed by a reader, and one that is not listed was made by them: both are theirs.
Runs on any Python 3, without anything installed.
"""

import hashlib
import json
import os
from pathlib import Path

RECORD = ".made.json"


def put(folder, files):
    """Write files, each beside the reader's own where they changed it and there is a newer one.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    files : dict of str to bytes
        By name, with the folders inside `folder` that lead to it: "data/rows.csv".

    Returns
    -------
    list of str
        A sentence for each file that was kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made, placed, said = _record(folder), {}, []
    for name, content in files.items():
        digest, changed = _digest(content), []
        for place in _places(name):
            there = _digest_of(folder / place)
            if there in (None, digest, made.get(place)):
                if there != digest:
                    _write(folder, place, content)
                placed[place] = digest
                if changed:
                    said.append(f"{_words(changed)} kept, with your changes; the new version is {place}")
                break
            changed.append(place)
            if place in made:
                placed[place] = made[place]
            if made.get(place) == digest:  # their changes are to this very version
                said.append(f"{_words(changed)} kept, with your changes")
                break
    for name in (
        made.keys() - placed.keys()
    ):  # of a chapter that is gone, or a newer version without an older one
        if _digest_of(folder / name) == made[name]:
            (folder / name).unlink()
    _write(folder, RECORD, json.dumps(placed, indent=1, sort_keys=True).encode())
    return said


def remove(folder):
    """Remove what `put` wrote and nobody changed, and the folder if nothing is left.

    Returns
    -------
    list of Path
        What was kept, sorted.
    """
    if folder.is_symlink() or not folder.is_dir():
        return [folder] if os.path.lexists(folder) else []
    made, kept = _record(folder), []
    ours = set(made.values())
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path == folder / RECORD:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        # A notebook that was only opened leaves a copy of itself in .ipynb_checkpoints.
        elif _digest_of(path) in ours and (
            path.relative_to(folder).as_posix() in made or path.parent.name == ".ipynb_checkpoints"
        ):
            path.unlink()
        else:
            kept.append(path)
    if not kept:
        (folder / RECORD).unlink(missing_ok=True)
        folder.rmdir()
    return kept[::-1]


def _places(name):
    """Where a file can lie: under its name, or beside a reader's file of that name."""
    yield name
    path, number = Path(name), 1
    while True:
        yield path.with_name(f"{path.stem}.new{'' if number == 1 else number}{path.suffix}").as_posix()
        number += 1


def _words(names):
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


def _record(folder):
    """Name to digest; nothing if the record is missing or damaged, and then every file is the reader's."""
    try:
        made = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) else {}


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _digest_of(path):
    """The digest of a file, None if nothing lies there, and "" for what is no file."""
    if not os.path.lexists(path):
        return None
    return _digest(path.read_bytes()) if path.is_file() else ""


def _write(folder, name, content):
    """Write a file in one step: stopped at any moment, it holds the old content or the new."""
    part = folder.with_name(f".{folder.name}.part")
    try:
        part.write_bytes(content)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, folder / name)
    finally:
        if part.exists():
            part.unlink()
