"""The decision against trying every row, and its reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toykit.sweep import decide

DIGIT = st.integers(0, 9)
ROW = st.fixed_dictionaries({"label": st.just("x"), "nbytes": DIGIT, "right": DIGIT})
ROWS = st.lists(ROW, min_size=1)


@given(ROWS, DIGIT, DIGIT)
def test_the_least_within_the_limits(rows, most, least):
    found = decide(rows, {"nbytes": most}, {"right": least})
    within = [row for row in rows if row["nbytes"] <= most and row["right"] >= least]
    assert found.chosen == min(within, key=lambda row: row["nbytes"], default=None)
    assert len(found.rows) == len(rows)
    assert sum(row["verdict"] == "chosen" for row in found.rows) == bool(within)
    for row in found.rows:
        outside = row["nbytes"] > most, row["right"] < least
        assert ("allowed" in row["verdict"], "needed" in row["verdict"]) == outside


def test_every_reason_is_given_and_rows_are_left_alone():
    rows = [{"label": "big", "nbytes": 12e6, "right": 0.2}, {"label": "good", "nbytes": 8e6, "right": 0.9}]
    before = [dict(row) for row in rows]
    found = decide(rows, {"nbytes": 10e6}, {"right": 0.5})
    assert rows == before and found.chosen is rows[1]
    too_large, too_deaf = found.rows[0]["verdict"].split("; ")
    assert too_large == "nbytes is 12,000,000, at most 10,000,000 allowed"
    assert too_deaf == "right is 0.2, at least 0.5 needed"
    assert str(found).splitlines()[1] == "good  chosen"
    assert "<td>chosen</td>" in found._repr_html_()


def test_nothing_fits_and_bad_input():
    found = decide([{"label": "a", "nbytes": 5}], {"nbytes": 4})
    assert found.chosen is None and "at most 4" in str(found)
    with pytest.raises(ValueError, match="at least one of its candidates"):
        decide([])
    with pytest.raises(ValueError, match="every candidate in rows needs 'right'; 'a' has None"):
        decide([{"label": "a", "nbytes": 5}], at_least={"right": 1})
    with pytest.raises(ValueError, match="'nbytes'"):
        decide([{"label": "a", "nbytes": float("nan")}])
