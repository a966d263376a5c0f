"""Just-in-time products against the fastest dense float32 product, one thread, in one run.

    python -m pytest tests/benchmarks/test_speed_kernels.py -s

prints, for a matrix in the cache and for one that is larger than it, how many times faster than the
dense product each form is, and the speed at which it read memory, beside the speed at which this
computer can. Nothing is asserted about time; that products are right is asserted in
tests/test_kernels.py.
"""

import numpy as np
import pytest

import toykit as tk
from toykit.latency.measuring import short_of_memory

pytest.importorskip("numba")

FORMS = ("float16", "int8", "int4", "table 4", "table 2", "table 1", "90 % sparse", "50 % sparse")


@pytest.mark.parametrize("side", (1024, 4096, "beyond the cache"))
def test_just_in_time_against_dense(side, benchmark):
    torch = pytest.importorskip("torch")
    n = tk.latency.size_beyond_cache() if isinstance(side, str) else side
    if short_of_memory(8 * n * n) is not None:
        pytest.skip(f"{8 * n * n / 1e9:.1f} GB are not free")
    rng = np.random.default_rng(0)
    x, dense = rng.standard_normal(n, np.float32), rng.standard_normal((n, n), np.float32)
    dense_torch, x_torch = torch.from_numpy(dense), torch.from_numpy(x)
    rivals = {
        "numpy": lambda: dense @ x,
        "torch": lambda: dense_torch @ x_torch,
        "numba": lambda: tk.kernels.dense_product(dense, x),
    }
    kernels = {form: tk.kernels.JustInTime(tk.kernels.random_weights(form, (n, n))) for form in FORMS}
    kernels["int8-int8"] = tk.kernels.Int8Int8(tk.kernels.random_weights("int8", (n, n)))
    calls = rivals | {form: lambda kernel=kernel: kernel(x) for form, kernel in kernels.items()}
    found = benchmark.pedantic(tk.latency.measure, (calls, 7 if n > 4096 else 25), rounds=1)
    best = min(found[name].median for name in rivals)
    fastest = min(rivals, key=lambda name: found[name].median)
    print(
        f"\n{tk.latency.machine()}, reads {tk.latency.bandwidth() / 1e9:.1f} GB/s\n"
        f"{n} x {n}: dense float32 {1e3 * best:.3g} ms ({fastest}), "
        f"{dense.nbytes / best / 1e9:.1f} GB/s"
    )
    for form, kernel in kernels.items():
        benchmark.extra_info[form] = best / found[form].median
        seconds = found[form].median
        print(
            f"  {form:12} {best / seconds:5.2f}x, of {dense.nbytes / kernel.nbytes:4.1f}x fewer bytes; "
            f"{kernel.nbytes / seconds / 1e9:5.1f} GB/s, spread {100 * found[form].spread:.0f} %"
        )


@pytest.mark.parametrize("form", FORMS)
def test_batches(form, benchmark):
    rng = np.random.default_rng(0)
    n = 4096
    just_in_time = tk.kernels.JustInTime(tk.kernels.random_weights(form, (n, n)))
    dense = rng.standard_normal((n, n), np.float32)
    calls = {}
    for batch in (4, 16, 64, 256):
        x = rng.standard_normal((n, batch), np.float32)
        calls |= {f"dense {batch}": lambda x=x: dense @ x, f"jit {batch}": lambda x=x: just_in_time(x)}
    found = benchmark.pedantic(tk.latency.measure, (calls, 5), rounds=1)
    for batch in (4, 16, 64, 256):
        benchmark.extra_info[batch] = found[f"dense {batch}"].median / found[f"jit {batch}"].median
    ratios = "  ".join(f"batch {batch}: {ratio:.2f}x" for batch, ratio in benchmark.extra_info.items())
    print(f"\n{form:12} {ratios}")
