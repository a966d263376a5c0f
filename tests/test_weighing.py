"""A stranger's package as a folder or an archive: found, weighed as `toykit.size` does, or declined in a sentence."""

import io
import json
import shutil
import struct
import zipfile

import pytest

from toykit import coreml, size, weighing
from toykit.coreml.view.contents import contents

from .zoo.fixtures import Fixture, names

KINDS = ("iOS15 plain", "iOS16 palette 4", "iOS18 plain", "iOS18 two functions")


@pytest.fixture
def package():
    return Fixture("9.0", "iOS18 plain").path


@pytest.fixture
def packed(package, tmp_path):
    """A function that makes a zip of files {path: bytes}, by default of the package."""

    def pack(files=None, name="Model.mlpackage.zip", method=zipfile.ZIP_DEFLATED):
        if files is None:
            files = files_of(package)
        with zipfile.ZipFile(tmp_path / name, "w", method) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return tmp_path / name

    return pack


def files_of(package, under="Model.mlpackage"):
    return {
        f"{under}/{path.relative_to(package).as_posix()}".lstrip("/"): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("version, name", [case for case in names() if case[1] in KINDS], ids=str)
def test_what_is_weighed_is_what_the_ledger_says(version, name):
    path, told = Fixture(version, name).path, []
    found = weighing.weigh(path, progress=lambda share, text: told.append(share))
    report = size.report(size.ledger(path)).as_data()
    for one in found["report"]["predictions"]:
        assert one.pop("stays") == {}  # the network's weights are small
    assert found["report"] == report and found["name"] == path.name
    assert found["programs"] == [(None, function) for _, function in found["programs"]]
    assert found["explorer"] == contents(path, found["programs"][0][1])
    for number, function in found["programs"]:
        assert weighing.explore(path, number, function) == contents(path, function)
    assert json.loads(json.dumps(found))["report"]["bytes"] == sum(
        file.stat().st_size for file in path.rglob("*") if file.is_file()
    )
    assert told == sorted(told) and told[0] == 0 and told[-1] < 1


@pytest.mark.parametrize("under", ["Model.mlpackage", "a/b/Model.mlpackage", ""])
def test_an_archive_is_weighed_like_the_folder(package, packed, under):
    files = files_of(package, under)
    files |= {f"__MACOSX/{path}": b"of the system" for path in files} | {".DS_Store": b""}
    found, expected = weighing.weigh(packed(files)), weighing.weigh(package)
    assert found["name"] == "Model.mlpackage"
    assert found["report"] | {"source": ""} == expected["report"] | {"source": ""}
    assert found["explorer"] == expected["explorer"]


def test_windows_separators_and_a_stored_archive(package, packed):
    files = {path.replace("/", "\\"): content for path, content in files_of(package).items()}
    assert weighing.weigh(packed(files, method=zipfile.ZIP_STORED))["name"] == "Model.mlpackage"


def test_of_several_packages_one_is_chosen(package, packed, tmp_path):
    archive = packed(files_of(package, "one.mlpackage") | files_of(package, "more/two.mlpackage"))
    shutil.unpack_archive(archive, tmp_path / "folder")
    for source in (archive, tmp_path / "folder"):
        assert weighing.weigh(source) == {"packages": ["more/two.mlpackage", "one.mlpackage"]}
        assert weighing.weigh(source, "more/two.mlpackage")["name"] == "two.mlpackage"
        with pytest.raises(
            ValueError, match="inside must be one of more/two.mlpackage, one.mlpackage; got 'x'"
        ):
            weighing.weigh(source, "x")


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/x", "C:/x", "..\\x", "a\0../x", "a/.."],
)
def test_a_path_that_leads_out_of_the_archive_is_not_unpacked(package, packed, path, tmp_path):
    archive = packed(files_of(package) | {"placeholder" if "\0" in path else path: b"x"})
    if "\0" in path:
        content = archive.read_bytes()
        name = path.encode().ljust(len("placeholder"), b"x")
        archive.write_bytes(content.replace(b"placeholder", name))
    with pytest.raises(ValueError, match="which leads out of the archive: it is not unpacked"):
        weighing.weigh(archive)
    assert [file.name for file in tmp_path.iterdir()] == [archive.name]


def test_an_archive_that_would_grow_without_measure_is_declined(packed, monkeypatch):
    monkeypatch.setattr(weighing, "LARGEST", 10**6)
    with pytest.raises(
        ValueError, match="would unpack to 2,000,000 bytes, and at most 1,000,000 are weighed"
    ):
        weighing.weigh(packed({"Model.mlpackage/Manifest.json": bytes(2 * 10**6)}))


def test_an_entry_that_holds_more_than_it_says_is_damage(packed):
    archive = packed({"Model.mlpackage/Manifest.json": bytes(10**6)})
    content = bytearray(archive.read_bytes())
    entry = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, entry + 24, 10)  # bytes when unpacked
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        weighing.weigh(archive)


def test_an_encrypted_archive(packed):
    archive = packed()
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="is encrypted: unpack it, and choose the folder"):
        weighing.weigh(archive)


def test_an_unknown_packing_method(packed):
    archive = packed()
    content = bytearray(archive.read_bytes())
    for mark, place in ((b"PK\x01\x02", 10), (b"PK\x03\x04", 8)):
        struct.pack_into("<H", content, content.index(mark) + place, 97)
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="make a plain zip"):
        weighing.weigh(archive)


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_a_cut_archive(packed, cut):
    archive = packed()
    archive.write_bytes(archive.read_bytes()[: int(cut * archive.stat().st_size)])
    with pytest.raises(ValueError, match="is not a zip archive, or it is cut off: make it again"):
        weighing.weigh(archive)


def test_a_name_that_is_a_file_and_a_folder(packed):
    with pytest.raises(ValueError, match="cannot be unpacked"):
        weighing.weigh(packed({"a": b"", "a/b": b""}))


def test_too_many_files(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(weighing, "MOST_FILES", 5)
    archive = packed({f"{number}": b"" for number in range(6)})
    with pytest.raises(ValueError, match="no package has more than 5"):
        weighing.weigh(archive)
    shutil.unpack_archive(archive, tmp_path / "home")
    with pytest.raises(ValueError, match="more than 5 files: choose the .mlpackage itself"):
        weighing.weigh(tmp_path / "home")


@pytest.mark.parametrize(
    "files, says",
    [
        ({}, "holds no package: choose a folder that ends in .mlpackage"),
        ({"notes.txt": b""}, "holds no package"),
        ({"Old.mlmodel": b"x"}, "An .mlmodel has no ML program"),
        ({"M.mlmodelc/coremldata.bin": b""}, "compiled for a device"),
        (
            {"M.mlpackage/Data/com.apple.CoreML/model.mlmodel": b""},
            "half a package: its Manifest.json is missing",
        ),
        ({"Data/com.apple.CoreML/weights/weight.bin": b""}, "half a package"),
        ({"M.mlpackage/Manifest.json": b"{}"}, "^M.mlpackage: Manifest.json does not say where the model is"),
    ],
)
def test_what_is_no_package_is_said(packed, tmp_path, files, says):
    archive = packed(files)
    folder = tmp_path / "chosen"
    folder.mkdir()
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    for source in (archive, folder):
        with pytest.raises(ValueError, match=says) as caught:
            weighing.weigh(source)
        assert str(tmp_path) not in str(caught.value)


def test_half_a_package_names_the_file_that_is_missing(package, packed):
    files = {path: content for path, content in files_of(package).items() if not path.endswith("weight.bin")}
    with pytest.raises(ValueError, match="^Model.mlpackage: .*weight.bin cannot be opened") as caught:
        weighing.weigh(packed(files))
    assert "toykit-" not in str(caught.value)


def test_single_files_and_nothing(tmp_path):
    for name, says in {
        "Old.mlmodel": "is an .mlmodel file. It has no ML program",
        "a.zip": "is not a zip archive",
        "a.txt": "is no package",
    }.items():
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(ValueError, match=says):
            weighing.weigh(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="there is nothing at"):
        weighing.weigh(tmp_path / "none")


def test_a_package_that_is_too_large(package, monkeypatch):
    monkeypatch.setattr(weighing, "LARGEST", 1000)
    with pytest.raises(ValueError, match="and at most 1,000 are weighed here"):
        weighing.weigh(package)


def test_what_is_made_is_packed_and_verified(package, packed):
    """The network's weights are small: they are compressed when that is asked for."""
    choice = ("palettize", {"bits": 4, "weight_threshold": 0})
    predicted = weighing.predict(packed(), *choice)
    told = []
    made = weighing.compress(packed(), *choice, progress=lambda share, text: told.append(share))
    small = coreml.compress(package, *choice[:1], **choice[1])
    assert predicted["bytes"] == made["bytes"] == small.nbytes < size.ledger(package).nbytes
    assert told == sorted(told) and made["name"] == "Model-small.mlpackage"
    with zipfile.ZipFile(io.BytesIO(made["archive"])) as archive:
        found = {
            name.removeprefix("Model-small.mlpackage/"): archive.read(name) for name in archive.namelist()
        }
    assert found == {name: (small.path / name).read_bytes() for name in small.files}
    verified = weighing.verify(packed(), made["path"])
    assert verified["ok"] and verified["problems"] == [] and "verified against Model" in verified["text"]
    other = weighing.verify(Fixture("9.0", "iOS15 float32").path, made["path"])
    assert not other["ok"] and other["problems"]


def test_what_cannot_be_made_is_said(package):
    with pytest.raises(ValueError, match="bits must be"):
        weighing.compress(package, "palettize", {"bits": 5})
    with pytest.raises(ValueError, match="need a package for iOS 18"):
        weighing.compress(Fixture("9.0", "iOS16 palette 4").path, "palettize", {"bits": 4, "group_size": 8})
