"""Packing Python for the pages, with stand-ins for what is fetched: nothing here asks a network."""

import base64
import gzip
import hashlib
import io
import json
import socket
import tarfile
import threading
import zipfile

import pytest

from book._tools import book_site, fetch, live, vendor
from book._tools.serve import server

NUMPY = "numpy-2-wasm32.whl"
WHEEL = b"the wheel of NumPy"
SHA = hashlib.sha256(WHEEL).hexdigest()


def carrier(folder, content, name="carrier"):
    """A wheel that carries `content` as NumPy's, pinned."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/assets/{NUMPY}", content)
        file.writestr(
            f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        file.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
    return fetch.Archive(name, "1.0", hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A folder that pip takes for its registry, with the carrier; a release that has the wheel; an empty cache."""
    folder, release = tmp_path / "registry", tmp_path / "release"
    folder.mkdir()
    release.mkdir()
    (folder / "pip-99-py3-none-any.whl").touch()
    (release / NUMPY).write_bytes(WHEEL)
    running = server(release)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{running.server_port}/"
    lock = {"packages": {"numpy": {"file_name": NUMPY, "sha256": SHA}}}
    parts = dict.fromkeys(live.PARTS, b"part")
    parts["pyodide-lock.json"] = json.dumps(lock).encode()
    # As Pyodide writes it: the address, with its version to fill in.
    parts["pyodide.js"] = f"e.setCdnUrl(`{address}${{d.version}}/../`)".encode()

    def packed(name, number, digest, scratch, seconds):
        assert (name, number, digest) == ("pyodide", live.VERSION, live.DIGEST)
        with tarfile.open(f"{scratch}/pyodide.tgz", "w:gz") as file:
            for part, content in parts.items():
                info = tarfile.TarInfo(f"package/{part}")
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
        return live.Path(scratch, "pyodide.tgz")

    monkeypatch.setattr(live, "pack_of_npm", packed)
    monkeypatch.setattr(live, "CARRIER", carrier(folder, WHEEL))
    monkeypatch.setattr(live, "SILENCE", 0.5)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("TOYKIT_CACHE", str(tmp_path / "cache"))
    yield folder
    running.shutdown()


def no_carrier(name, home):
    raise fetch.Vanished("it has vanished\nand pip says more")


@pytest.fixture
def no_release(tmp_path):
    (tmp_path / "release" / NUMPY).unlink(missing_ok=True)


def unpacked(script):
    texts = json.loads(script.read_text("ascii").removeprefix("window.tkLivePack = ").removesuffix(";\n"))
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in texts.items()}


def test_the_script_holds_all_files_and_is_the_same_twice(registry, tmp_path):
    script = live.pack(tmp_path / "site")
    files = unpacked(script)
    assert files[NUMPY] == WHEEL and set(live.PARTS) <= set(files)
    with zipfile.ZipFile(io.BytesIO(files["toykit.zip"])) as library:
        names = set(library.namelist())
    assert {"toykit/__init__.py", "toykit/__init__.pyi", "book_cells.py"} <= names
    assert not any("__pycache__" in name for name in names)
    with zipfile.ZipFile(io.BytesIO(files["data.zip"])) as data:
        assert "data/crepe_layers.csv" in data.namelist()
    content = script.read_bytes()
    stale = script.with_name("pack-of-an-earlier-build.js")
    stale.touch()
    again = live.pack(tmp_path / "site")
    assert again == script and again.read_bytes() == content and not stale.exists()


def test_a_machine_asks_once(registry, tmp_path, monkeypatch):
    live.pack(tmp_path / "site")
    monkeypatch.setattr(live, "pack_of_npm", lambda *a, **k: pytest.fail("asked npm again"))
    monkeypatch.setattr(live, "_numpy", lambda *a: pytest.fail("asked for NumPy again"))
    live.pack(tmp_path / "site")


def test_a_kept_wheel_that_was_cut_off_is_fetched_again(registry, tmp_path):
    kept = live.parts()[NUMPY]
    kept.write_bytes(WHEEL[:5])
    assert unpacked(live.pack(tmp_path / "site"))[NUMPY] == WHEEL


def test_a_carrier_that_has_vanished_leaves_the_release(registry):
    next(registry.glob("carrier*")).unlink()
    assert live.parts()[NUMPY].read_bytes() == WHEEL


def test_a_carrier_without_the_wheel_or_with_another_leaves_the_release(registry, monkeypatch):
    monkeypatch.setattr(live, "CARRIER", carrier(registry, b"another wheel", "another"))
    assert live.parts()[NUMPY].read_bytes() == WHEEL
    monkeypatch.setattr(live, "CARRIER", fetch.Archive("pip", "99", "0" * 64))
    live.parts()[NUMPY].unlink()
    assert live.parts()[NUMPY].read_bytes() == WHEEL


def test_a_carrier_that_was_cut_off_leaves_the_release(registry):
    path = next(registry.glob("carrier*"))
    path.write_bytes(path.read_bytes()[:50])
    assert live.parts()[NUMPY].read_bytes() == WHEEL


def test_where_neither_has_it_the_reason_is_said(registry, no_release):
    next(registry.glob("carrier*")).unlink()
    with pytest.raises(live.Missing, match="carrier 1.0 has vanished: .*; HTTP Error 404"):
        live.parts()


@pytest.mark.parametrize("content", [WHEEL[:5], b"another", b""])
def test_a_release_with_another_file_is_refused_and_not_kept(registry, tmp_path, monkeypatch, content):
    monkeypatch.setattr(live, "_from_carrier", no_carrier)
    (tmp_path / "release" / NUMPY).write_bytes(content)
    with pytest.raises(live.Missing, match=f"{NUMPY} was not the file that Pyodide's lock names"):
        live.parts()
    assert not list((tmp_path / "cache" / "live").rglob(NUMPY))


def test_a_network_that_hangs_is_given_up(registry, no_release, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(live, "_from_carrier", no_carrier)
        with pytest.raises(live.Missing):
            live.parts()
    (script,) = fetch.cache().rglob("pyodide.js")
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        script.write_text(f"e.setCdnUrl(`{address}/${{d.version}}/`)")
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.delenv("PIP_FIND_LINKS")
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/simple")
        monkeypatch.setattr(live, "SECONDS", 4)
        with pytest.raises(live.Missing, match="no registry answers.*; timed out"):
            live.parts()


def test_npm_that_fails_or_hangs_or_brings_another_archive_is_a_reason(registry, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "pack_of_npm", vendor.pack_of_npm)
    monkeypatch.setattr(live, "SECONDS", 2)
    for command, words in [
        (["false"], "npm could not fetch pyodide"),
        (["sh", "-c", "sleep 30"], "npm had not fetched pyodide .* after 1 s"),
        (["sh", "-c", 'touch "$4/x.tgz"'], "not the one this book was made with"),
    ]:
        monkeypatch.setattr(vendor, "npm", lambda command=command: (command, None))
        with pytest.raises(live.Missing, match=words):
            live.parts()


def test_without_node_there_is_a_reason(registry, monkeypatch):
    def no_npm():
        raise vendor.Unfetched("npm is needed")

    monkeypatch.setattr(live, "pack_of_npm", vendor.pack_of_npm)
    monkeypatch.setattr(vendor, "npm", no_npm)
    with pytest.raises(live.Missing, match="npm is needed"):
        live.parts()


def test_a_book_without_python_is_built_and_one_line_says_so(registry, no_release, monkeypatch, capsys):
    monkeypatch.setattr(live, "_from_carrier", no_carrier)
    live.script.cache_clear()
    config = type("Config", (), {"html_static_path": []})
    try:
        assert book_site.live_script(config) == {"defer": "defer"} and config.html_static_path == []
        assert "without it" in live.in_words()["live_size"]
    finally:
        live.script.cache_clear()
    said = capsys.readouterr().out.splitlines()
    assert [line.startswith("WITHOUT LIVE CELLS: ") for line in said] == [True]
