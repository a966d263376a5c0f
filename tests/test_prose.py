"""Links, spelling and style of the sources: each rule finds what it is for, and nothing in the book breaks one."""

import json

import pytest

from book._tools import prose

PAGE = """\
# A page

A [file](other.md), [its heading](other.md#second-part), [our own](#a-page) and [a label](other.md#here); [far](https://x.y),
[a cell](notes.ipynb#In-it), a label for Sphinx [](api) and `[code](nowhere.md)`.

```text
[in a block](nowhere.md), and it doesn't matter
```
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "page.md").write_text(PAGE)
    (tmp_path / "other.md").write_text("# Other\n\n(here)=\n## Second part\n")
    cells = [
        {"cell_type": "markdown", "source": ["# In it\n"]},
        {"cell_type": "code", "source": ["# a code"]},
    ]
    (tmp_path / "notes.ipynb").write_text(json.dumps({"cells": cells}))
    return tmp_path


def test_links_that_lead_somewhere_are_no_fault(folder):
    assert prose.link_faults("page.md", PAGE, folder) == []


@pytest.mark.parametrize(
    "link, why",
    [
        ("[a](gone.md)", "no file"),
        ("[a](other.md#third-part)", "no heading"),
        ("[a](notes.ipynb#a-code)", "no heading"),
        ("![a](images/gone.png)", "no file"),
        ("[a](#nowhere)", "no heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_told_with_its_line(folder, link, why):
    ((line, address, said),) = prose.link_faults("page.md", f"{PAGE}\nSee {link}.", folder)
    assert (line, address) == (PAGE.count("\n") + 2, link.partition("(")[2][:-1]) and why in said


@pytest.mark.parametrize(
    "text, found",
    [
        ("One — two", "—"),
        ("It isn't so", "isn't"),
        ("Lists, etc. follow", "etc."),
        ("In order to see", "In order to"),
        ("It is simply small", "simply"),
        ("A powerful tool", "powerful"),
        ("Its behavior", "behavior"),
        ("It is is so", "is is"),
        ("Look!", "k!"),
        ("“So”", "“"),
    ],
)
def test_a_breach_of_style_is_told_with_its_line(text, found):
    assert prose.style_faults(f"# Well\n\n{text}")[0][:2] == (3, found)


def test_code_formulas_and_quotations_are_no_prose():
    text = "`don't`, $a ! b$, \"it's\", [x](it's.md), <a title=\"isn't\">\n\n```\nwe'll actually\n```\n\nbehaviour!="
    assert prose.style_faults(text) == []


def test_spelling_is_looked_at_in_text_and_code_and_not_in_outputs(tmp_path):
    wrong = "teh"
    cells = [
        {"cell_type": "markdown", "source": [f"Not {wrong} end"]},
        {"cell_type": "code", "source": ["# fine"], "outputs": [{"text": wrong}]},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (said,) = prose.spelling_faults([], [tmp_path / "a.ipynb"])
    assert said.startswith("notebooks/a.ipynb:1: teh ==> the")


def test_nothing_in_the_book_breaks_a_rule():
    assert prose.faults() == []
