"""A package weighed in the page, in seconds: `python -m tests.benchmarks.weighing [MB ...]`; build the book first.

For each size a package is made, given to the page as a folder and as a zip archive, and its numbers are compared
with those of this Python. The first line is the start of Python in the page, which a reader waits for once.
"""

import argparse
import tempfile
import time
import zipfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import toykit as tk
from tests.site.conftest import ARGUMENTS, SITE
from toykit._quiet import coremltools, working
from toykit.doctor import find_browser

WIDTH = 1024
PAGE = "book/weigh.html"


def write(path, megabytes):
    """Write a package of linear layers of trained weights' shape: normally distributed, float16, for iOS 18."""
    import numpy as np

    ct = coremltools()
    from coremltools.converters.mil import Builder as mb

    noise = np.random.default_rng(0)
    bias = np.full(2 * WIDTH, 0.1, np.float16)

    @mb.program(
        input_specs=[mb.TensorSpec(shape=(1, WIDTH), dtype=ct.converters.mil.mil.types.fp16)],
        opset_version=ct.target.iOS18,
    )
    def network(x):
        for _ in range(round(megabytes * 10**6 / (4 * WIDTH**2))):
            weight = noise.standard_normal((2 * WIDTH, WIDTH), np.float32).astype(np.float16)
            y = mb.linear(x=x, weight=weight, bias=bias)
            x = mb.reduce_max(x=mb.reshape(x=y, shape=(1, WIDTH, 2)), axes=[2])
        return x

    with working():
        model = ct.convert(
            network,
            minimum_deployment_target=ct.target.iOS18,
            pass_pipeline=ct.PassPipeline.EMPTY,
            skip_model_load=True,
        )
        model.save(str(path))
    return path


def zipped(path):
    """A zip archive of a package, beside it."""
    archive = path.with_name(f"{path.name}.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as opened:
        for file in sorted(path.rglob("*")):
            opened.write(file, file.relative_to(path.parent))
    return archive


def give(page, path):
    """Give the page a package, and return the seconds until its numbers are there."""
    page.wait_for_function("() => !document.querySelector('#book-weigh[aria-busy=true]')")
    start = time.perf_counter()
    kind = ".book-folder" if path.is_dir() else ".book-archive"
    # The browser reads a folder before it tells the page of it: what is waited for is not the last one's heading.
    page.evaluate("() => document.querySelector('#book-weigh h2')?.remove()")
    page.locator(f"input{kind}").set_input_files(path)
    page.locator("#book-weigh h2").wait_for(timeout=600_000)
    return time.perf_counter() - start


def shown(page):
    """The bytes that the page shows of each choice of compression, and of the whole."""
    whole = page.locator("#book-weigh h2 + p").inner_text()
    cells = page.get_by_role("region", name="Compressed").locator("tbody td:nth-child(2)").all_inner_texts()
    texts = (whole.split(" MiB, ")[1].split(" bytes")[0], *cells)
    return [int(text.replace(",", "")) for text in texts if text != "–"]


def expected(path):
    """The same numbers from this Python."""
    report = tk.size.report(tk.size.ledger(path))
    return [report.ledger.nbytes, *(one.ledger.nbytes for one in report.predictions)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("megabytes", nargs="*", type=int, default=[44])
    sizes = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        page = browser.new_page()
        page.goto(f"{SITE.as_uri()}/{PAGE}")
        start = time.perf_counter()
        page.evaluate("() => tkLive.start()")
        print(f"Python starts: {time.perf_counter() - start:.1f} s")
        for megabytes in sizes:
            path = write(Path(scratch, f"{megabytes}.mlpackage"), megabytes)
            right = expected(path)
            for given in (path, zipped(path)):
                seconds = give(page, given)
                same = "bytes equal" if shown(page) == right else "BYTES DIFFER"
                print(f"{given.name}, {right[0]:,} bytes: {seconds:.1f} s, {same}")
        browser.close()


if __name__ == "__main__":
    main()
