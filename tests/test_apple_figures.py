"""Every figure of Apple's in the book's prose is that of a row which says device, system, tool and page."""

import ast
import csv
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT / "notebooks" / "data"
PAGES = [*sorted(ROOT.glob("notebooks/*.ipynb")), *sorted(ROOT.glob("book/*.md")), ROOT / "README.md"]

# The networks of the table, as prose calls them; and words that say a paragraph is about Apple's figures.
NETWORKS = {
    "ResNet50": "ResNet-50",
    "MobileNetv2-1.0": "MobileNetV2",
    "MobileNetv3-small": "MobileNetV3",
    "CenterNet-ResNet34": "CenterNet",
    "MobileViTv2-1.0": "MobileViTv2",
    "OPT-1.3B": "OPT-1.3B",
    "Llama-3.1-8B-Instruct": "Llama",
}
ABOUT = re.compile("|".join([*NETWORKS.values(), "Apple", "iPhone", "W8A8", "the talk"]))
UNIT = re.compile(r"\bms\b|%|\bMB\b|times smaller|trillion|tokens a second|[Pp]erplexit")
NUMBER = re.compile(r"(?<![\d.,])\d+\.\d+(?![\d.B]| 8B)")  # no name of a network, such as Llama 3.1 8B
FASTER = re.compile(r"(?:(\d+) to )?(\d+) % \*?(?:faster|more)")

# Figures in such paragraphs that are not Apple's: ours, counted or modelled, or a mistake that an erratum quotes.
OURS = {
    "01_where_50_mb": {"51.1", "48.7"},  # ResNet-50's parameters, counted
    "06_accuracy": {"44.5"},  # CREPE in float16
    # Ratios of figures of Apple's, weights of Llama, counted, and a version of macOS.
    "08b_a_transformer": {"3.2", "3.8", "8.03", "4.5", "15.2"},
    "10_post_training": {"15.5"},  # a package written there
    "14_neural_engine": {"0.1", "0.3", "0.7"},  # modelled, rounded
    "errata": {"2.5", "1.1", "48.78"},
}

OF_LANGUAGE = ("size_gb", "c4_perplexity", "c4_perplexity_calibrated", "tokens_per_second", "prompt_ms")


def rows(name):
    with open(DATA / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


PUBLISHED, SAID, LANGUAGE = rows("apple_published"), rows("apple_said"), rows("apple_language")


def texts(path):
    """What a reader sees as words: Markdown, and the strings in code, such as the answers of predictions."""
    if path.suffix == ".md":
        return [path.read_text(encoding="utf-8")]
    found = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            found.append(source)
        else:
            nodes = ast.walk(ast.parse(re.sub(r"(?m)^[%!].*$", "", source)))
            found += [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return found


def paragraphs(path):
    for text in texts(path):
        for paragraph in re.split(r"\n\s*\n|\n(?=[-|] ?)", text):
            yield " ".join(paragraph.split())


def figures(row):
    """The numbers of a row, also those that its note quotes, and the times that it got smaller."""
    columns = ("accuracy_top1", "size_mb", "latency_ms", "compression_ratio", *OF_LANGUAGE)
    values = {float(row[column]) for column in columns if row.get(column)}
    if row in LANGUAGE:
        return values | {round(value, 1) for value in values}
    values |= {float(number) for number in NUMBER.findall(row["note"])}
    return values | {round(float(row["compression_ratio"] or 0), 1)}


def sources(number, paragraph):
    """The rows that hold this number, of the networks that the paragraph names."""
    named = [name for name, prose in NETWORKS.items() if prose in paragraph] or list(NETWORKS)
    published = PUBLISHED + LANGUAGE
    found = [row for row in published if row["model"] in named and float(number) in figures(row)]
    return found + [row for row in SAID if float(number) in (float(row["low"]), float(row["high"]))]


def speed_ups():
    """Percents that each row is faster than the float16 of its own network, device and system, or takes more."""
    series = {}
    for row in PUBLISHED:
        if row["latency_ms"]:
            key = row["model"], row["device"], row["system"]
            series.setdefault(key, {})[row["config"]] = float(row["latency_ms"])
    pairs = ((taken["float16"], ms) for taken in series.values() for ms in taken.values())
    return {
        round(100 * abs(ratio - 1)) for before, after in pairs for ratio in (before / after, after / before)
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_figure_of_apple_is_that_of_a_row(path):
    strange = [
        (number, paragraph[:90])
        for paragraph in paragraphs(path)
        if ABOUT.search(paragraph) and UNIT.search(paragraph)
        for number in NUMBER.findall(paragraph)
        if number not in OURS.get(path.stem, ()) and not sources(number, paragraph)
    ]
    assert not strange, "neither in notebooks/data/apple_published.csv or apple_said.csv, nor listed as ours"


def test_percents_faster_on_the_page_about_apple_are_those_of_rows():
    known = speed_ups() | {float(row[end]) for row in SAID for end in ("low", "high")}
    page = ROOT / "notebooks" / "14_neural_engine.ipynb"
    found = [
        int(number)
        for paragraph in paragraphs(page)
        for match in FASTER.finditer(paragraph)
        for number in match.groups()
        if number and "2 ms and now takes 1" not in paragraph and "*my* network" not in paragraph
    ]
    assert len(found) > 5 and set(found) <= known


def test_every_row_says_where_it_comes_from():
    for row in PUBLISHED + SAID + LANGUAGE:
        assert all(row[name] for name in ("source", "page", "device", "tool")), row
        assert row["page"].startswith("https://")
    assert {row["system"] for row in PUBLISHED} == {"iOS 17", "iOS 18 seed"}
    for row in PUBLISHED:  # the page of the seed build says neither Xcode nor median
        assert (row["tool"] == "not said") == (row["source"] == "opt-resnet")


def test_a_figure_that_apple_did_not_publish_is_found():
    assert sources("1.38", "ResNet-50 takes 1.38 ms") and not sources("1.38", "MobileNetV2 takes 1.38 ms")
    assert not sources("1.39", "ResNet-50 takes 1.39 ms")
