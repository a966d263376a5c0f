"""The slides without a browser: what book/slides.toml names is in the notebooks, and a slide is one idea."""

import re

import pytest

from book._tools import course, slide_pages, slides
from book._tools.slide_sources import Missing, Section, section

DECKS = slides.decks()
MOST_WORDS = 40
ALL = [
    pytest.param(slide, id=f"{name}-{number}")
    for name, deck in DECKS.items()
    for number, slide in enumerate(deck.slides, 1)
]


def test_every_part_of_the_book_has_a_deck_and_every_chapter_a_slide():
    parts = [caption for caption, _ in course.contents() if caption and caption.startswith("Part ")]
    assert [deck.caption for deck in DECKS.values()] == parts
    for deck in DECKS.values():
        assert {slide.section.page for slide in deck.slides if slide.at} == {*deck.pages}


@pytest.mark.parametrize("slide", ALL)
def test_what_a_slide_names_is_in_the_notebooks(slide, tmp_path):
    if slide.at:
        body = slide_pages._body(slide, tmp_path, {})
        assert slide.section.link in body and (not slide.show or 'class="shown' in body)
        assert slide.show or slide.big or slide.text


@pytest.mark.parametrize("slide", ALL)
def test_a_slide_is_one_idea_in_at_most_forty_words(slide):
    assert len([part for part in (slide.show, slide.big) if part]) <= 1
    assert not (slide.quote and slide.words)
    words = f"{slide.filled(slide.title)} {slide.filled(slide.big)} {slide.text if slide.at else ''}"
    assert 2 <= len(words.split()) <= MOST_WORDS
    assert not re.search(r"[{}$]|\]\(", words), "a role, a formula or a number that was not filled in"


@pytest.mark.parametrize("slide", ALL)
def test_the_notes_say_what_to_say_what_to_ask_and_how_long(slide):
    assert len(slide.say.split()) >= 8
    assert "?" in slide.ask
    assert 1 <= slide.minutes <= 8


@pytest.mark.parametrize("slide", ALL)
def test_every_number_of_a_slide_is_used(slide):
    texts = " ".join((slide.title, slide.big, slide.words, slide.say, slide.ask))
    assert {*re.findall(r"\{(\w+)\}", texts)} == {*slide.numbers}


def test_titles_are_told_apart():
    for deck in DECKS.values():
        titles = [slide.title for slide in deck.slides]
        assert len(titles) == len({*titles})


def printed(text, source="print(x)"):
    return {"source": source, "outputs": [{"output_type": "stream", "text": text}]}


@pytest.fixture
def own():
    cells = [printed("size 51 MB\n", "a"), printed("size 28.7 MB\n", "b")]
    return Section("page", "Heading", " One. Half is **16/2 bits.** It is 9.5 of 16. Then more", cells)


def test_a_number_is_what_the_cells_printed_or_else_what_the_text_says(own):
    assert own.number(r"^size ([\d.]+)") == "51"
    assert own.number(r"It is ([\d.]+) of") == "9.5"
    with pytest.raises(Missing, match="'Heading': nothing that is printed matches"):
        own.number(r"(\d+) GB")


def test_a_sentence_is_taken_whole(own):
    assert own.sentence("Half is") == "Half is **16/2 bits.**"
    assert own.sentence("It is 9") == "It is 9.5 of 16."
    assert own.sentence("Then") == "Then more"
    with pytest.raises(Missing, match="no sentence begins with 'alf'"):
        own.sentence("alf")


def test_a_cell_is_one_or_the_message_says_which_there_are(own):
    assert own.cell("output", "b")["source"] == "b"
    for holding, count in (("", 2), ("c", 0)):
        with pytest.raises(Missing, match=rf"{count} cells with a output .* begin with \['a', 'b'\]"):
            own.cell("output", holding)
    with pytest.raises(Missing, match="0 cells with a widget"):
        own.cell("widget")


def test_a_section_has_what_is_below_it_and_no_more():
    whole, part = section("01_where_50_mb#On disk"), section("01_where_50_mb#To the byte")
    assert all(cell in whole.cells for cell in part.cells) and len(whole.cells) > len(part.cells)
    assert part.prose.strip().startswith("The rest is the format's own overhead.")
    assert "Why it matters" not in whole.prose and "{term}" not in whole.prose
    assert section("02_pruning").heading == course.OPENING
    for place, said in (("02_pruning#Nowhere", "Five by five"), ("99_nothing", "no notebook 99_nothing")):
        with pytest.raises(Missing, match=said):
            section(place)


def test_the_code_of_a_widget_is_written_once_for_all_decks(tmp_path):
    slides.write(tmp_path)
    home = tmp_path / "slides"
    assert sorted(path.stem for path in home.glob("*.html")) == sorted(DECKS)
    text = (home / "instruments.js").read_text(encoding="utf-8")
    shown = {
        kind for path in home.glob("*.html") for kind in re.findall(r'data-widget="(\w+)"', path.read_text())
    }
    assert len(shown) >= 10 and all(text.count(f"draws.{kind} = ") == 1 for kind in shown)
    assert text.count("function isDark") == 1  # of what all instruments share
    assert not any("_esm" in path.read_text(encoding="utf-8") for path in home.glob("*.html"))


def test_data_cannot_end_the_script_that_holds_it(monkeypatch):
    model = {"state": {"_anywidget_id": "toykit.widgets.prediction.Prediction", "label": "</script><b>"}}
    monkeypatch.setattr(slide_pages, "widget", lambda page, cell: (model, "<noscript></noscript>"))
    slide = next(one for one in DECKS["part_1"].slides if one.show == "widget")
    assert slide_pages._widget(slide, {}, None, {}).count("</script>") == 1
