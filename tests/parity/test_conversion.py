"""`tk.coreml.convert`: what coremltools alone cannot convert with the torch and NumPy of today."""

import numpy as np
import pytest

import toykit as tk

torch = pytest.importorskip("torch")
ct = pytest.importorskip("coremltools")
nn = torch.nn


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Heads(nn.Module):
    """A shape that is computed from another one."""

    def forward(self, x):
        return x.view(x.shape[0], x.shape[1], 4, x.shape[2] // 4).transpose(1, 2)


MODELS = {
    "encoder layer": lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True),
    "encoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2),
    "attention": Attention,
    "heads": Heads,
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("target", ["iOS16", "iOS18"])
def test_attention_and_computed_shapes_convert_and_run(name, target):
    torch.manual_seed(0)
    model, x = MODELS[name]().eval(), torch.randn(1, 10, 32)
    package = tk.coreml.convert(model, x, target=target, precision="float32")
    with torch.no_grad():
        wanted = model(x).numpy()
    (given,) = tk.coreml.load(package).inputs
    (answer,) = tk.coreml.run(package, {given: x.numpy()}).values()
    np.testing.assert_allclose(answer, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_nothing_stays_changed():
    from coremltools.converters.mil.frontend.torch import ops
    from coremltools.converters.mil.mil.passes import pass_pipeline

    before = ops._cast, ops._tqdm, pass_pipeline.tqdm, torch.backends.mha.get_fastpath_enabled()
    tk.coreml.convert(Heads(), torch.zeros(1, 10, 32), progress=lambda done, total: None)

    class Unknown(nn.Module):
        def forward(self, x):
            return torch.linalg.lstsq(x[0], x[0]).solution

    with pytest.raises(NotImplementedError):
        tk.coreml.convert(Unknown(), torch.zeros(1, 10, 32), progress=lambda done, total: None)
    assert before == (ops._cast, ops._tqdm, pass_pipeline.tqdm, torch.backends.mha.get_fastpath_enabled())


def test_progress_counts_each_stage_to_its_end_and_can_print(capsys):
    seen = []

    def progress(done, total):
        seen.append((done, total))
        print("so far", done)

    tk.coreml.convert(nn.Linear(8, 8), torch.zeros(1, 8), progress=progress)
    assert sum(done == total for done, total in seen) >= 2
    assert all(1 <= done <= total for done, total in seen)
    assert "so far 1" in capsys.readouterr().out
