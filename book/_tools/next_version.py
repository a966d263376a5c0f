"""Make `_build/next`, an environment with the next coremltools: `make test-next` runs tests in it.

Every other package is the one in `.venv`, which it looks into: only coremltools is installed, in seconds. The
version is the newest that writes packages for tests/zoo.
"""

import shutil
import subprocess
import sys
import sysconfig

from .project import BUILD, alone, fail, program, say
from .zoo_fixtures import ENVIRONMENTS

NEXT = BUILD / "next"
VERSION = list(ENVIRONMENTS)[-1]


def steps(packages, folder=NEXT):
    """The commands that make the environment, and the line that lets it find `packages` of another one.

    Parameters
    ----------
    packages : str
        The site-packages of the environment that has everything else.
    folder : Path
    """
    inside = folder / "bin" / "python"
    install = ["install", "-q", "--no-deps", f"coremltools=={VERSION}"]
    find = f"""import pathlib, sysconfig
folder = pathlib.Path(sysconfig.get_path("purelib"))
(folder / "other_packages.pth").write_text({f"import site; site.addsitedir({packages!r})"!r})"""
    return [
        [sys.executable, "-m", "venv", "--clear", "--without-pip", folder],
        [sys.executable, "-m", "pip", "--python", inside, *install],
        [inside, "-c", find],
    ]


@program
def main():
    packages = sysconfig.get_path("purelib")
    ready = NEXT / ".ready"
    with alone():
        if ready.exists() and ready.read_text() == f"{VERSION} {packages}":
            return
        shutil.rmtree(NEXT, ignore_errors=True)
        for command in steps(packages):
            if subprocess.run(command).returncode:
                fail(f"Could not install coremltools {VERSION} in {NEXT}; the lines above say why.")
        ready.write_text(f"{VERSION} {packages}")
    say(f"coremltools {VERSION} is in {NEXT}")


if __name__ == "__main__":
    main()
