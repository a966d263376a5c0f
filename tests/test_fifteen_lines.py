"""The lines of the recipe, as they stand on the page, on networks that are not the page's own."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CELLS = json.loads((ROOT / "notebooks/00_recipe.ipynb").read_text(encoding="utf-8"))["cells"]
BEGIN, END = "## Fifteen lines", "## Which technique first?"
STEP = re.compile(r"^# (\d+): .*\n.*", re.MULTILINE)


def between(begin, end):
    """The cells from a heading to the next."""
    texts = ["".join(cell["source"]) for cell in CELLS]
    first, last = (next(i for i, text in enumerate(texts) if mark in text) for mark in (begin, end))
    return [(cell["cell_type"], text) for cell, text in zip(CELLS, texts, strict=True)][first:last]


def code(begin, end):
    return "\n".join(text for kind, text in between(begin, end) if kind == "code")


LINES = code(BEGIN, "## Step by step")


def test_they_are_fifteen():
    lines = [line for line in LINES.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 15


def test_the_table_has_a_row_for_each_step_and_a_phone_shows_the_numbers():
    steps = re.findall(r"^# (\d+): ", LINES, re.MULTILINE)
    (table,) = (text for _, text in between("## Step by step", END) if "## Step by step" in text)
    assert steps == re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == [str(n) for n in range(1, 9)]
    # What a screen of 390 px shows of a line before it has to be moved.
    assert all(len(line) <= 40 for line in LINES.splitlines() if line.startswith("#"))


NETWORKS = {
    "transformer": ("Transformer().eval()", "torch.randint(0, 200, (1, 16), dtype=torch.int32)"),
    "CNN": ("cnn()", "torch.rand(1, 3, 16, 16)"),
}


def networks():
    """A transformer that splits its heads by the shape of what it gets, as most code does; and a CNN."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Transformer(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.norm = nn.Embedding(200, 64), nn.LayerNorm(64)
            self.split, self.mix = nn.Linear(64, 192), nn.Linear(64, 64)

        def forward(self, tokens):
            x = self.norm(self.words(tokens))
            batch, length, width = x.shape
            q, k, v = self.split(x).view(batch, length, 3, 4, width // 4).permute(2, 0, 3, 1, 4)
            heard = (q @ k.transpose(-2, -1) / (width // 4) ** 0.5).softmax(-1) @ v
            return self.mix(heard.transpose(1, 2).reshape(x.shape[0], -1, width))

    def cnn():
        layers = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4608, 8))

    return {"Transformer": Transformer, "cnn": cnn}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_lines_work_for(name, capsys, tmp_path, monkeypatch):
    pytest.importorskip("coremltools")
    import toykit as tk

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = dict(zip("12", zip(("model", "example"), NETWORKS[name], strict=True), strict=True))
    lines = STEP.sub(lambda s: " = ".join(mine[s[1]]) if s[1] in mine else s[0], LINES)
    assert lines != LINES
    known = networks()
    exec(lines, known)
    before, after = map(
        float, re.fullmatch(r"([\d.]+) MB -> ([\d.]+) MB\n", capsys.readouterr().out).groups()
    )
    stored = tk.coreml.weights(known["path"]).values()
    assert any(getattr(weight, "bits", None) == 4 for weight in stored)
    assert after <= before and known["after"].nbytes < known["before"].nbytes / 2
    # And the alternative: finer tables, by step 4 anew.
    exec(code("## Step by step", END), known)
    tables = [
        weight.lut.shape[0] for weight in tk.coreml.weights(known["finer"]).values() if hasattr(weight, "lut")
    ]
    assert max(tables) > 1


def test_the_table_of_forms_and_units_is_that_of_the_reference_card():
    card = json.loads((ROOT / "notebooks/10_post_training.ipynb").read_text(encoding="utf-8"))["cells"]

    def table(cells):
        return re.search(
            r"^\| form \| Neural Engine .*?\n\n",
            "\n\n".join("".join(c["source"]) for c in cells),
            re.M | re.S,
        )[0]

    assert table(CELLS) == table(card)
    assert table(CELLS).count("{cite}") == table(CELLS).count("\n") - 3  # a source for each row
