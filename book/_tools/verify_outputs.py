"""Run every notebook once and compare it with its stored outputs: `make test-notebooks`.

When all of them agree, a stamp is left in `_build/verified.json`: a digest of every file that an
output can depend on. CI builds the site only while the stamp still fits, so what the site shows is
what the code of that very commit computes, although each notebook ran only once.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from . import core_ai_packages
from .project import BUILD, ROOT, chapters, fail, kernel_environment, say

STAMP = BUILD / "verified.json"


def sources():
    """Yield every file that the output of a notebook can depend on."""
    yield from (ROOT / "constraints.txt", ROOT / "pyproject.toml")
    yield from chapters()
    for folder in ("notebooks/data", "toykit"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def digests():
    """Return the digest of each source, by its path inside the project."""
    return {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sources()
    }


def explain_stamp():
    """Return why the stored outputs do not count as verified, or an empty string if they do."""
    if not STAMP.is_file():
        return "The stored outputs have not been verified. Run 'make test-notebooks' first."
    then, now = json.loads(STAMP.read_text()), digests()
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        return (
            "The stored outputs were verified, but these files have changed since: "
            + ", ".join(changed)
            + ". Run 'make test-notebooks' again."
        )
    return ""


def agree(paths):
    """Run notebooks; return whether each computes what it stores, figures included."""
    plugins = ("no:cacheprovider", "book._tools.compare_images")
    command = [sys.executable, "-m", "pytest", "-q", "--nbval", "--nbval-current-env", "--color=no", "-rN"]
    command += ["--durations=5", *(f"-p{plugin}" for plugin in plugins), *map(str, paths)]
    if len(paths) > 1:
        command += ["-n", "2", "--dist", "loadfile"]
    return not subprocess.run(command, cwd=ROOT, env=kernel_environment()).returncode


def runnable(paths):
    """Split notebooks into those that can run here, and those that call for packages that cannot be had."""
    absent = bool(core_ai_packages.absence())
    waits = [absent and "tk.coreai" in Path(ROOT, path).read_text(encoding="utf-8") for path in paths]
    return [path for path, w in zip(paths, waits) if not w], [path for path, w in zip(paths, waits) if w]


def main():
    chosen = sys.argv[1:]
    paths, left_out = runnable(chosen or [path.relative_to(ROOT) for path in chapters()])
    for path in left_out:
        say(f"{path} is not verified, because Core AI's packages are not here: {core_ai_packages.absence()}.")
    before = digests()
    if not chosen:
        STAMP.unlink(missing_ok=True)
    if not agree(paths):
        fail(
            "A notebook does not compute what it shows. If the new output is right, store it with "
            "'make notebooks NB=...' and look at what changed."
        )
    if not chosen:
        if digests() != before:
            fail("Files changed while the notebooks ran; run 'make test-notebooks' again.")
        BUILD.mkdir(exist_ok=True)
        STAMP.write_text(json.dumps(before, indent=1) + "\n")
        say(f"{len(paths)} notebooks verified.")


if __name__ == "__main__":
    main()
