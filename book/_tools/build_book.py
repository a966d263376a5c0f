"""Build the book: `make book`.

The site shows the outputs that are stored in the notebooks, so building it runs no notebook and takes
seconds. With `--verified`, as in CI, it is built only from outputs that `make test-notebooks` has just
compared with what the code computes now.
"""

import argparse
import errno
import os
import shutil
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

from .project import BUILD, HTML, ROOT, alone, fail, program, say, shown
from .stored_outputs import broken
from .verify_outputs import explain_stamp


def check_stored_outputs():
    """Stop if a notebook holds an error, or lacks an output that it should have."""
    problems = [f"  {path.name}, {problem}" for path in shown() if path.is_file() for problem in broken(path)]
    if problems:
        fail("The notebooks cannot be shown as they are:\n" + "\n".join(problems))


def build(fresh=False):
    """Write the site to `_build/html`; every warning is an error."""
    if fresh:
        shutil.rmtree(HTML, ignore_errors=True)
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
    command = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        str(ROOT),
        "--path-output",
        str(ROOT),
        "-n",
        "-W",
        "--keep-going",
        "--quiet",
    ]
    say("Building the book")
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace")
    if os.strerror(errno.ENOSPC) in done.stderr:
        fail(f"The book was not built: the disk is full. Make room on the drive of {ROOT} and run it again.")
    print(done.stderr, end="", file=sys.stderr)
    if done.returncode:
        fail("The book was not built: each warning above is an error.")
    pages = sum(1 for _ in HTML.rglob("*.html"))
    size = sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file())
    say(f"{pages} pages, {size / 1e6:.1f} MB, in {time.perf_counter() - start:.0f} s: {HTML / 'index.html'}")


def show():
    """Open the built book in a browser, where there is a person and a screen."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and not os.environ.get("CI"):
        webbrowser.open((HTML / "index.html").as_uri())
    else:
        say("Open that file in any browser, or run 'make serve'.")


@program
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fresh", action="store_true", help="build every page anew")
    parser.add_argument("--verified", action="store_true", help="only from outputs that nbval has verified")
    parser.add_argument("--open", action="store_true", help="show the book when it is built")
    options = parser.parse_args()
    check_stored_outputs()
    if options.verified and (reason := explain_stamp()):
        fail(reason)
    with alone():
        build(options.fresh)
    if options.open:
        show()


if __name__ == "__main__":
    main()
