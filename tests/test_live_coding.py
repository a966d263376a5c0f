"""The scripts that a teacher types along run, and the class sees what they say it sees."""

import pytest

from book._tools import course_map, live_coding

SCRIPTS = live_coding.scripts()
NEEDS = {4: ("torch", "coremltools")}


def test_every_part_with_a_number_has_a_script():
    parts = [caption for caption, _ in course_map.parts() if caption.startswith("Part")]
    assert list(SCRIPTS) == list(range(1, len(parts) + 1))


@pytest.mark.parametrize("part", SCRIPTS)
def test_a_script_runs_and_what_the_class_sees_is_so(part):
    for name in NEEDS.get(part, ()):
        pytest.importorskip(name)
    live_coding.run(SCRIPTS[part].path)
    assert len(SCRIPTS[part].steps) >= 4 and "minutes" in SCRIPTS[part].about


def script(folder, text):
    path = folder / "part_1_tried.py"
    path.write_text(f'"""Tried.\n\nTwo minutes.\n"""\n\n{text}')
    return path


def test_what_is_typed_and_what_is_seen_are_told_apart(tmp_path):
    path = script(
        tmp_path,
        "# %% Ask.\na = 2\nb = 3\nassert a * b == 6\n\n# %% And then?\nassert [\n    a\n] == [2]\na = 5\n",
    )
    first, second = live_coding.read(path).steps
    assert (first.words, first.lines) == ("Ask.", [("a = 2\nb = 3", ""), ("a * b", "6")])
    assert second.lines == [("[\n    a\n]", "[2]"), ("a = 5", "")]
    assert first.code == "a = 2\nb = 3\na * b\n# 6"
    live_coding.run(path)


@pytest.mark.parametrize("text", ["# %% Ask.\nassert 2 < 3\n", "# %% Ask.\na = 2\n"])
def test_a_step_that_shows_nothing_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match="the class"):
        live_coding.read(script(tmp_path, text))


def test_a_script_that_promises_what_is_not_so_fails(tmp_path):
    with pytest.raises(AssertionError):
        live_coding.run(script(tmp_path, "# %% Ask.\nassert 2 * 2 == 5\n"))
