"""A decision log: three numbers that were found, three sentences to be written, and the rubric."""

from ._text import in_markdown

_LOG = """# Decision log: {title}
{head}
## Three numbers

| | found | asked for | met |
|---|---|---|---|
{rows}

## Three sentences

1. What I chose, and the number that decided:
2. What I tried and left, and the number that decided against it:
3. What these numbers do not say, and how I would find it out before shipping:

## Rubric

| | points |
|---|---|
| Each number that meets what is asked for: 1 point, 3 in all | {points} |
| Sentence 1: names technique, bits and granularity (1), and a number that was measured (1) | |
| Sentence 2: names a setting that was really tried (1), and its number (1) | |
| Sentence 3: names a limit of this test (1), and a way to check it (1) | |
"""


def decision_log(title, numbers, head=""):
    """A decision log in Markdown, with the numbers filled in.

    Parameters
    ----------
    title : str
        Of what is decided.
    numbers : sequence of (name, found, asked, met)
        Three texts, and whether what was found is what was asked for.
    head : str
        Lines between the title and the numbers.

    Returns
    -------
    str

    Examples
    --------
    >>> log = decision_log("Small.mlpackage", [("bytes", "5,575,927", "at most 5,900,000", True)])
    >>> print(log.splitlines()[6])
    | bytes | 5,575,927 | at most 5,900,000 | yes |
    """
    rows = [
        f"| {name} | {found} | {asked} | {'yes' if met else 'no'} |" for name, found, asked, met in numbers
    ]
    return _LOG.format(
        title=in_markdown(title),
        head=f"\n{head}\n" if head else "",
        rows="\n".join(rows),
        points=sum(bool(met) for *_, met in numbers),
    )
