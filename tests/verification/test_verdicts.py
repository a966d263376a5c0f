"""`tk.verify`: packages that are right are verified, and nothing else is."""

import json
import shutil

import numpy as np
import pytest

import toykit as tk
from tests import handmade
from tests.strategies import trained
from toykit.coreml.format import protobuf
from toykit.coreml.format.package import PackageError
from toykit.verification import promises

from . import nets

FEW = {"samples": 1}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return nets.write(tmp_path_factory.mktemp("source") / "net.mlpackage")


@pytest.fixture(scope="module")
def written(source, tmp_path_factory):
    """The compressed package of a form, made once."""
    folder, made = tmp_path_factory.mktemp("small"), {}

    def find(form):
        if form not in made:
            made[form] = nets.compress(source, form, folder / f"{len(made)}.mlpackage")
        return made[form]

    return find


@pytest.mark.parametrize("form", nets.FORMS)
def test_what_toykit_writes_is_verified(form, source, written):
    found = tk.verify(written(form), source, **FEW)
    assert found.ok, found
    assert {one.status for one in found.weights} == {"exact"}
    assert len(found.weights) >= 2 and found.with_originals is None
    assert tk.verify(written(form), source, tables="given", run=False).ok


def test_a_package_is_verified_against_itself(source):
    found = tk.verify(source, source, **FEW)
    assert found.ok and not found.weights and all(one.identical for one in found.answers.outputs)


def test_what_was_found_in_words_and_as_data(source, written):
    found = tk.verify(written("palettes of groups"), source, **FEW)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80 and lines[-1].endswith("is verified against net.mlpackage")
    data = json.loads(json.dumps(found.as_data()))
    assert data["ok"] and [one["status"] for one in data["weights"]] == ["exact"] * 4
    assert "<table>" in found._repr_html_()


class TestDamage:
    """One change each, in a package that was right."""

    @pytest.fixture
    def small(self, written, tmp_path):
        return nets.copy(written("int8"), tmp_path / "small.mlpackage")

    def refused(self, small, source, said, **options):
        found = tk.verify(small, source, **FEW | options)
        assert not found.ok
        assert any(said in problem for problem in found.problems), found.problems
        return found

    def test_a_code(self, small, source):
        nets.flip(small, "w0_quantized", "data", 5, by=4)
        found = self.refused(small, source, "w0: 1 of 6,144 numbers are more than half a step away")
        assert [one.status for one in found.weights] == ["wrong", "exact", "exact", "exact"]
        self.refused(small, source, "half a step away", tables="given")

    def test_the_last_bit_of_a_scale(self, small, source):
        nets.flip(small, "w1_quantized", "scale")
        self.refused(small, source, "w1: ")

    def test_a_table(self, written, source, tmp_path):
        for number, form in enumerate(
            ["palette", "palettes of groups", "palette of vectors", "int8 palette"]
        ):
            small = nets.copy(written(form), tmp_path / f"{number}.mlpackage")
            name = "w0_palettized" + "_lut_0_quantized" * (form == "int8 palette")
            nets.flip(small, name, "data" if form == "int8 palette" else "lut")
            self.refused(small, source, "w0: ")

    def test_swapped_records(self, small, source):
        """The arrays of two weights of one shape and type, as after an edit of the file by hand."""
        nets.swap(small, "w1_quantized", "w3_quantized")
        found = self.refused(small, source, "w1: ")
        assert [one.status for one in found.weights] == ["exact", "wrong", "exact", "wrong"]

    def test_a_file_that_was_cut(self, small, source):
        path = small / nets.WEIGHTS
        path.write_bytes(path.read_bytes()[:-9])
        self.refused(small, source, "reach past the end of the file")

    def test_a_count_of_records(self, small, source):
        nets.set_byte(small, 0, 1)
        self.refused(small, source, "none of the records of the weight file")

    def test_a_weight_that_was_not_compressed(self, small, source):
        nets.flip(small, "w4", byte=1, by=7)
        self.refused(small, source, "w4 of linear y4: 1 of 320 numbers are not what they were")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (b"valid", b"same_", "pad_type"),
            (b"dilations", b"dilatiozz", "dilatio"),
            (b"linear", b"lineax", "cannot be run"),
        ],
    )
    def test_a_setting(self, small, source, old, new, said):
        found = tk.verify(nets.reword(small, old, new), source, **FEW)
        assert not found.ok and said in str(found.problems)

    def test_an_input(self, small, source):
        path = small / handmade.MODEL
        model = protobuf.decode(path.read_bytes(), "Model")
        model["description"]["input"][0]["type"]["multiArrayType"]["shape"] = [3, 96]
        path.write_bytes(protobuf.encode(model, "Model"))
        self.refused(small, source, "the inputs are declared otherwise: 'x0'")

    def test_a_file_beside_the_program(self, small, source):
        (small / "Data/com.apple.CoreML/more.txt").write_text("more")
        self.refused(small, source, "the file Data/com.apple.CoreML/more.txt is new")


class TestBounds:
    def test_answers_below_a_bound(self, source, written):
        found = tk.verify(written("palettes of groups"), source, at_least=60, **FEW)
        assert not found.ok and all("is below 60 dB" in problem for problem in found.problems)
        assert tk.verify(written("int8"), source, at_least=20, **FEW).ok

    def test_inputs_of_ones_own(self, source, written, tmp_path):
        layers = [("linear", trained((64, 96))), ("conv", trained((48, 32, 3, 3)))]
        layers += [("gather", trained((128, 32))), ("conv_transpose", trained((32, 48, 3, 3)))]
        given = handmade.examples([*layers, ("linear", trained((16, 20)))])
        np.savez(tmp_path / "mine.npz", **given)
        found = tk.verify(written("int8"), source, tmp_path / "mine.npz")
        assert found.ok and found.answers.inputs == ("inputs: 1 of your own",)
        with pytest.raises(FileNotFoundError, match="there is no file"):
            tk.verify(written("int8"), source, tmp_path / "nothing.npz")

    def test_weights_left_out(self, source, tmp_path):
        plan = {"w0": {"technique": "palettize", "bits": 4, "group_size": 16}}
        small = tk.coreml.compress(source, plan)
        found = tk.verify(small, source, **FEW)
        assert found.ok and len(found.notes) == 3
        assert "w1 is not compressed: it could be compressed as the others are" in found.notes[0]
        assert not tk.verify(small, source, all_weights=True, **FEW).ok


class TestTables:
    """Tables and scales that the weights themselves do not ask for."""

    def made(self, compressed, weights):
        return promises.judge(weights, compressed), promises.judge(weights, compressed, "given")

    def test_a_table_of_ones_own(self):
        weights = trained((64, 400))
        table = np.linspace(-0.3, 0.3, 16, dtype=np.float16)
        derived, given = self.made(tk.palettize(weights, lut=table), weights)
        assert derived.status == "wrong" and "--given-tables" in derived.problem
        assert given.status == "given" and not given.problem

    def test_scales_of_ones_own(self):
        weights = trained((64, 400))
        derived, given = self.made(tk.quantize(np.clip(weights, -0.15, 0.15)), weights)
        assert (derived.status, given.status) == ("wrong", "given")

    def test_a_table_that_chance_found(self):
        """As scikit-learn's, which stops early: its means are near, and toykit's are nearer."""
        weights = trained((32, 40))
        table = np.float16(tk.palettize(weights[:16], bits=4).lut.ravel())
        assert promises.judge(weights, tk.palettize(weights, lut=table)).status == "near"

    @pytest.mark.parametrize(
        ("counts", "table", "status"),
        [
            # 1,024 and 1,026 share an entry, or 1,500 and 1,501 do: the squared error is 2,400 either way,
            # before the mean of the second pair, 1,500.67, is rounded.
            ((1200, 1200, 3600, 7200), (1025, 1500, 1501, 2000), "exact"),
            ((1200, 1200, 3600, 7200), (1024, 1026, 1501, 2000), "exact"),
            ((1200, 1200, 3600, 7200), (1024, 1026, 1500, 2000), "wrong"),  # not the mean
            ((1201, 1200, 3600, 7200), (1025, 1500, 1501, 2000), "wrong"),  # no tie any more
            ((1201, 1200, 3600, 7200), (1024, 1026, 1501, 2000), "exact"),
        ],
    )
    def test_two_best_tables(self, counts, table, status):
        weights = np.repeat(np.float16([1024, 1026, 1500, 1501, 2000]), [*counts, 10])
        assert promises.judge(weights, tk.palettize(weights, lut=np.float16(table))).status == status

    def test_two_best_tables_in_one_of_two_groups(self):
        levels = np.repeat(np.float16([1024, 1026, 1500, 1501, 2000]), [1200, 1200, 3600, 7200, 10])
        weights = np.stack([levels, levels + 48])
        palette = tk.palettize(weights, bits=2, group_size=1)
        for table in ((1025, 1500, 1501, 2000), (1024, 1026, 1501, 2000)):
            first = tk.palettize(weights[:1], lut=np.float16(table))
            lut = np.concatenate([first.lut, palette.lut[1:]])
            codes = np.concatenate([first.codes, palette.codes[1:]])
            mixed = tk.Palettized(tk.bits.pack(codes, 2), lut, palette.shape, 2)
            assert promises.judge(weights, mixed).status == "exact"

    def test_a_code_that_is_not_nearest(self):
        weights = trained((64, 400))
        palette = tk.palettize(weights, bits=4)
        codes = palette.codes.copy()
        codes[3, 5] ^= 1
        changed = tk.Palettized(tk.bits.pack(codes, 4), palette.lut, palette.shape, 4)
        for judgement in self.made(changed, weights):
            assert judgement.status == "wrong" and judgement.problem.startswith("1 of 25,600 weights")

    def test_the_wrong_weights_dropped(self):
        weights = trained((64, 400))
        kept = np.abs(weights) > np.median(np.abs(weights))
        largest = np.unravel_index(np.abs(weights).argmax(), weights.shape)
        kept[largest] = False
        sparse = tk.Sparse(weights[kept], np.packbits(kept, bitorder="little"), weights.shape)
        judgement = promises.judge(weights, sparse)
        assert judgement.problem.startswith("1 of 25,600 numbers were dropped that are larger")

    def test_a_kept_weight_that_changed(self):
        weights = trained((64, 400))
        sparse = tk.prune(weights, sparsity=0.5)
        values = sparse.values.copy()
        values[7] *= 2
        assert (
            "were kept, and changed"
            in promises.judge(weights, tk.Sparse(values, sparse.mask, sparse.shape)).problem
        )


class TestBadInput:
    def test_no_package(self, source, tmp_path):
        for pair in ((source, tmp_path / "none"), (tmp_path / "none", source)):
            with pytest.raises(FileNotFoundError, match="no package"):
                tk.verify(*pair)

    def test_an_original_that_is_not_sound(self, source, tmp_path):
        broken = nets.copy(source, tmp_path / "broken.mlpackage")
        (broken / nets.WEIGHTS).write_bytes(b"short")
        with pytest.raises(PackageError):
            tk.verify(source, broken)
        found = tk.verify(broken, source)
        assert not found.ok and "broken.mlpackage" in found.problems[0]

    def test_another_network(self, source, tmp_path):
        other = handmade.write(tmp_path / "other.mlpackage", [("linear", trained((64, 96)))])
        found = tk.verify(other, source)
        assert not found.ok and any("the inputs are declared otherwise" in one for one in found.problems)

    def test_arguments(self, source):
        with pytest.raises(ValueError, match="tables must be one of 'derived', 'given'; got 'mine'"):
            tk.verify(source, source, tables="mine")
        with pytest.raises(TypeError, match="at_least must be a number"):
            tk.verify(source, source, at_least="30")
        with pytest.raises(TypeError, match="package must be the path"):
            tk.verify(source, 3)

    def test_a_package_that_goes_while_it_is_looked_at(self, source, written, tmp_path):
        small = nets.copy(written("int8"), tmp_path / "gone.mlpackage")
        package = tk.coreml.Package(small)
        shutil.rmtree(small)
        assert tk.verify(package, source, run=False).ok  # small files are read at once


def test_a_weight_that_stands_for_a_text_is_wrong():
    """Found by mutants: a package may have a string where the other has a weight."""
    judgement = promises.judge("a text", tk.prune(np.float32([[1, -2]]), sparsity=0.5))
    assert judgement.status == "wrong" and "no array" in judgement.problem
