"""The common form and the checks of arguments that every technique shares."""

import dataclasses
import math
import sys
from importlib import metadata
from unittest import mock

import numpy as np
import pytest
from hypothesis import given

import toykit as tk
from tests.strategies import weights
from toykit import _optional
from toykit.compressed import (
    Compressed,
    check_array,
    check_choice,
    check_each,
    check_flag,
    check_fraction,
    check_int,
    check_names,
    check_number,
    check_path,
    check_shape,
    check_weights,
    shown,
)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Halves(Compressed):
    """Weights as their halves: enough of a technique to test the base with."""

    halves: np.ndarray
    shape: tuple
    dtype: np.dtype

    def dense(self):
        return (self.halves * 2).astype(self.dtype).reshape(self.shape)

    def _summary(self):
        return "halved"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Wrapped(Halves):
    """A form with a part that is itself compressed."""

    inner: Compressed = None


class Stubborn:
    """What fails when NumPy asks it for its numbers."""

    def __array__(self, *args, **options):
        raise RuntimeError("not for you")


def halves(w):
    return Halves(w.ravel() / 2, w.shape, w.dtype)


def test_size_is_counted_to_the_byte():
    c = halves(np.ones((3, 5), np.float32))
    assert (c.size, c.nbytes, c.bits_per_weight, c.compression_factor) == (15, 60, 32, 0.5)
    assert list(c.parts) == ["halves"]
    assert repr(c) == "Halves(3x5, halved, 32.0 bits a weight)"


def test_a_part_that_is_compressed_counts_with_its_own_parts():
    inner = halves(np.ones(4, np.float16))
    c = Wrapped(np.ones(4, np.float16), (4,), np.dtype("float16"), inner)
    assert list(c.parts) == ["halves", "inner_halves"]
    assert c.nbytes == 16


def test_a_part_that_stands_in_two_places_counts_once():
    shared, apart = np.ones(4, np.float16), np.ones(4, np.float16)
    for inner, names in ((shared, ["halves"]), (apart, ["halves", "inner_halves"])):
        c = Wrapped(shared, (4,), np.dtype("float16"), Halves(inner, (4,), np.dtype("float16")))
        assert list(c.parts) == names and c.nbytes == 8 * len(names)


def test_a_compressed_form_cannot_be_changed():
    mine = np.ones(4, np.float16)
    c = Halves(mine, (4,), mine.dtype)
    with pytest.raises(dataclasses.FrozenInstanceError):
        c.shape = (2, 2)
    with pytest.raises(ValueError, match="read-only"):
        c.halves[0] = 3
    mine[0] = 2  # the array that was passed in is still its owner's


def test_error_by_hand():
    e = tk.error([3.0, 4.0], [3.0, 3.5])
    assert (e.max_abs, e.mse) == (0.5, 0.125)
    assert e.snr_db == pytest.approx(10 * math.log10(25 / 0.25))


def test_error_of_an_exact_copy_and_of_weights_that_are_zero():
    assert tk.error([1.0], [1.0]).snr_db == math.inf
    assert tk.error([0.0], [0.0]).snr_db == math.inf
    assert tk.error([0.0], [1.0]).snr_db == -math.inf


def test_half_the_error_is_six_decibels():
    w = np.ones(8, np.float32)
    assert tk.error(w, w + 0.125).snr_db - tk.error(w, w + 0.25).snr_db == pytest.approx(6.02, abs=0.01)


def test_error_does_not_overflow_float16():
    w = np.full(1000, 60000, np.float16)
    assert tk.error(w, -w).max_abs == 120000


def test_error_needs_the_same_shape():
    with pytest.raises(ValueError, match=r"\(2,\).*\(2, 1\)"):
        tk.error([1.0, 2.0], [[1.0], [2.0]])


@given(weights())
def test_weights_of_every_layout_are_read_in_row_major_order(w):
    before = w.copy()
    checked = check_weights(w)
    assert checked.flags.c_contiguous and checked.dtype.isnative
    assert checked.dtype == (np.float16 if w.dtype.type is np.float16 else np.float32)
    np.testing.assert_array_equal(checked, w.astype(checked.dtype))
    np.testing.assert_array_equal(w, before)


@pytest.mark.parametrize(
    "bad, kind, message",
    [
        ([1.0, np.nan, np.inf], ValueError, r"finite, got nan at \(1,\) \(2 of 3"),
        (np.float16([[1, 2], [-np.inf, 0]]), ValueError, r"finite, got -inf at \(1, 0\)"),
        ([], ValueError, r"at least one weight, got an array of shape \(0,\)"),
        (np.zeros((3, 0)), ValueError, r"shape \(3, 0\)"),
        (1.5, ValueError, "got a single number"),
        (np.float16(2), ValueError, "got a single number"),
        (np.zeros((1,) * 6), ValueError, "1 to 5 dimensions, as in Core ML, got 6"),
        (np.arange(3), TypeError, r"got int(64|32). Convert them first: np.float32\(weights\)"),
        ([True, False], TypeError, "got bool"),
        (np.zeros(3, complex), TypeError, "got complex128"),
        (["a", "b"], TypeError, "must be float16, float32 or float64"),
        (None, TypeError, "got object"),
        ([[1.0, 2.0], [3.0]], ValueError, "rows of the same length"),
        ([1e300], ValueError, "fit into float32, got one of size 1e\\+300"),
    ],
)
def test_bad_weights_are_named(bad, kind, message):
    with pytest.raises(kind, match=message):
        check_weights(bad)


def test_torch_tensors_are_weights_where_torch_is_installed():
    torch = pytest.importorskip("torch")
    w = torch.linspace(-1, 1, 6, requires_grad=True).reshape(2, 3).T
    np.testing.assert_array_equal(check_weights(w), w.detach().numpy())
    assert check_weights(w.detach().half()).dtype == np.float16
    assert check_weights(w.bfloat16()).dtype == np.float32
    with pytest.raises(TypeError, match="got int64"):
        check_weights(torch.arange(3))
    with pytest.raises(
        TypeError, match="weights must be a dense tensor of numbers; NumPy cannot read this one"
    ):
        check_weights(w.detach().to_sparse())


@pytest.mark.parametrize("value", [0, 1, 0.25, np.float32(0.5)])
def test_fractions(value):
    assert check_fraction("sparsity", value) == value


@pytest.mark.parametrize(
    "value, kind, message",
    [
        (-0.1, ValueError, "sparsity must be between 0 and 1, the share to zero; got -0.1.$"),
        (1.2, ValueError, "got 1.2.$"),
        (50, ValueError, r"got 50. For 50 %, pass 0.5.$"),
        (float("nan"), ValueError, "got nan"),
        ("50%", TypeError, r"got '50%'. For 50 %, pass 0.5."),
        (None, TypeError, "got None"),
        (True, TypeError, "got True"),
        ([0.5], TypeError, r"got \[0.5\]"),
    ],
)
def test_bad_fractions(value, kind, message):
    with pytest.raises(kind, match=message):
        check_fraction("sparsity", value, "the share to zero")


def test_choices_and_whole_numbers():
    assert check_choice("mode", "affine", ("affine", "symmetric")) == "affine"
    with pytest.raises(ValueError, match="mode must be one of 'affine', 'symmetric'; got 'linear'"):
        check_choice("mode", "linear", ("affine", "symmetric"))
    assert check_int("bits", np.int8(4), (1, 2, 4)) == 4
    with pytest.raises(ValueError, match="bits must be one of 1, 2, 4; got 3"):
        check_int("bits", 3, (1, 2, 4))
    with pytest.raises(ValueError, match="bits must be a whole number from 1 to 8; got 9"):
        check_int("bits", 9, range(1, 9))
    for wrong in (4.0, "4", None, True):
        with pytest.raises(TypeError, match="bits must be a whole number from 1 to 8, got"):
            check_int("bits", wrong, range(1, 9))


def test_a_missing_package_is_named_with_the_version_that_toykit_wants(monkeypatch):
    monkeypatch.setitem(sys.modules, "toykit_needs_this", None)
    with pytest.raises(ImportError, match="^the sky needs it to be blue: pip install 'toykit_needs_this'$"):
        _optional.require("toykit_needs_this", "the sky needs it to be blue")
    assert _optional._requirement("torch").startswith("torch==")
    assert _optional._requirement("scikit-learn").startswith("scikit-learn>=")
    missing = mock.Mock(side_effect=metadata.PackageNotFoundError)
    monkeypatch.setattr(metadata, "requires", missing)  # as in a folder that was never installed
    assert _optional._requirement("torch") == "torch"


def test_a_package_that_breaks_in_its_own_import_speaks_for_itself(tmp_path, monkeypatch):
    (tmp_path / "breaks_inside.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_nobody_has"):
        _optional.require("breaks_inside", "toykit needs it")


@pytest.mark.parametrize(
    "check, kind, message",
    [
        (lambda: check_number("x", "1"), TypeError, "x must be a number; got '1'"),
        (lambda: check_number("x", math.nan), ValueError, "x must be a number; got nan"),
        (lambda: check_number("x", 10**400, most=1), ValueError, "x must be a number of at most 1; got 1000"),
        (lambda: check_number("x", 0, above=0), ValueError, "x must be a number above 0; got 0"),
        (lambda: check_number("x", 5, 0, 1), ValueError, "x must be a number from 0 to 1; got 5"),
        (lambda: check_number("x", np.ma.masked), TypeError, "x must be a number"),
        (lambda: check_number("x", [1]), TypeError, r"x must be a number; got \[1\]"),
        (lambda: check_number("x", np.ones(1)), TypeError, r"x must be a number; got array\(\[1.\]\)"),
        (lambda: check_number("x", -(10**400)), ValueError, "x must be a number; got -1000"),
        (lambda: check_flag("x", 1), TypeError, "x must be True or False; got 1"),
        (lambda: check_flag("x", "no"), TypeError, "x must be True or False; got 'no'"),
        (lambda: check_array("x", [1.0, np.inf]), ValueError, r"x must be finite, got inf at \(1,\)"),
        (lambda: check_array("x", ["a"]), TypeError, "x must be an array of real numbers, got <U1"),
        (
            lambda: check_array("x", [1.5], "iu"),
            TypeError,
            "x must be an array of whole numbers, got float64",
        ),
        (lambda: check_array("x", [[1], [2]], shape=("n", 3)), ValueError, r"shape \(n, 3\), got \(2, 1\)"),
        (lambda: check_array("x", []), ValueError, "x must hold at least one number"),
        (lambda: check_array("x", [1e300], dtype=np.float32), ValueError, "x must fit into float32"),
        (lambda: check_weights(np.ma.array([1.0, 2.0], mask=[0, 1])), TypeError, "without a mask"),
        (lambda: check_weights([np.ma.array([1.0, 2.0], mask=[0, 1])]), TypeError, "without a mask"),
        (lambda: check_each("x", "ab", str, "texts"), TypeError, "x must be a sequence of texts; got 'ab'"),
        (lambda: check_each("x", 3, str, "texts"), TypeError, "x must be a sequence of texts; got 3"),
        (lambda: check_each("x", np.array(3), str, "texts"), TypeError, "x must be a sequence of texts"),
        (lambda: check_names("x", ["a", 1]), TypeError, "x must be a sequence of texts; it holds 1"),
        (lambda: check_path("x", 3), TypeError, "x must be a path; got 3"),
        (lambda: check_shape("x", (2, -1)), ValueError, "a length in x must be a whole number from 1"),
        (lambda: check_shape("x", (2,) * 6), ValueError, "x must be a tuple of 1 to 5 whole numbers; got"),
        (
            lambda: check_each("x", [], str, "texts", empty=False),
            ValueError,
            "x must hold at least one of its",
        ),
        (
            lambda: check_array("x", Stubborn()),
            TypeError,
            "x must be an array of numbers; got .*: not for you",
        ),
        (
            lambda: check_int("x", 10**5000, range(9)),
            ValueError,
            "x must be .* from 0 to 8; got a value of type int",
        ),
    ],
)
def test_checks_say_the_name_the_value_and_what_is_allowed(check, kind, message):
    with pytest.raises(kind, match=message):
        check()


def test_checks_take_what_numpy_and_torch_have_for_a_number():
    torch = pytest.importorskip("torch")
    assert (
        check_number("x", np.float16(0.5)) == check_number("x", torch.tensor(0.5, requires_grad=True)) == 0.5
    )
    assert check_int("x", torch.tensor(3), range(9)) == check_int("x", np.uint8(3), range(9)) == 3
    assert check_flag("x", np.bool_(True)) is True
    assert check_array("x", torch.ones(2, requires_grad=True), dtype=np.float64).tolist() == [1.0, 1.0]
    assert check_weights(np.ma.array([1.0, 2.0])).tolist() == [1.0, 2.0]  # nothing is masked, nothing is lost
    for check in (check_number, lambda name, x: check_int(name, x, range(9)), check_array):
        with pytest.raises(TypeError, match="x must"):
            check("x", torch.ones((), device="meta"))


def test_values_are_quoted_on_one_short_line():
    assert shown("a\nb") == r"'a\nb'" and shown(np.zeros((3, 3))) == "an array of float64 and shape (3, 3)"
    assert len(shown("a" * 9999)) < 120 and "\n" not in shown(np.zeros((2, 2)))
