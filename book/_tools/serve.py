"""Serve the built book on this computer, and on no other: `make serve`."""

import argparse
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from .project import HTML, fail, say


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line on the terminal for each of them."""

    def log_message(self, *arguments):
        pass


def server(folder, port=0):
    """Return a server of `folder` on the loopback address; port 0 takes any that is free."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(QuietHandler, directory=str(folder)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    if not (HTML / "index.html").is_file():
        fail("There is no built book yet. Run 'make book' first.")
    try:
        running = server(HTML, port)
    except OSError as error:
        fail(f"Port {port} cannot be used ({error.strerror}). Try another: make serve PORT={port + 1}.")
    say(f"The book is at http://127.0.0.1:{port}/ until you press Ctrl-C.")
    try:
        running.serve_forever()
    except KeyboardInterrupt:
        say("")


if __name__ == "__main__":
    main()
