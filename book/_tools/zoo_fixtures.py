"""Write the packages in tests/zoo/packages again, each with its own version of coremltools: `make zoo-fixtures`.

Each version gets an environment of its own, which is thrown away afterwards: it takes the Python, the NumPy
and the scikit-learn of its day. CI needs none of them, because the packages are in the repository.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from .project import ROOT, fail, say

ZOO = ROOT / "tests" / "zoo"
# Version of coremltools: the Python and the packages that it runs with.
ENVIRONMENTS = {
    "6.3": ("3.10", "numpy<2", "scikit-learn==1.1.2"),
    "7.2": ("3.11", "numpy<2", "scikit-learn"),
    "8.0": ("3.11", "numpy<2", "scikit-learn"),
    "8.3": ("3.11", "numpy==2.4.6", "scikit-learn"),
    "9.0": ("3.11", "numpy==2.4.6", "scikit-learn"),
    "9.1.dev1": ("3.11", "numpy==2.4.6", "scikit-learn"),
}


def python(version):
    """The command of a version of Python."""
    found = shutil.which(f"python{version}")
    return found or fail(f"python{version} is needed, and is not on the path.")


def write(version):
    """Write the archive of a version of coremltools."""
    number, *packages = ENVIRONMENTS[version]
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([python(number), "-m", "venv", scratch], check=True)
        inside = str(Path(scratch, "bin", "python"))
        subprocess.run(
            [inside, "-m", "pip", "install", "-q", f"coremltools=={version}", *packages], check=True
        )
        archive = ZOO / "packages" / f"{version}.tar.xz"
        subprocess.run(
            [inside, str(ZOO / "write_fixtures.py"), str(archive)], check=True, stderr=subprocess.DEVNULL
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="of coremltools; by default all")
    versions = parser.parse_args().versions or list(ENVIRONMENTS)
    if unknown := [version for version in versions if version not in ENVIRONMENTS]:
        fail(f"There is no environment for {unknown[0]}: choose from {', '.join(ENVIRONMENTS)}.")
    for version in versions:
        python(ENVIRONMENTS[version][0])  # before the first of many minutes
    for version in versions:
        say(f"coremltools {version}")
        write(version)


if __name__ == "__main__":
    main()
