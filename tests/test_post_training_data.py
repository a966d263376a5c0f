"""Rows of notebooks/data/post_training.csv, measured again; and that the file holds all that it should."""

import json

import numpy as np
import pytest

from toykit.data import pitch

torch = pytest.importorskip("torch")
pytest.importorskip("coremltools")

from book._tools import data_post_training as data
from tests.nightly import nightly

ROWS = data.read()
# Quick ones, one or two a technique; k-means of all of CREPE is in the parity tests.
AGAIN = [
    ("CREPE", "iOS16", "prune", {"sparsity": 0.75}),
    ("CREPE", "iOS16", "prune", {"threshold": 0.01}),
    ("CREPE", "iOS18", "quantize", {"bits": 4, "granularity": "per_tensor"}),
    ("CREPE", "iOS16", "palettize", {"bits": 4, "mode": "uniform"}),
]


@pytest.fixture(scope="module", autouse=True)
def converted_networks_are_let_go(one_thread):
    yield
    data.converted.cache_clear()


def find(network, target, technique, options):
    return ROWS[network, target, technique, json.dumps(options)]


def test_the_file_holds_every_row_that_the_script_asks_for():
    assert list(ROWS) == [(*row[:3], json.dumps(row[3])) for row in data.ROWS]


@pytest.mark.parametrize("row", AGAIN, ids=lambda row: f"{row[2]} {row[3]}")
def test_bytes_and_agreement_of_a_row(row):
    found, again = find(*row), data.measure(*row, listen=False)
    assert {name: value for name, value in found.items() if name != "within_10"} == {
        name: value for name, value in again.items() if name != "within_10"
    }


@nightly
def test_nightly_what_a_package_hears():
    row = "CREPE", "iOS16", "prune", {"sparsity": 0.75}

    def share_and_doubt(answers, hertz):
        """The share, and that of the tones so near to 10 cents that another processor may say otherwise."""
        (name,) = answers[0]
        heard = pitch.decode(np.concatenate([answer[name] for answer in answers]))
        off = np.abs(pitch.error_cents(heard, np.array(hertz)))
        return np.array([data.within_10(answers, hertz), np.mean(np.abs(off - 10) < 0.01)])

    share, doubt = data.accuracy(data.compressed(*row), share_and_doubt)
    assert 0.4 < share < 0.6  # half of the tones are lost
    assert abs(share - float(find(*row)["within_10"])) <= doubt + 1e-4


def test_where_arrays_differ_the_chapter_says_why():
    for (network, _, technique, options), row in ROWS.items():
        options = json.loads(options)
        compressed, equal, same = (int(row[name]) for name in ("compressed", "equal", "same_weights"))
        palette = options.get("palettize", options) if technique == "joint" else options
        if "per_channel_scale" in options:
            assert equal == 0 and same == compressed
        elif "cluster_dim" in options:
            assert equal == same == 0
        elif "bits" in palette and palette.get("mode") != "uniform" and technique != "quantize":
            # Below 10,000 weights a table coremltools' k-means is not exact: so small are the groups of
            # CREPE's first layer, and three layers of ResNet-50 as a whole.
            if network == "CREPE":
                assert equal == same == compressed - ("group_size" in palette)
            else:
                assert equal == same < compressed
        else:
            assert equal == same == compressed


def test_pairs_hear_more_than_single_weights_at_the_same_size():
    pairs = find("CREPE", "iOS18", "palettize", {"bits": 4, "cluster_dim": 2})
    single = find("CREPE", "iOS16", "palettize", {"bits": 2})
    assert abs(int(pairs["package_bytes"]) - int(single["package_bytes"])) < 2_000
    assert float(pairs["within_10"]) > float(single["within_10"]) + 0.05
