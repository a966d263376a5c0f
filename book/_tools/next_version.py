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


def steps(packages, folder=NEXT, wanted=f"coremltools=={VERSION}"):
    """The commands that make the environment, and the line that lets it find `packages` of another one.

    Parameters
    ----------
    packages : str
        The site-packages of the environment that has everything else.
    folder : Path
    wanted : str
        The one package of its own.
    """
    inside = folder / "bin" / "python"
    install = ["install", "-q", "--no-deps", wanted]
    find = f"""import pathlib, sysconfig
folder = pathlib.Path(sysconfig.get_path("purelib"))
(folder / "other_packages.pth").write_text({f"import site; site.addsitedir({packages!r})"!r})"""
    return [
        [sys.executable, "-m", "venv", "--clear", "--without-pip", folder],
        [sys.executable, "-m", "pip", "--python", inside, *install],
        [inside, "-c", find],
    ]


def prepare(folder=NEXT, wanted=f"coremltools=={VERSION}"):
    """Make the environment, if it is not there or has another package; return its Python."""
    packages = sysconfig.get_path("purelib")
    ready = folder / ".ready"
    with alone():
        if not ready.exists() or ready.read_text() != f"{wanted} {packages}":
            shutil.rmtree(folder, ignore_errors=True)
            for command in steps(packages, folder, wanted):
                if subprocess.run(command).returncode:
                    fail(f"Could not install {wanted} in {folder}; the lines above say why.")
            ready.write_text(f"{wanted} {packages}")
            say(f"{wanted} is in {folder}")
    return folder / "bin" / "python"


@program
def main():
    prepare()


if __name__ == "__main__":
    main()
