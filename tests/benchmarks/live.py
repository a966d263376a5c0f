"""Python in the page, in figures: `python -m tests.benchmarks.live`, after `make book`.

From the click to the first answer, and to a later one, in Chromium and Firefox, served and from a file; bytes of
the script; memory of Python; exercises whose solution passes; requests that leave the site. Some minutes.
"""

import argparse
import gzip
import json
import statistics
import threading

from playwright.sync_api import sync_playwright

from book._tools.serve import server
from tests.live.page import Page
from tests.live.test_exercises import EXERCISES, NAMES
from tests.site import firefox
from tests.site.conftest import ARGUMENTS, SITE
from tests.site.test_live import PAGE, SOLUTION
from toykit.doctor import find_browser

ACTION = """async () => {
  const seconds = [];
  for (let i = 0; i < 4; i++) {
    const click = performance.now();
    const { value } = await tkLive.run({ code: SOLUTION });
    if (!value.passed) throw new Error(value.text);
    seconds.push((performance.now() - click) / 1000);
  }
  const loop = await tkLive.run({ code: "while True: pass", timeout: 0.1 });
  const click = performance.now();
  await tkLive.run({ code: "1" });
  const anew = (performance.now() - click) / 1000;
  const heap = await tkLive.run({ code: "import pyodide_js\\npyodide_js._module.HEAP8.length" });
  return { first: seconds[0], later: seconds.at(-1), anew, memory: heap.value.json };
}""".replace("SOLUTION", json.dumps(SOLUTION))


def chromium(addresses):
    """What ACTION answers on each page, and the addresses that were asked."""
    told = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
        for address in addresses:
            context = browser.new_context()
            asked = []
            context.on("request", lambda request, asked=asked: asked.append(request.url))
            page = context.new_page()
            page.goto(address, wait_until="load")
            told.append({"answer": page.evaluate(ACTION), "requests": asked})
            context.close()
        browser.close()
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="fresh pages for each row")
    runs = parser.parse_args().runs
    running = server(SITE)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    bases = {"http": f"http://127.0.0.1:{running.server_port}/", "file": SITE.as_uri() + "/"}
    leaving = 0
    print("median of", runs, "  first answer  later  after an endless loop  memory of Python")
    browsers = {"Chromium": chromium}
    if firefox.executable():
        browsers["Firefox"] = lambda addresses: firefox.visit([(address, ACTION) for address in addresses])
    for name, visit in browsers.items():
        for way, base in bases.items():
            told = visit([base + PAGE] * runs)
            row = {key: statistics.median(each["answer"][key] for each in told) for key in told[0]["answer"]}
            leaving += sum(
                not address.startswith((base, "blob:", "data:"))
                for each in told
                for address in each["requests"]
            )
            print(
                f"{name:8} {way:5} {row['first']:10.1f} s {row['later']:6.2f} s {row['anew']:18.1f} s"
                f" {row['memory'] / 2**20:14.0f} MiB",
                flush=True,
            )
    running.shutdown()
    (pack,) = (SITE / "_static" / "live").glob("pack-*.js")
    content = pack.read_bytes()
    print(f"script: {len(content):,} bytes, {len(gzip.compress(content)):,} gzipped")
    with Page(pack) as page:
        solved = [
            page.run(solution, namespace=name, before=[NAMES]) for name, (_, solution) in EXERCISES.items()
        ]
    passed = sum(bool(each["value"] and each["value"]["passed"]) for each in solved)
    print(f"exercises: {passed} of {len(EXERCISES)} solutions pass")
    print(f"requests that leave the site: {leaving}")


if __name__ == "__main__":
    main()
