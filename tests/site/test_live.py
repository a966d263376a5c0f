"""Python in the built pages: in Chromium and Firefox, served and from a file, with nothing asked of anybody else."""

import json
import re
import threading
from functools import partial
from http.server import ThreadingHTTPServer

import pytest

from book._tools.serve import QuietHandler

from .conftest import ROOT, SITE
from .visit import Visit

PAGE = "notebooks/02_pruning.html"

SOLUTION = """
import numpy as np
from toykit.exercises import check

def pruning_mask(weights, sparsity):
    magnitude = np.abs(weights)
    return magnitude > (np.quantile(magnitude, sparsity) if sparsity else 0)

check.pruning_mask(pruning_mask)
"""

# What is done in each browser, and what comes out of it.
ACTION = """async () => {
  const shares = [];
  await tkLive.start(({ share }) => shares.push(share));
  const solved = await tkLive.run({ code: SOLUTION });
  const wrong = await tkLive.run({ code: SOLUTION.replace(">", "<") });
  const big = new Blob([new Uint8Array(64 << 20).fill(7)]);
  const last = { dtype: "uint8", offset: (64 << 20) - 2 };
  const given = { args: [{ $file: "M.mlpackage/Data/weight.bin" }], kwargs: last };
  given.files = [{ path: "M.mlpackage/Data/weight.bin", file: new File([big], "weight.bin") }];
  const read = await tkLive.call("numpy", "fromfile", given);
  const loop = await tkLive.run({ code: "print('before')\\nwhile True: pass", timeout: 1 });
  const again = await tkLive.run({ code: "6 * 7" });
  return {
    shares,
    solved: solved.value?.text ?? solved.error.message,
    wrong: [wrong.value?.passed, Boolean(wrong.value?.html.includes("tk-check"))],
    read: [...read],
    loop: [loop.error.kind, loop.output],
    again: again.value?.json ?? again.error.message,
  };
}""".replace("SOLUTION", json.dumps(SOLUTION))


def policy():
    """The Content-Security-Policy that the page on serving the book recommends."""
    text = (ROOT / "book" / "serving.md").read_text(encoding="utf-8")
    return " ".join(re.search(r"Content-Security-Policy: ([^`]+)", text)[1].split())


@pytest.fixture(scope="session")
def live_site(browser):
    """Skips where the site was built without Python."""
    if not list((SITE / "_static" / "live").glob("pack-*.js")):
        pytest.skip("Python for the pages cannot be had: the site was built without it")


@pytest.fixture(scope="session")
def guarded_address():
    """The site, served with the recommended policy."""

    class Handler(QuietHandler):
        def end_headers(self):
            self.send_header("Content-Security-Policy", policy())
            super().end_headers()

    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(SITE)))
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/"
    running.shutdown()


def is_right(told):
    assert told["solved"].startswith("pruning_mask: passed, "), told
    assert told["wrong"] == [False, True]
    assert told["read"] == [7, 7]
    assert told["loop"] == ["timeout", "before\n"]
    assert told["again"] == 42
    assert told["shares"] == sorted(told["shares"]) and told["shares"][-1] == 1


@pytest.mark.parametrize("way", ["http", "file"])
def test_chromium(live_site, context, guarded_address, way):
    base = guarded_address if way == "http" else SITE.as_uri() + "/"
    visit = Visit(context, SITE, base, PAGE)
    try:
        loaded = visit.page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
        assert not [name for name in loaded if "pack-" in name], "Python is loaded on a click, and no earlier"
        is_right(visit.page.evaluate(ACTION))
        assert visit.faults == []
    finally:
        visit.page.close()


def test_firefox(live_site, guarded_address, in_firefox):
    told = in_firefox([(base + PAGE, ACTION) for base in (guarded_address, SITE.as_uri() + "/")])
    for each in told:
        is_right(each["answer"])
        assert each["faults"] == []
    served, _ = told
    asked = [name for name in served["requests"] if not name.startswith(("blob:", "data:"))]
    assert len(asked) > 10 and all(name.startswith(guarded_address) for name in asked)


@pytest.mark.parametrize("name", ["book/weigh.html", "notebooks/12_inside_a_package.html", "search.html"])
def test_the_policy_breaks_no_page(context, guarded_address, name):
    visit = Visit(context, SITE, guarded_address, name)
    try:
        assert visit.faults == []
    finally:
        visit.page.close()
