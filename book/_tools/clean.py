"""Remove what was built, and nothing that a reader wrote: `make clean`. Runs on any Python 3."""

import os
import shutil

from .keeping import remove
from .project import BUILD, ROOT, WORKSHOP, alone, program, say

BUILT = ("build", "toykit.egg-info", ".pytest_cache", ".ruff_cache", ".hypothesis", ".benchmarks")
ENVIRONMENTS = {".venv", ".git"}


def clean(root=ROOT, build=BUILD, workshop=WORKSHOP):
    """Remove everything that can be made again, and return what was kept in the workshop."""
    kept = remove(workshop)
    built = [path for path in build.iterdir() if path != workshop] if build.is_dir() else []
    caches = []
    for folder, inner, _ in os.walk(root):
        inner[:] = [name for name in inner if name not in ENVIRONMENTS]
        caches += [os.path.join(folder, name) for name in inner if name == "__pycache__"]
    for path in [*built, *(root / name for name in BUILT), *caches]:
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path):
            shutil.rmtree(path)
    if build.is_dir() and not any(build.iterdir()):
        build.rmdir()
    return kept


@program
def main():
    with alone():
        kept = clean()
    if kept:
        say(f"Kept in {WORKSHOP.relative_to(ROOT)}, because you made or changed it:")
        for path in kept:
            say(f"  {path.relative_to(WORKSHOP) if path != WORKSHOP else path}")
        say("Remove that folder yourself when you no longer need it.")


if __name__ == "__main__":
    main()
