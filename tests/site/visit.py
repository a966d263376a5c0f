"""One page of the built book, open in a browser, and everything that went wrong there."""

import re
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE = 20_000  # milliseconds until widgets and formulas must be there, on a slow machine

WIDGET_VIEW = '<script type="application/vnd.jupyter.widget-view+json">'

# What the browser says by itself about the libraries that run on the page, and that nobody can act on.
HARMLESS = re.compile(r"strict mode: use allowUnionTypes")


class Visit:
    """A page in the browser, with a log of what failed; what waits for predictions is open unless `folded`.

    Attributes
    ----------
    page : playwright page
    source : str
        The page's HTML as it lies on disk.
    faults : list of str
        Errors of scripts and messages of the console, and requests that failed or left the site.
    """

    def __init__(self, context, root, base, name, scheme="light", folded=False, query=""):
        self.name, self.base, self.faults, self.folded, self.query = name, base, [], folded, query
        self.source = Path(root, name).read_text(encoding="utf-8")
        self.page = context.new_page()
        self.page.emulate_media(color_scheme=scheme)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on("requestfailed", self._request_failed)
        self.page.on(
            "response",
            lambda response: (
                response.status >= 400
                and self.faults.append(f"status {response.status}: {short(response.url)}")
            ),
        )
        self.page.route("**/*", self._route)
        self.load()

    def _console(self, message):
        if message.type in ("error", "warning") and not HARMLESS.search(message.text):
            self.faults.append(f"console {message.type}: {message.text} ({short(message.location['url'])})")

    def _request_failed(self, request):
        # The browser gives up by itself what a page still waits for when a test opens it again: pictures
        # further down, which load only when they are scrolled to. A file that is missing answers with 404,
        # and a request that leaves the site is noted where it is stopped.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"request failed: {short(request.url)} ({request.failure})")

    def _route(self, route):
        if route.request.url.startswith((self.base, "data:", "blob:")):
            route.continue_()
        else:
            self.faults.append(f"request leaves the site: {route.request.url[:200]}")
            route.abort()

    def load(self):
        """Open the page (again), and wait until its widgets and formulas are drawn."""
        self.page.goto(self.base + self.name + self.query, wait_until="load")
        self.page.wait_for_function(
            """([widgets, formulas]) =>
                 document.querySelectorAll(".tk-instrument").length >= widgets &&
                 document.querySelectorAll("mjx-container").length >= formulas""",
            arg=[self.widgets_expected, self.formulas_expected],
            timeout=PATIENCE,
        )
        if not self.folded:
            self.page.evaluate("document.querySelector('.book-folds input')?.click()")
        # What fades or moves is at its end at once: no check depends on when it looks.
        self.page.add_style_tag(
            content="*, ::before, ::after { transition: none !important; animation: none !important }"
        )
        self.settle()
        self.hold_still()

    @property
    def widgets_expected(self):
        return self.source.count(WIDGET_VIEW)

    @property
    def formulas_expected(self):
        return len(re.findall(r'<(?:span|div) class="math notranslate', self.source))

    def settle(self):
        """Wait until what has been asked for is on the screen."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def hold_still(self):
        """Bring what still fades or moves to its end, and wait until nothing does.

        A transition that began before the style that forbids them may outlive it on a busy machine.
        """
        self.page.wait_for_function(
            """() => {
              document.getAnimations().forEach(animation => animation.cancel());
              return document.getAnimations().length === 0;
            }""",
            timeout=PATIENCE,
        )

    def wait_until_quiet(self, milliseconds=3000):
        """Wait until nothing in the widgets moves any more, for animations that follow a click."""
        end, last = time.monotonic() + milliseconds / 1000, None
        while time.monotonic() < end:
            now = self.page.evaluate(
                "() => [...document.querySelectorAll('.tk-view')].map(v => v.innerHTML).join()"
            )
            if now == last:
                return
            last = now
            self.page.wait_for_timeout(60)


def short(url):
    """Shorten an address to the part that tells a reader which file it is."""
    return unquote(urlsplit(url).path)[-80:] if url else "unknown place"
