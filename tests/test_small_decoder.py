"""The decoder is torch's own transformer with these weights, and with its cache it answers the same."""

import numpy as np
import pytest

import toykit as tk

torch = pytest.importorskip("torch")

from toykit.models.small_decoder import CachedDecoder, Decoder, decoder

TEXT = torch.randint(0, 45, (3, 24), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    return decoder(45, seed=1).eval().requires_grad_(False)


def test_it_is_torchs_transformer_with_these_weights(model):
    width, heads = 64, 4
    theirs = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0, "gelu", batch_first=True, norm_first=True
        ),
        2,
        norm=model.norm,
        enable_nested_tensor=False,
    ).eval()
    state = {f"norm.{name}": value for name, value in model.norm.state_dict().items()}
    for number, layer in enumerate(model.layers):
        here = f"layers.{number}."
        for kind in ("weight", "bias"):
            parts = [getattr(part, kind) for part in (layer.query, layer.key, layer.value)]
            state[f"{here}self_attn.in_proj_{kind}"] = torch.cat(parts)
            for name, module in {
                "self_attn.out_proj": layer.output,
                "norm1": layer.before,
                "norm2": layer.after,
                "linear1": layer.up,
                "linear2": layer.down,
            }.items():
                state[f"{here}{name}.{kind}"] = getattr(module, kind)
    theirs.load_state_dict(state)
    x = model.token_embedding(TEXT) + model.place_embedding.weight[: TEXT.shape[1]]
    later = torch.nn.Transformer.generate_square_subsequent_mask(TEXT.shape[1])
    expected = theirs(x, mask=later, is_causal=True) @ model.token_embedding.weight.T
    torch.testing.assert_close(model(TEXT), expected, atol=1e-5, rtol=0)


def test_what_comes_later_changes_nothing_before(model):
    other = TEXT.clone()
    other[:, 10:] = (other[:, 10:] + 1) % 45
    changed = (model(other) - model(TEXT)).abs().amax(dim=(0, 2))
    assert (changed[:10] == 0).all() and (changed[10:] > 0).all()


@pytest.mark.parametrize("helpings", [[1] * 24, [24], [11] + [1] * 13, [5, 7, 12]])
def test_with_a_cache_it_answers_as_without_and_a_text_begins_anew(model, helpings):
    cached = CachedDecoder(model)
    for text in TEXT:
        place, found = 0, []
        for count in helpings:
            new = text[None, place : place + count]
            found.append(cached(new, torch.tensor([place])))
            place += count
        torch.testing.assert_close(torch.cat(found, dim=1)[0], model(text[None])[0], atol=1e-5, rtol=0)
    assert cached.keys.shape == cached.values.shape == (2, 4, 128, 16)
    assert (cached.keys[:, :, 24:] == 0).all() and (cached.keys[:, :, :24] != 0).any(dim=-1).all()


def test_as_a_stateful_package_it_answers_as_torch_without_a_cache(model):
    ct = pytest.importorskip("coremltools")
    cached = CachedDecoder(model)
    states = [
        ct.StateType(ct.TensorType(shape=tuple(cached.keys.shape), dtype=np.float16), name=name)
        for name in ("keys", "values")
    ]
    example = torch.zeros(1, 1, dtype=torch.int32), torch.zeros(1, dtype=torch.int32)
    package = tk.coreml.load(tk.coreml.convert(cached, example, "iOS18", states=states))
    assert {name: kind.shape for name, kind in package.states.items()} == dict.fromkeys(
        ("keys", "values"), (2, 4, 128, 16)
    )
    for text in TEXT[:2]:
        state = package.make_state()
        steps = [
            package.predict({"tokens": np.int32([[token]]), "place": np.int32([place])}, state)
            for place, token in enumerate(text.tolist())
        ]
        found = np.concatenate([next(iter(step.values())) for step in steps], axis=1)
        expected = model(text[None]).numpy()
        assert np.linalg.norm(found - expected) < 0.005 * np.linalg.norm(expected)  # weights are float16


def test_weights_come_from_the_seed_and_the_random_state_stays():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first, again, other = (decoder(45, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.token_embedding.weight, other.token_embedding.weight)


def test_bad_sizes_are_said():
    with pytest.raises(ValueError, match="heads must divide width; got 5 heads and a width of 64"):
        Decoder(45, heads=5)
    with pytest.raises(TypeError, match="decoder must be a Decoder"):
        CachedDecoder(torch.nn.Linear(2, 2))
