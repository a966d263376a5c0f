"""Where a package may be written, and that a name is taken once."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toykit.coreml.writing import output


def package(path):
    path.mkdir()
    (path / "Manifest.json").write_text("{}")
    return path


def test_a_free_name_in_a_folder_is_given_back(tmp_path, monkeypatch):
    assert output.check_output(str(tmp_path / "a.mlpackage")) == tmp_path / "a.mlpackage"
    monkeypatch.chdir(tmp_path)
    assert output.check_output("a.mlpackage", source=package(tmp_path / "b.mlpackage")) == Path("a.mlpackage")
    assert not Path("a.mlpackage").exists()


@pytest.mark.parametrize(
    "name, words",
    [
        ("a", "must end in .mlpackage"),
        ("a.mlmodel", "must end in .mlpackage"),
        ("none/a.mlpackage", "does not exist"),
        ("file/a.mlpackage", "is no folder"),
        ("in.mlpackage", "is the package to compress"),
        ("link.mlpackage", "is the package to compress"),
        ("in.mlpackage/a.mlpackage", "inside the package"),
        ("link.mlpackage/Data/a.mlpackage", "inside the package"),
        ("other.mlpackage/a.mlpackage", "inside the package"),
        ("bare/a.mlpackage", "inside the package"),
        ("other.mlpackage", "exists"),
        ("empty.mlpackage", "exists"),
        ("dangling.mlpackage", "exists"),
        ("a\0.mlpackage", "NUL"),
        ("n" * 300 + ".mlpackage", "cannot be used"),
    ],
)
def test_a_path_that_cannot_be_is_refused_with_the_reason(tmp_path, name, words):
    source = package(tmp_path / "in.mlpackage")
    (source / "Data").mkdir()
    package(tmp_path / "other.mlpackage")
    (tmp_path / "file").touch()
    (tmp_path / "empty.mlpackage").mkdir()
    (tmp_path / "link.mlpackage").symlink_to(source)
    (tmp_path / "dangling.mlpackage").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=words):
        output.check_output(
            tmp_path / name, package(tmp_path / "bare") if name.startswith("bare") else source
        )


def test_only_a_package_is_replaced_and_only_where_that_is_asked_for(tmp_path):
    there = package(tmp_path / "a.mlpackage")
    assert output.check_output(there, replace=True) == there
    (tmp_path / "folder.mlpackage").mkdir()
    with pytest.raises(ValueError, match="not a package"):
        output.check_output(tmp_path / "folder.mlpackage", replace=True)
    with pytest.raises(TypeError, match="path must be a str or Path; got int"):
        output.check_output(3)


def test_a_folder_that_is_read_only_is_found_before_the_work(tmp_path, monkeypatch):
    # Whoever runs the tests as root may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="cannot be written to"):
        output.check_output(tmp_path / "a.mlpackage")


def test_of_many_that_take_one_name_exactly_one_gets_it(tmp_path):
    path = tmp_path / "out.mlpackage"

    def attempt(number):
        new = package(tmp_path / f"{number}.mlpackage")
        (new / "who").write_text(str(number))
        try:
            output.move_into_place(new, path)
        except ValueError as error:
            assert "has appeared meanwhile" in str(error) and new.is_dir()
            return 0
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [number for number in pool.map(attempt, range(1, 41)) if number]
    assert len(winners) == 1 and (path / "who").read_text() == str(winners[0])


@pytest.mark.parametrize(
    "make", [lambda path: path.write_text("a file"), lambda path: path.symlink_to("nowhere")]
)
def test_what_has_appeared_is_left_as_it_is(tmp_path, make):
    path = tmp_path / "out.mlpackage"
    make(path)
    with pytest.raises(ValueError, match="appeared"):
        output.move_into_place(package(tmp_path / "new.mlpackage"), path)
    assert path.is_symlink() or path.read_text() == "a file"
