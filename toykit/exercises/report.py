"""What a learner reads of a check: a `Report`, as text and as a card."""

import html
import re
from dataclasses import dataclass

UNWRITTEN = "Nothing is written here yet."


@dataclass(frozen=True)
class Report:
    """What a checker found. True when everything passed."""

    exercise: str
    tried: int
    problem: str = ""
    details: tuple = ()  # pairs of a heading and a value, such as ("Input", "w = [1. 2.]")
    hint: str = ""
    picture: str = ""  # HTML beside the text, which says everything without it

    @property
    def passed(self):
        return not self.problem

    @property
    def untouched(self):
        """Whether the function is still the empty one that the exercise begins with."""
        return self.problem == UNWRITTEN

    def __bool__(self):
        return self.passed

    def __repr__(self):
        if self.passed:
            return f"{self.exercise}: passed, {self.tried} cases."
        lines = [f"{self.exercise}: not yet. {self.problem}"]
        for heading, value in self.details:
            first, *rest = value.split("\n")
            lines += [f"  {heading + ':':<10}{first}", *(" " * 12 + line for line in rest)]
        if self.hint:
            lines.append(f"  {'Hint:':<10}{self.hint}")
        return "\n".join(lines)

    def _repr_html_(self):
        # Colours are set here, ground and ink together, so that the card reads on any theme.
        color, verdict = ("#00775a", "Passed") if self.passed else ("#b04300", "Not yet")
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left;vertical-align:top;padding:2px 12px 2px 0;'
            f'color:#1f2328">{html.escape(heading)}</th><td style="text-align:left;padding:2px 0">'
            f'<pre style="margin:0;padding:0;border:0;background:none;color:#1f2328;white-space:pre-wrap">'
            f"{html.escape(value)}</pre></td></tr>"
            for heading, value in self.details
        )
        table = f'<table style="margin:6px 0;border:0;color:#1f2328">{rows}</table>' if rows else ""
        hint = f"<div><strong>Hint.</strong> {_marked(self.hint)}</div>" if self.hint else ""
        said = f"{self.tried} cases." if self.passed else html.escape(self.problem)
        return (
            f'<div class="tk-check" style="border:1px solid #c9ced4;border-left:4px solid {color};'
            f'border-radius:6px;padding:8px 14px;background:#ffffff;color:#1f2328">'
            f'<div><strong style="color:{color}">{verdict}: <code style="color:inherit;background:none;'
            f'border:0">{self.exercise}</code>.</strong> {said}</div>{table}{self.picture}{hint}</div>'
        )


def _marked(text):
    """A sentence as HTML, with what stands in backticks as code."""
    style = "color:inherit;background:none;border:0;padding:0"
    return re.sub("`([^`]+)`", rf'<code style="{style}">\1</code>', html.escape(text))
