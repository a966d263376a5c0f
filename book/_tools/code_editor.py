"""Bundle the code editor of the pages: CodeMirror out of npm, one script, which a reader's first edit loads.

    editor()     ->  the folder to serve, with `vendor/editor.js`, or None

The packages, and esbuild that bundles them, are pinned like those of `vendor`. Where they cannot be had, or
esbuild has nothing for this computer, the book is built as well, and its pages edit in a plain text field.
"""

import hashlib
import os
import platform
import subprocess
import tarfile
import tempfile
from pathlib import Path

from .project import BUILD, say
from .vendor import Unfetched, pack_of_npm

SOURCE = Path(__file__).with_suffix(".js")
# npm package: (version, sha512 as npm states it)
PACKAGES = {
    "@codemirror/autocomplete": (
        "6.20.4",
        "yF8RhOf2SXlg00+qtupzLhrglcas61boqaONiNcbPIebHCpJocpqTBA6dyrtUrQO47hqyTdeob/3XnYilT7TaQ==",
    ),
    "@codemirror/commands": (
        "6.11.1",
        "O/4hG3SC1YwcmQ0d2UVNDs+AsaNWd1iHVxbTeEBuqH+6bExAiPK3iS/BvpY6rZGURALv4ZD3sIgcCmRvw3ehBg==",
    ),
    "@codemirror/lang-python": (
        "6.2.1",
        "IRjC8RUBhn9mGR9ywecNhB51yePWCGgvHfY1lWN/Mrp3cKuHr0isDKia+9HnvhiWNnMpbGhWrkhuWOc09exRyw==",
    ),
    "@codemirror/language": (
        "6.13.1",
        "zfvU2r3TyylQLMj/te+5CnQ0rSqZi8B1oTCBbQkagcLW4Xc6imab6qN+pEJhsuNOLaJqiRyBXp9UhWA1DhVvDw==",
    ),
    "@codemirror/state": (
        "6.7.6",
        "kAz+AncRtKuIknedxT1bq4XwXv4UowhbkHU1myPrtVb/jZtImWuV5BXzv5vK6i3kYACsdiZiQKFQQ5Mq7elW8w==",
    ),
    "@codemirror/streamparser": (
        "6.0.0",
        "JTFPF6xrfjt0mnfGPgzcLiMwYmvIyNaoizp8BYzv8FE8KrT6GBGDZ190rtt+O7Wke3gG/MFHyiY9YGNeimof4w==",
    ),
    "@codemirror/view": (
        "6.43.15",
        "HHsfpqFeHyXLs983pSRe38Xajs0vFWZQ2BuX0m7Ki8w3jZ5iD8cuR3lBz2/5/X53Dhf32SBHKh6rtSTB6tKeGw==",
    ),
    "@lezer/common": (
        "1.5.5",
        "Pw7PVCndruF1pb3ebCxpSVpkMHSDjwRCLcTRw+RizUKco5QbWylwq2g4lnG/RYN7yTTQDXE9F77MwtkAyphrjg==",
    ),
    "@lezer/highlight": (
        "1.2.5",
        "O1GMVKgtf5YspFaRzpmqkVgMtIk2HG9uMAbH6wdAIdNh3TVzCsch/+cRi+6l2//UGDKe6NB9BW3cvuR5ezMQ0w==",
    ),
    "@lezer/lr": (
        "1.4.12",
        "On9HU4oMMiHPMkQDgoTnGahjgG5n/MkN38CgG77sMraKLL+3JBbeQNi1FcCXV9QRqwF9/BUXP3caHyJC1fBOTQ==",
    ),
    "@lezer/python": (
        "1.1.19",
        "MhQIURHRytsNzP/YXnqpYKW6la6voAH3kyplTOOiCdjyFY6cWWGFVmYVdHIPrElqSDf4iCDktQCockB9FxuhzQ==",
    ),
    "@marijn/find-cluster-break": (
        "1.0.4",
        "Wy0V7+SGUjnF9/TkiM1hKVDPj7jKXduPNboMVtHTA8dySMURWqfg/JZ9E2Sq8JgSJmkl7k7Qe9FLeMSrSraWmQ==",
    ),
    "crelt": (
        "1.0.7",
        "aK6BbWfhf4U/wCcLHKPJl/xa6VkVstRaPywWtMKGwuOLc/wZTyQYuoxgvZnNsBvv7Kg3YTBQYYBCggcviQczuA==",
    ),
    "style-mod": (
        "4.1.5",
        "WQ2llCZa9sZSkJA+aOwpg5DkfbAXFKGh//t3MRTBeruFiSBC+GXUmbBzrw3bXyboCWAbtCW9InDfBsXrRD/rAg==",
    ),
    "w3c-keyname": (
        "2.2.8",
        "dpojBhNsCNN7T82Tm7k26A6G9ML3NkhDsnw9n/eoxSRlVBB4CEtIQ/KTCLI2Fwf3ataSXRhYFkQi3SlnFwPvPQ==",
    ),
}
ESBUILD = "0.28.2"
# System and processor, as Python names them: (esbuild's package for them, sha512 as npm states it)
BUNDLERS = {
    ("Linux", "x86_64"): (
        "@esbuild/linux-x64",
        "4xTZr1FUmSoQW4XIWmit3tzQrUTZM+N3P0XV8xROKYF50XfI7xeO90+1bZvNwxIufQ9hDQVRJH5YhgPVF8A/HQ==",
    ),
    ("Linux", "aarch64"): (
        "@esbuild/linux-arm64",
        "pW4AC0P3it8c7do9MVM4p51FzHzdM/TZrerurgRcHJ2WTa1VQ1CIq18xncfpBJw4ojkiZZrKW2yIBWBP92j6Ug==",
    ),
    ("Darwin", "x86_64"): (
        "@esbuild/darwin-x64",
        "uq6suIWYP37qzGddBKPw5QEQPi6HiLGsO7UmkpfyaYNQ3D+rN6w6WfwH+nuqcGXWvawGwxOEroO4YGnFh95azw==",
    ),
    ("Darwin", "arm64"): (
        "@esbuild/darwin-arm64",
        "n4KqkOQrraxHJcgjM1RvwbigfQKIKJVpM7xp+KsxiyUSrRdIXnt73VhrPAx0fV44hgfmIVKjxMN9J1t5jySVkw==",
    ),
}
OPTIONS = ("--bundle", "--minify", "--format=iife", "--target=es2020", "--legal-comments=none")
SECONDS = 60  # for each package


def key():
    """Return a short name for this set of versions and this source."""
    made_of = f"{PACKAGES}{ESBUILD}{OPTIONS}{SOURCE.read_text(encoding='utf-8')}"
    return hashlib.sha256(made_of.encode()).hexdigest()[:16]


def editor():
    """Return the folder that holds `vendor/editor.js`, or None, with a line that says why."""
    home = BUILD / "vendor" / f"editor-{key()}"
    try:
        if not home.is_dir():
            bundle(home)
    except (Unfetched, OSError, subprocess.CalledProcessError) as error:
        why = str(error).splitlines()[0]
        say(f"The pages edit code in plain text fields: CodeMirror could not be bundled. {why}")
        return None
    return home


def bundle(home):
    """Fetch the packages, and make `home` of them; a folder of this name is complete."""
    machine = platform.system(), platform.machine()
    if machine not in BUNDLERS:
        raise Unfetched(f"esbuild has no package here for {' '.join(machine)}.")
    bundler, digest = BUNDLERS[machine]
    home.parent.mkdir(parents=True, exist_ok=True)
    say("Fetching the pages' code editor (once)")
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        modules, result = Path(scratch, "node_modules"), Path(scratch, "home", "vendor")
        for name, (version, sha512) in {**PACKAGES, bundler: (ESBUILD, digest)}.items():
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                archive = pack_of_npm(name, version, sha512, folder, seconds=SECONDS)
                with tarfile.open(archive) as tar:
                    tar.extractall(folder, filter="data")
                (modules / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(Path(folder, "package"), modules / name)
        program = modules / bundler / "bin" / "esbuild"
        program.chmod(0o755)
        source = Path(scratch, SOURCE.name)
        source.write_bytes(SOURCE.read_bytes())
        target = result / "editor.js"
        command = [program, source, *OPTIONS, f"--outfile={target}", "--log-level=error"]
        subprocess.run(command, check=True, cwd=scratch)
        licences = {(modules / name / "LICENSE").read_text(encoding="utf-8") for name in PACKAGES}
        (result / "editor.LICENSE.txt").write_text("\n".join(sorted(licences)), encoding="utf-8")
        os.replace(result.parent, home)
