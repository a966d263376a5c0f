"""Firefox, which Playwright cannot drive as Debian packs it: asked over WebDriver BiDi by puppeteer-core.

puppeteer-core comes from npm at the versions that package-lock.json pins, with their digests, into the cache of
book/_tools/fetch.py. Nothing of it is in the repository.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from book._tools import fetch, vendor

HERE = Path(__file__).parent
SECONDS = 120  # for npm, and for a visit


def executable():
    """Where Firefox is: what TOYKIT_FIREFOX names, or the system's; None if there is none."""
    return os.environ.get("TOYKIT_FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")


def modules():
    """The folder with puppeteer-core, fetched once.

    Raises
    ------
    vendor.Unfetched
    """
    lock = (HERE / "package-lock.json").read_bytes()
    home = fetch.cache() / "firefox" / hashlib.sha256(lock).hexdigest()[:16]
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    command, environment = vendor.npm()
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        whole = Path(scratch, "whole")
        whole.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, whole)
        options = ["--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--silent"]
        try:
            done = subprocess.run(
                [*command, "ci", *options], cwd=whole, env=environment, capture_output=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise vendor.Unfetched(f"npm had not fetched puppeteer-core after {SECONDS} s") from None
        if done.returncode:
            raise vendor.Unfetched(
                f"npm could not fetch puppeteer-core: {done.stderr.decode().strip()[-300:]}"
            )
        os.replace(whole, home)
    return home


def visit(visits):
    """What Firefox answers.

    Parameters
    ----------
    visits : list of (str, str)
        The address of a page, and a function of JavaScript that is run in it.

    Returns
    -------
    list of dict
        `answer` of the function, `faults` on the page, and `requests`: every address that was asked.
    """
    asked = [{"address": address, "action": action} for address, action in visits]
    order = {"modules": str(modules()), "executable": executable(), "visits": asked}
    done = subprocess.run(
        [str(vendor.node()), str(HERE / "visit.mjs")],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=SECONDS * len(visits),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
