"""main.mlirb, read without coreai: made by hand, spoiled, and written by Core AI itself."""

import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import toykit as tk
from tests.coreai import bytecode, needs_coreai
from toykit.coreai.container import MOST_ENTRIES, Container, _Cursor
from toykit.coreml import PackageError

BLOBS = {"resource_1": bytes(range(200)), "resource_2": b"", "resource_3": b"\xcb" * 33}


def opened(folder, content):
    path = folder / "main.mlirb"
    path.write_bytes(content)
    return Container(path)


def test_blobs_and_sections_are_read(tmp_path):
    content = bytecode.file(BLOBS, more=[("a_flag", 1, b"\1"), ("a_text", 2, bytecode.varint(0))])
    container = opened(tmp_path, content)
    assert {blob.key: blob.data.tobytes() for blob in container.blobs} == BLOBS
    assert all(blob.start % 16 == 0 for blob in container.blobs)
    assert all(content[blob.start :].startswith(BLOBS[blob.key]) for blob in container.blobs)
    assert (container.version, container.producer) == (6, "by hand")
    assert container.strings == ("main", *BLOBS, "a_flag", "a_text")
    assert sum(container.sections.values()) == container.nbytes == len(content)
    assert container.sections["resources"] > sum(map(len, BLOBS.values()))


def test_a_program_may_have_no_resources(tmp_path):
    container = opened(tmp_path, bytecode.file({}))
    assert container.blobs == () and "resources" not in container.sections


@given(st.integers(0, 2**64 - 1))
def test_numbers_take_one_to_nine_bytes(number):
    written = bytecode.varint(number)
    cursor = _Cursor(written, 0, len(written), "a number")
    assert cursor.varint() == number and cursor.at == len(written) <= 9


WRONG = {
    "an empty file": (b"", "middle of 4 bytes"),
    "another file": (b"PK\3\4" + bytes(40), "does not begin with"),
    "a version of the future": (
        bytecode.file(BLOBS, version=7),
        "version 7 of MLIR bytecode; toykit reads 1 to 6",
    ),
    "a producer without end": (bytecode.file(BLOBS, producer=b"x" * 2000), "longer than 1,000"),
    "an unknown section": (bytecode.file(BLOBS) + bytecode.section(60, b"", 0), "is 60, which is unknown"),
    "a section twice": (bytecode.file(BLOBS) + bytecode.section(0, b"", 0), r"\(strings\) comes twice"),
    "no sections": (b"ML\xefR" + bytecode.varint(6) + b"\0", "no section of strings"),
    "a section of 2**60 bytes": (
        bytecode.file(BLOBS) + b"\x08" + bytecode.varint(2**60),
        "claims 1,152,921,504,606,846,976 bytes",
    ),
    "an odd alignment": (
        bytecode.file(BLOBS, alignment=1) + b"\x88" + bytecode.varint(0) + bytecode.varint(12),
        "12, no",
    ),
    "resources without offsets": (
        bytecode.file({}) + bytecode.section(5, b"", 0),
        "resources without their offsets",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(tmp_path, what):
    content, sentence = WRONG[what]
    with pytest.raises(PackageError, match=sentence) as said:
        opened(tmp_path, content)
    assert "main.mlirb: " in str(said.value)


def test_a_count_of_texts_that_cannot_be_takes_no_memory(tmp_path):
    sound = bytecode.file({})
    start = sound.index(bytecode.section(0, bytecode.strings(["main"]), 0))
    for count in (2**63, MOST_ENTRIES + 1):
        wrong = sound[:start] + bytecode.section(0, bytecode.varint(count) + bytes(100), 0)
        with pytest.raises(PackageError, match="texts, more than it can hold"):
            opened(tmp_path, wrong)


def test_a_count_of_resources_that_cannot_be_is_refused(tmp_path):
    offsets = bytecode.varint(0) * 2 + bytecode.varint(2**62)
    wrong = bytecode.file({}) + bytecode.section(6, offsets, 0) + bytecode.section(5, b"", 0)
    with pytest.raises(PackageError, match="more than 1,048,576 resources"):
        opened(tmp_path, wrong)


def test_there_must_be_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        Container(tmp_path / "main.mlirb")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody cut a file that is mapped")
def test_a_file_that_was_cut_is_not_read(tmp_path):
    container = opened(tmp_path, bytecode.file({"large": bytes(2**21)}))
    container.path.write_bytes(b"ML\xefR")
    with pytest.raises(PackageError, match="was cut from"):
        container.blobs[0].data  # noqa: B018 - asking for it is the test


SOUND = bytecode.file(BLOBS, texts=("main", "a", "b" * 100))


@given(st.integers(0, len(SOUND) - 1))
def test_a_file_that_ends_early_is_refused(tmp_path_factory, end):
    with pytest.raises(PackageError):
        opened(tmp_path_factory.mktemp("cut"), SOUND[:end])


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(1, 255)), min_size=1, max_size=4))
@example([(4, 0x0D)])
def test_flipped_bits_give_a_sentence_or_an_account_of_the_file(tmp_path_factory, flips):
    spoiled = bytearray(SOUND)
    for place, bits in flips:
        spoiled[place] ^= bits
    try:
        container = opened(tmp_path_factory.mktemp("flipped"), bytes(spoiled))
    except PackageError as error:
        assert str(error).isprintable()
        return
    assert sum(container.sections.values()) == len(spoiled)
    taken = [blob for blob in container.blobs if blob.data.size == blob.nbytes]
    assert len(taken) == len(container.blobs) and sum(blob.nbytes for blob in taken) <= len(spoiled)


@given(st.binary(max_size=200))
def test_bytes_of_chance_give_a_sentence(tmp_path_factory, content):
    with pytest.raises(PackageError):
        opened(tmp_path_factory.mktemp("chance"), b"ML\xefR\x0d" + content)


@needs_coreai
def test_blobs_are_the_large_constants_of_core_ai(tmp_path):
    """Each constant that Apple's code says is a resource is a blob, to the byte, and no other is."""
    networks = pytest.importorskip("tests.coreai.networks")
    from toykit.coreai.program import CONSTANT, is_large, operations, read

    program = tk.coreai.convert(networks.everything(), networks.example())
    asset = tk.coreai.Asset(tk.coreai.save(program, tmp_path / "net.aimodel"))
    program = asset.program()  # must live as long as its operators
    large = [one for one in operations(program) if one.name == CONSTANT and is_large(one)]
    constants = {read(one).array.tobytes() for one in large}
    assert len(constants) > 5
    assert {blob.data.tobytes() for blob in asset.blobs} == constants
    assert sum(blob.nbytes for blob in asset.blobs) == sum(map(len, constants))
    assert sum(Container(asset.path / "main.mlirb").sections.values()) == asset.files["main.mlirb"]
