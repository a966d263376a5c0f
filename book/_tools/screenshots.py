"""Photograph every page of the built book, to look at: `make screenshots`.

Writes _build/screenshots/PAGE-WIDTH-SCHEME.png, from the files, without a server.
"""

import argparse

from toykit.doctor import find_browser

from .project import BUILD, HTML, fail, say

WIDTHS = (1280, 390)
TALLEST = 16_000  # pixels; Chromium cannot photograph more at once


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "page", nargs="*", help="part of a page's name, such as 02_pruning; all pages if none is named"
    )
    wanted = parser.parse_args().page
    names = sorted(
        path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html") if "_static" not in path.parts
    )
    names = [
        name
        for name in names
        if name != "index.html" and (not wanted or any(part in name for part in wanted))
    ]
    if not names:
        fail("There is no such page in the built book. Run 'make book' first.")
    if not find_browser():
        fail("No Chromium, Chrome or Edge was found. Install one, or set TOYKIT_BROWSER to its path.")
    from playwright.sync_api import sync_playwright

    folder = BUILD / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                for name in names:
                    page.goto((HTML / name).as_uri(), wait_until="load")
                    page.evaluate("document.querySelector('.book-folds input')?.click()")  # show everything
                    page.wait_for_timeout(600)
                    # A whole page only fits into one picture if nothing on it scrolls by itself.
                    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
                    page.set_viewport_size({"width": width, "height": max(height, 900)})
                    page.wait_for_timeout(200)
                    path = folder / f"{name.removesuffix('.html').replace('/', '-')}-{width}-{scheme}.png"
                    page.screenshot(path=path)
                    page.set_viewport_size({"width": width, "height": 900})
                    say(f"  {path}")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
