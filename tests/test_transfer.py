"""What the checkers of transfer tasks take for right is what toykit's tools say of the same weights."""

import numpy as np
import pytest

import toykit as tk
from toykit.exercises import check, post_training, reading, strategy
from toykit.exercises.packages import write_linear


@pytest.mark.parametrize("size", [8, 24, 47])
def test_bytes_in_blocks_are_those_of_quantize(size):
    shapes = np.array([[47, 47], [64, 96], [32, 64]])
    rng = np.random.default_rng(0)
    nbytes = 0
    for rows, inputs in shapes:
        weights = rng.normal(size=(rows, inputs)).astype(np.float16)
        blocks = {"bits": 4, "granularity": "per_block", "block_size": size}
        fits = weights.size > 2048 and inputs % size == 0
        nbytes += tk.quantize(weights, **blocks).nbytes if fits else weights.nbytes
    assert reading._in_blocks(shapes, size) == nbytes


def test_the_arithmetic_of_a_weight_file_is_what_the_packages_weigh():
    exercise = check.weight_bin
    for case in exercise._all_cases():
        arrays = list(post_training._arrays(*case.args))
        assert post_training._file(arrays) == exercise.reference(*case.args), case.about


def test_the_package_of_a_colleague_is_spoilt_where_verify_says_so(tmp_path):
    rng = np.random.default_rng(1)
    trained = rng.uniform(-0.5, 0.5, (3, 4, 6)).astype(np.float16)
    original = tk.coreml.Package(write_linear(tmp_path / "trained.mlpackage", trained))
    whole = tk.coreml.compress(original, "palettize", bits=2, weight_threshold=0)
    assert tk.verify(whole, original, run=False).ok
    path = tk.coreml.save(whole, tmp_path / "spoilt.mlpackage")
    (file,) = whole.weight_files.values()
    strategy._spoil(path / file.path.relative_to(whole.path), whole.weight_blobs, np.random.default_rng(1))
    assert not tk.verify(path, original, run=False).ok


def test_some_packages_are_whole_and_each_layer_is_spoilt_in_some():
    found = {strategy._misplaced_layer(*case.args) for case in check.misplaced_layer._all_cases()}
    assert found == {-1, 0, 1, 2}
