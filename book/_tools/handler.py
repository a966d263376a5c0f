"""A web server of one folder for this computer alone; `make serve`, the tests and the screenshots use it."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line on the terminal for each of them."""

    def log_message(self, *arguments):
        pass


def server(folder, port=0):
    """Return a server of `folder` on the loopback address; port 0 takes any that is free."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(QuietHandler, directory=str(folder)))
