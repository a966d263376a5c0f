"""The page without a browser, for tests: `page.cjs` in Node.js, asked from Python."""

import json
import subprocess
from pathlib import Path

from book._tools import vendor

HERE = Path(__file__).parent
LIVE = HERE.parents[1] / "book" / "_assets" / "live" / "live.js"


class Page:
    """`tkLive` of a page that holds nothing else. Ends with the `with` block."""

    def __init__(self, pack=None):
        command = [vendor.node(), HERE / "page.cjs", LIVE, *([pack] if pack else [])]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self._asked, self._answers = 0, {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.communicate()

    def send(self, method, options=None):
        """Ask, and do not wait: the number by which `answer` knows it."""
        self._asked += 1
        request = {"id": self._asked, "method": method, "options": options}
        self._process.stdin.write(json.dumps(request) + "\n")
        return self._asked

    def answer(self, number):
        """The answer to what was sent."""
        while number not in self._answers:
            line = self._process.stdout.readline()
            assert line, "Node.js has ended"
            said = json.loads(line)
            assert "broken" not in said, said["broken"]
            self._answers[said["id"]] = said.get("answer")
        return self._answers.pop(number)

    def ask(self, method, options=None):
        return self.answer(self.send(method, options))

    def run(self, code, **options):
        """What `tkLive.run` answers, with the `pieces` of output that came while it ran."""
        return self.ask("run", {"code": code, **options})

    def call(self, module, function, *args, **options):
        """What `tkLive.call` answers or throws."""
        return self.ask("call", [module, function, {"args": args, **options}])
