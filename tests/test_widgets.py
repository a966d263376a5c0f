"""The Python side of the instruments: data, texts, fallbacks. The browser side is in tests/site."""

import json
import math
import re

import numpy as np
import pytest
import traitlets

import toykit as tk
from book._tools.project import chapters
from book._tools.stored_outputs import read
from book._tools.stored_widgets import refresh, stale
from toykit import plots
from toykit.widgets import grid, markup
from toykit.widgets.base import Instrument, canonical, table
from toykit.widgets.sizes import TECHNIQUES


def ask(**options):
    options = {"min": 10, "max": 51, "step": 0.5, "unit": "MB"} | options
    return tk.widgets.predict("How large?", 28.78, **options)


def opened(widget):
    return json.loads(widget.sealed)


class TestBase:
    def test_one_module_with_everything_inside_and_nothing_from_elsewhere(self):
        for cls in Instrument.__subclasses__():
            assert len(re.findall(r"^export ", cls._esm, re.MULTILINE)) == 1
            assert not re.search(
                r"^import |\bfetch\(|https?://(?!www\.w3\.org/2000/svg)", cls._esm, re.MULTILINE
            )
            assert "localStorage" not in cls._esm and "sessionStorage" not in cls._esm
            assert "@import" not in cls._css and "url(" not in cls._css

    def test_css_has_the_colours_of_the_figures(self):
        light = Instrument.__subclasses__()[0]._css.partition('[data-tk-theme="dark"]')[0]
        for name in ("pruning", "quantization", "palettization", "joint"):
            assert f"--tk-{name}: {plots.COLORS[name]};" in light
        assert f"--tk-float: {plots.COLORS['dense']};" in light

    def test_no_class_name_of_bootstrap(self):
        names = set()
        for cls in Instrument.__subclasses__():
            for text in re.findall(r'class: "([^"]+)"', cls._esm):
                names |= set(text.split())
        assert names and all(name.startswith("tk-") for name in names)

    def test_canonical_does_not_hang_on_the_last_bits_of_a_float(self):
        assert canonical({"b": 0.1 + 0.2, "a": [1, "x"]}) == {"a": [1, "x"], "b": "0.3"}
        assert canonical(b"abc") == canonical(b"abc") != canonical(b"abd")

    def test_table_escapes(self):
        assert "<b>" not in table("a <b>", ["c", "<b>"], [["<b>", 1]])

    def test_display_has_a_noscript_and_the_widget(self, monkeypatch):
        shown = []
        monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
        widget = ask()
        widget._ipython_display_()
        assert shown[0]["text/html"].startswith("<noscript>") and widget.fallback() in shown[0]["text/html"]
        assert "application/vnd.jupyter.widget-view+json" in shown[1]
        assert shown[1]["text/plain"] == repr(widget)


class TestMarkup:
    def test_html_and_addresses_that_run_something_stay_text(self):
        assert "<script" not in markup.to_html("<script>x</script> [a](javascript:alert)")
        assert "href" not in markup.inline("[a](javascript:alert(1))")
        assert markup.inline("[a](02_pruning.html#mask)") == '<a href="02_pruning.html#mask">a</a>'

    def test_paragraphs_and_code(self):
        assert markup.to_html("One\ntwo.\n\n`*x* <y>`") == "<p>One two.</p><p><code>*x* &lt;y&gt;</code></p>"

    def test_sentences_for_others_are_dropped(self):
        text = "It is {answer}. You said {guess}. Why? Because.\n\nNot {guess}."
        assert markup.without_sentences(text, "{guess}").strip() == "It is {answer}. Why? Because."


class TestPredict:
    def test_nothing_readable_gives_the_answer_away(self):
        widget = ask(reveal="It is {answer}.")
        hidden = ("sealed", "_esm", "_css")
        state = {name: value for name, value in widget.get_state().items() if name not in hidden}
        assert "28.7" not in repr(widget) and "28.8" not in repr(widget)
        assert "28." not in json.dumps(state, default=str)
        before_details, details = widget.fallback().split("<details>")
        assert "28.8" not in before_details and "28.8 MB" in details

    def test_repr_is_stable_and_follows_the_data(self):
        assert repr(ask()) == repr(ask()) != repr(ask(reveal="x"))
        assert ask().digest == ask().digest
        almost, exactly = (tk.widgets.predict("?", answer, min=0, max=1) for answer in (0.1 + 0.2, 0.3))
        assert repr(almost) == repr(exactly)

    def test_answer_is_written_with_the_digits_of_the_step(self):
        assert opened(ask())["text"] == "28.8 MB"
        assert opened(ask(digits=2))["text"] == "28.78 MB"
        many = tk.widgets.predict("?", 25_557_032, min=1e5, max=1e9, step=1, log=True)
        assert opened(many)["text"] == "25,557,032"
        assert opened(tk.widgets.predict("?", -3, min=-10, max=10, step=1, unit="%"))["text"] == "−3 %"

    def test_answer_and_guess_in_the_text(self):
        sealed = opened(ask(reveal="{answer}! You said {guess}. *Why?*", low="Only {guess}.", near="Yes."))
        assert sealed["reveal"] == "<p>28.8 MB! You said {guess}. <em>Why?</em></p>"
        assert sealed["skipped"] == "<p>28.8 MB! <em>Why?</em></p>"
        assert sealed["low"] == "<p>Only {guess}.</p>" and sealed["near"] == "<p>Yes.</p>"

    def test_choice(self):
        widget = tk.widgets.predict("Which?", "b", options=["a", "b"], wrong={"a": "No: {answer}."})
        assert opened(widget)["wrong"] == {"a": "<p>No: b.</p>"}
        assert widget.options == ["a", "b"] and widget.scale == {}
        assert "<ul><li>a</li><li>b</li></ul><details>" in widget.fallback()

    def test_guess_starts_empty_and_can_be_read(self):
        widget = ask()
        assert widget.guess is None and widget.opened is False
        widget.guess = 25.5
        assert widget.guess == 25.5

    @pytest.mark.parametrize(
        "options, error, words",
        [
            ({"min": 30}, ValueError, "answer must lie between min and max, 30 and 51; got 28.78"),
            ({"min": 60, "max": 51}, ValueError, "min must be less than max"),
            ({"min": None}, TypeError, "min must be a number; got None"),
            ({"max": float("inf")}, ValueError, "max must be a number"),
            ({"step": 0}, ValueError, "step must be a number above 0"),
            ({"min": 0, "log": True}, ValueError, "min must be more than 0 for a logarithmic slider"),
        ],
    )
    def test_bad_numbers(self, options, error, words):
        with pytest.raises(error, match=words):
            ask(**options)

    @pytest.mark.parametrize(
        "answer, options, words",
        [
            ("c", ["a", "b"], "answer must be one of the options"),
            ("a", ["a"], "two or more"),
            ("a", ["a", "a"], "two or more different"),
        ],
    )
    def test_bad_choices(self, answer, options, words):
        with pytest.raises(ValueError, match=words):
            tk.widgets.predict("?", answer, options=options)

    def test_explaining_an_option_that_is_not_there(self):
        with pytest.raises(ValueError, match="wrong must explain wrong options only; got \\['b'\\]"):
            tk.widgets.predict("?", "b", options=["a", "b"], wrong={"b": "right"})

    def test_answer_must_be_a_number(self):
        with pytest.raises(TypeError, match="answer must be a number; got '28'"):
            tk.widgets.predict("?", "28", min=0, max=50)


class TestFeedback:
    TEXTS = """
[how-large]
answer = "b"
near = "{guess} is right."
reveal = "{answer}, as {size} is {size}."
[how-large.wrong]
a = "Not for {size}."
"""

    @pytest.fixture
    def path(self, tmp_path):
        (tmp_path / "told.toml").write_text(self.TEXTS)
        return tmp_path / "told.toml"

    def test_texts_get_the_values_of_the_cell_and_keep_the_answer_for_predict(self, path):
        told = tk.widgets.feedback(path, "how-large", size=3)
        assert told == {
            "answer": "b",
            "near": "{guess} is right.",
            "reveal": "{answer}, as 3 is 3.",
            "wrong": {"a": "Not for 3."},
        }
        sealed = opened(tk.widgets.predict("Which?", options=["a", "b"], **told))
        assert sealed["answer"] == "b" and sealed["reveal"] == "<p>b, as 3 is 3.</p>"

    @pytest.mark.parametrize(
        "name, values, words",
        [
            ("how-long", {}, "name must be one of 'how-large'; got 'how-long'"),
            ("how-large", {}, r"needs the values \['size'\]; got none"),
            ("how-large", {"size": 3, "at": 4}, r"needs the values \['size'\]; got \['at', 'size'\]"),
        ],
    )
    def test_what_does_not_fit_is_named(self, path, name, values, words):
        with pytest.raises(ValueError, match=words):
            tk.widgets.feedback(path, name, **values)

    @pytest.mark.parametrize(
        "text, words",
        [
            ("[a", "told.toml is no TOML"),
            ("[a]\nreveals = 'x'", r"may hold answer, near, .* for a prediction; got \['reveals'\]"),
            ("a = 1", r"may hold answer, .*; got \['a'\]"),
        ],
    )
    def test_a_file_that_holds_something_else_is_refused(self, path, text, words):
        path.write_text(text)
        with pytest.raises(ValueError, match=words):
            tk.widgets.feedback(path, "a")

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="none.toml"):
            tk.widgets.feedback(tmp_path / "none.toml", "a")


class TestGrid:
    def test_settings_are_numbered_as_javascript_numbers_them(self):
        two = (grid.Axis.bits((1, 2, 4)), grid.Axis.choice("m", "M", x="X", y="Y"))
        techniques = (
            grid.Technique("a", "A", "joint", two),
            grid.Technique("b", "B", "joint", (grid.Axis.share("s", "S", (0.5,)),)),
        )
        settings = [(t.name, s) for t in techniques for s in t.settings()]
        for technique in grid.to_json(techniques):
            sizes = [len(axis["values"]) for axis in technique["axes"]]
            for at in np.ndindex(*sizes):
                row = technique["first"] + int(np.ravel_multi_index(at, sizes))
                expected = {axis["name"]: axis["values"][i] for axis, i in zip(technique["axes"], at)}
                assert settings[row] == (technique["name"], expected)
        assert techniques[0].axes[0].words == ("1 bit", "2 bits", "4 bits")


@pytest.fixture(scope="module")
def small_ledger():
    rng = np.random.default_rng(0)
    return tk.size.ledger(
        {
            "conv": rng.normal(size=(64, 32, 3, 3)).astype(np.float16),
            "fc": rng.normal(size=(1000, 64)).astype(np.float16),
            "bias": np.zeros(1000, np.float16),
        }
    )


class TestSizeExplorer:
    def test_every_size_is_the_ledgers(self, small_ledger):
        rows = tk.widgets.size_explorer(small_ledger).table()
        sizes = {(label, said): total for label, said, total, _ in rows}
        after = small_ledger.after
        assert sizes["Pruning", "50 %"] == after("prune", sparsity=0.5).nbytes
        assert sizes["Quantization", "8 bits, channel"] == after("quantize", bits=8).nbytes
        blocks = after("quantize", bits=4, granularity="per_block")
        assert sizes["Quantization", "4 bits, block of 32"] == blocks.nbytes
        assert sizes["Palettization", "6 bits, layer"] == after("palettize", bits=6).nbytes
        groups = after("palettize", bits=2, group_size=16)
        assert sizes["Palettization", "2 bits, 16 channels"] == groups.nbytes
        joint = after("joint", prune={"sparsity": 0.7}, palettize={"bits": 4})
        assert sizes["Pruning and palettization", "70 %, 4 bits"] == joint.nbytes
        assert len(sizes) == len(rows)

    def test_what_holds_no_weights_is_what_the_compressed_arrays_say(self, small_ledger):
        widget = tk.widgets.size_explorer(small_ledger)
        besides = np.frombuffer(widget.besides, np.int32).reshape(-1, len(widget.layers))
        rng = np.random.default_rng(0)
        conv = rng.normal(size=(64, 32, 3, 3)).astype(np.float16)
        kinds = [(technique.name, setting) for technique in TECHNIQUES for setting in technique.settings()]
        at = {(name, *s.values()): row[0] for (name, s), row in zip(kinds, besides)}
        assert at["prune", 0.5] == tk.prune(conv, sparsity=0.5).mask.nbytes
        assert at["quantize", 8, "per_channel"] == tk.quantize(conv, bits=8).scale.nbytes
        assert at["palettize", 4, "layer"] == tk.palettize(conv, bits=4).parts["lut"].nbytes
        joint = tk.palettize(tk.prune(conv, sparsity=0.7), bits=4)
        assert at["joint", 0.7, 4] == joint.nbytes - joint.indices.nbytes

    def test_weights_beyond_two_gigabytes(self):
        torch = pytest.importorskip("torch")
        ledger = tk.size.ledger(torch.nn.Linear(40_000, 40_000, device="meta"), dtype="float16")
        widget = tk.widgets.size_explorer(ledger)
        sizes = {row[:2]: row[2] for row in widget.table()}
        assert ledger.nbytes > 2**31
        assert sizes["Quantization", "8 bits, channel"] == ledger.after("quantize", bits=8).nbytes
        assert np.frombuffer(widget.before, np.float64).sum() == ledger.nbytes

    def test_only_what_the_system_of_a_package_can_hold_is_offered(self, small_ledger):
        def after(technique, options):
            joined = (
                technique == "joint" or options.get("group_size") or options.get("granularity") == "per_block"
            )
            if (
                joined
                or (options.get("bits") in (3, 4) and technique == "quantize")
                or options.get("bits") == 3
            ):
                raise ValueError("needs iOS 18")
            return small_ledger.after(technique, **options)

        old = tk.size.Ledger(small_ledger.rows, "an old package", predict=after)
        widget = tk.widgets.size_explorer(old)
        offered = {one["name"]: [axis["values"] for axis in one["axes"]] for one in widget.techniques}
        assert list(offered) == ["prune", "quantize", "palettize"]
        assert offered["quantize"] == [[8], ["per_tensor", "per_channel"]]
        assert offered["palettize"] == [[1, 2, 4, 6, 8], ["layer"]]
        here = {row[:2]: row[2] for row in tk.widgets.size_explorer(small_ledger).table()}
        assert len(widget.table()) == 11 + 2 + 5 and all(here[row[:2]] == row[2] for row in widget.table())
        with pytest.raises(
            ValueError, match="technique must be one of 'prune', 'quantize', 'palettize'; got 'joint'"
        ):
            tk.widgets.size_explorer(old, technique="joint")

        def nothing(technique, options):
            raise ValueError("needs iOS 16")

        with pytest.raises(ValueError, match="needs iOS 16"):
            tk.widgets.size_explorer(tk.size.Ledger(small_ledger.rows, "a very old package", predict=nothing))

    def test_layers_that_stay_are_named_with_the_reason(self, small_ledger):
        widget = tk.widgets.size_explorer(small_ledger)
        notes = [note for note in widget.notes if note]
        assert any(
            "fc stays as before: group_size must divide the 1000 channels of axis 0; got 16" in note
            for note in notes
        )

    def test_state_is_small_and_the_fallback_lists_every_setting(self, small_ledger):
        widget = tk.widgets.size_explorer(small_ledger, technique="palettize")
        assert widget.state_bytes < 30_000 and widget.technique == "palettize"
        assert widget.fallback().count("<tr>") == 1 + len(widget.table())

    def test_bad_input(self, small_ledger):
        with pytest.raises(ValueError, match="no weight of more than 2,048 elements"):
            tk.widgets.size_explorer(tk.size.ledger({"bias": np.zeros(10, np.float16)}))
        with pytest.raises(ValueError, match="technique must be one of .prune., .*; got 'zip'"):
            tk.widgets.size_explorer(small_ledger, technique="zip")
        widget = tk.widgets.size_explorer(small_ledger)
        with pytest.raises(traitlets.TraitError, match="bits must be one of 4, 8, 1, 2, 3, 6; got 5"):
            widget.bits = 5


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(1)
    return (rng.normal(size=(48, 20, 3)) * np.exp(rng.normal(size=(48, 1, 1)))).astype(np.float32)


@pytest.fixture(scope="module")
def explorer(layer):
    return tk.widgets.explore(layer, name="a convolution", technique="quantize")


class TestExplore:
    def test_bytes_and_errors_are_those_of_the_whole_array(self, layer, explorer):
        half = layer.astype(np.float16)
        rows = {(label, said): (nbytes, snr) for label, said, nbytes, _, snr in explorer.rows()}
        for key, c in {
            ("Pruning", "70 %, single weights"): tk.prune(half, sparsity=0.7),
            ("Pruning", "50 %, blocks of 4 channels"): tk.prune(half, sparsity=0.5, block_size=4),
            ("Quantization", "8 bits, affine, tensor"): tk.quantize(half, 8, "affine", "per_tensor"),
            ("Quantization", "4 bits, symmetric, block of 10"): tk.quantize(
                half, 4, granularity="per_block", block_size=10
            ),
            ("Small floats", "FP8 E4M3, float16, channel"): tk.quantize(half, format="fp8_e4m3"),
            ("Small floats", "FP4 E2M1, E8M0, block of 10"): tk.quantize(
                half, format="fp4_e2m1", scale_format="e8m0", granularity="per_block", block_size=10
            ),
            ("Palettization", "6 bits, k-means, tensor"): tk.palettize(half, 6),
            ("Palettization", "2 bits, uniform, 16 channels"): tk.palettize(
                half, 2, "uniform", group_size=16
            ),
            ("Pruning and palettization", "70 %, 4 bits"): tk.palettize(tk.prune(half, sparsity=0.7), 4),
        }.items():
            assert rows[key][0] == c.nbytes, key
            assert rows[key][1] == pytest.approx(tk.error(half, c).snr_db, abs=0.006), key

    def test_frames_show_the_compressed_weights(self, layer, explorer):
        at = [row[:2] for row in explorer.rows()].index(("Pruning", "70 %, single weights"))
        frames = np.frombuffer(explorer.frames, np.uint8).reshape(-1, *explorer.excerpt)
        dense = tk.prune(layer.astype(np.float16), sparsity=0.7).dense().reshape(48, -1)[:32, :32]
        assert len(frames) == len(explorer.figures) and explorer.excerpt == [32, 32]
        assert np.array_equal(frames[at] == 0, dense == 0)
        assert np.all((frames[at][dense != 0] > 128) == (dense[dense != 0] > 0))

    def test_levels_are_the_threshold_and_the_values_in_use(self, layer, explorer):
        half = layer.astype(np.float16)
        keys = [row[:2] for row in explorer.rows()]
        starts = np.cumsum([0, *explorer.level_counts])
        levels = np.frombuffer(explorer.levels, np.int16) / 32767 * explorer.limit

        def of(*key):
            i = keys.index(key)
            return levels[starts[i] : starts[i + 1]]

        kept = tk.prune(half, sparsity=0.5).values
        (threshold,) = of("Pruning", "50 %, single weights")
        assert np.abs(half).min() < threshold < np.abs(kept).min()
        assert len(of("Palettization", "4 bits, k-means, tensor")) == 16
        first = np.unique(tk.quantize(half, 4).dense()[0])
        shown = of("Quantization", "4 bits, symmetric, channel")
        assert shown == pytest.approx(first, abs=explorer.limit / 32000)
        assert sum(explorer.histogram) == layer.size

    def test_state_is_small_and_repr_is_stable(self, layer, explorer):
        assert explorer.state_bytes < 110_000
        assert repr(explorer) == repr(tk.widgets.explore(layer, name="a convolution", technique="quantize"))
        assert repr(explorer) != repr(tk.widgets.explore(layer * np.float32(1.5), name="a convolution"))
        assert explorer.fallback().count("<tr>") == 1 + len(explorer.rows())

    @pytest.mark.parametrize("shape", [(7,), (1, 1), (5, 5), (3, 64), (2, 2, 2, 2, 2)])
    def test_any_shape(self, shape):
        w = np.random.default_rng(0).normal(size=shape).astype(np.float64)
        before = w.copy()
        widget = tk.widgets.explore(w)
        assert np.array_equal(w, before)
        assert len(widget.frames) == len(widget.figures) * math.prod(widget.excerpt)
        assert len(widget.rows()) == len(widget.figures)

    def test_constant_weights_and_torch(self):
        torch = pytest.importorskip("torch")
        widget = tk.widgets.explore(torch.zeros(8, 8))
        assert all(math.isinf(row[-1]) for row in widget.rows())

    @pytest.mark.parametrize(
        "w, error, words",
        [
            (np.ones((4, 4), int), TypeError, "int64"),
            (np.array([[1.0, np.nan]]), ValueError, "finite|NaN"),
            (np.array([[1e6, 1.0]]), ValueError, "float16, up to 65,504; its largest magnitude is 1e\\+06"),
        ],
    )
    def test_bad_weights(self, w, error, words):
        with pytest.raises(error, match=words):
            tk.widgets.explore(w)

    def test_options_can_be_set_from_python_and_are_checked(self, explorer):
        explorer.bits = 8
        with pytest.raises(traitlets.TraitError, match="mode must be one of symmetric, affine; got 'linear'"):
            explorer.mode = "linear"


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
class TestChapters:
    def test_stored_widgets_run_the_present_javascript(self, path):
        assert not stale(read(path)), "run: make widgets"


def test_old_javascript_in_a_notebook_is_found_and_renewed(tmp_path):
    widget = ask()
    state = {key: value for key, value in widget.get_state().items() if isinstance(value, str | bool)}
    old = state | {"_esm": "export default {}"}
    path = tmp_path / "a.ipynb"
    notebook = {
        "cells": [],
        "metadata": {
            "widgets": {
                "application/vnd.jupyter.widget-state+json": {
                    "state": {"x": {"state": old}, "y": {"state": {"_model_name": "LayoutModel"}}}
                }
            }
        },
    }
    path.write_text(json.dumps(notebook))
    assert stale(read(path)) == ["Prediction"]
    assert refresh(path) == ["Prediction"] and refresh(path) == []
    renewed = read(path)["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert renewed["x"]["state"] == state and renewed["y"] == {"state": {"_model_name": "LayoutModel"}}
