"""Corrections of a model: read, bounded, part of the model's id; those that come with nzip are as they were made."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.lm.network import corrections, weights
from nzip.models.lm.network.config import LlamaConfig

SHIPPED = {"142a6cec2fb4c426": "9cda24af794b44d318519ed8bc86f6fd263cfb0c658e7de9908e102159cae898"}
CONFIG = LlamaConfig(
    vocab=64, layers=2, width=32, heads=2, kv_heads=1, head_dim=16, ffn=48, rope_theta=1e4, rms_eps=1e-5,
    max_context=64, tied=True, bos=0,
)  # fmt: skip


def tensors() -> dict[str, np.ndarray]:
    source = np.random.default_rng(5)
    out = {
        "model.norm.weight": source.uniform(0.5, 1.5, CONFIG.width),
        "model.embed_tokens.weight": source.normal(0, 0.1, (CONFIG.vocab, CONFIG.width)),
    }
    for layer in range(CONFIG.layers):
        for name in ("input_layernorm", "post_attention_layernorm"):
            out[f"model.layers.{layer}.{name}.weight"] = source.uniform(0.5, 1.5, CONFIG.width)
        for parts in weights.parts_of_layer(CONFIG, layer).values():
            for name, n, k in parts:
                out[name] = source.normal(0, 0.1, (n, k))
    return {name: array.astype(np.float32) for name, array in out.items()}


def ones(plain: weights.LmWeights) -> dict[str, np.ndarray]:
    return {name: np.ones(getattr(plain, name).shape, np.float32) for name in corrections.NAMES}


def test_factors_are_applied_in_order() -> None:
    plain = weights.build(CONFIG, tensors())
    factors = {}
    for place, name in enumerate(corrections.NAMES):
        factors[name] = np.full(getattr(plain, name).shape, 1 + (place + 1) / 256, np.float32)
    factors["qkv_scale"].reshape(-1)[-1] = 1 - 100 / 256
    made = corrections.unpacked(plain, corrections.pack(factors, {})).multiplied(plain)
    for name, factor in factors.items():
        assert getattr(made, name).dtype == np.float32
        assert np.array_equal(getattr(made, name), getattr(plain, name) * factor)
    others = {name: kind for name, kind, _ in weights.layout(CONFIG) if name not in factors}
    assert {name for name, kind in others.items() if kind != "|i1"} <= {"embedding_scale", "head_scale"}
    assert all(getattr(made, name) is getattr(plain, name) for name in others)
    assert made.model_id() != plain.model_id()
    none = corrections.unpacked(plain, corrections.pack(ones(plain), {})).multiplied(plain)
    assert none.model_id() == plain.model_id()
    assert corrections.read(plain.model_id()) is None


def test_products_are_added_exactly() -> None:
    source = np.random.default_rng(6)
    given = tensors()
    plain = weights.build(CONFIG, given)
    products, wanted = {}, {}
    for name in corrections.MATRICES:
        layers, n, k = getattr(plain, name).shape
        b, a = source.normal(0, 0.1, (layers, n, 3)), source.normal(0, 0.2, (layers, 3, k))
        products[name] = b, a
        wanted[name] = b @ a
    found = corrections.unpacked(plain, corrections.pack(ones(plain), products))
    for name in corrections.MATRICES:
        for layer in range(CONFIG.layers):
            off = found.products[name].of(layer) - wanted[name][layer]
            assert np.sqrt(np.mean(off**2)) < 0.03 * np.sqrt(np.mean(wanted[name][layer] ** 2))
    added = found.added(plain, given)
    assert set(added) == set(given)
    changed = set()
    for layer in range(CONFIG.layers):
        for matrix, parts in weights.parts_of_layer(CONFIG, layer).items():
            product = found.products[matrix]
            row = 0
            for name, n, k in parts:
                # By hand: integers, one product, one sum, rounded to float32.
                total = np.zeros((n, k), np.int64)
                for r in range(3):
                    total += product.b[layer][row : row + n, r, None].astype(np.int64) * product.a[layer][r].astype(int)
                expected = given[name].astype(np.float64) + float(product.units[layer]) * total
                assert np.array_equal(added[name], expected.astype(np.float32))
                assert added[name].dtype == np.float32
                row += n
                changed.add(name)
    assert len(changed) == 7 * CONFIG.layers
    for name in set(given) - changed:
        assert added[name] is given[name]
    assert weights.build(CONFIG, added).model_id() != plain.model_id()


@pytest.mark.parametrize("rank", [0, 2])
def test_corrections_that_do_not_fit_are_damaged(rank: int) -> None:
    import zstandard

    plain = weights.build(CONFIG, tensors())
    source = np.random.default_rng(7)
    products = {}
    for name in corrections.MATRICES if rank else ():
        layers, n, k = getattr(plain, name).shape
        products[name] = source.normal(0, 1, (layers, n, rank)), source.normal(0, 1, (layers, rank, k))
    packed = corrections.pack(ones(plain), products)
    content = zstandard.ZstdDecompressor().decompress(packed)
    again = zstandard.ZstdCompressor().compress
    wrongs = [b"", packed[:-1], packed[:4], *map(again, (b"", content[:-1], content + b"\0", b"\x40" + content[1:]))]
    if rank:
        place = 1 + sum(getattr(plain, name).size for name in corrections.NAMES)
        wrongs.append(again(content[:place] + np.array(np.nan, "<f4").tobytes() + content[place + 4 :]))
    for wrong in wrongs:
        with pytest.raises(CorruptError):
            corrections.unpacked(plain, wrong)
    other = replace(plain, final_gain=np.ones(CONFIG.width + 16, np.float32))
    with pytest.raises(CorruptError):
        corrections.unpacked(other, packed)


def test_what_comes_with_nzip_is_pinned() -> None:
    folder = Path(corrections.__file__).parents[2] / "weights" / "lm"
    found = {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.zst")}
    assert found == SHIPPED
    shipped = sum(f.stat().st_size for f in folder.glob("*.zst"))
    assert corrections.model_bytes([None, *corrections.SOURCES.values()]) == shipped
    assert corrections.model_bytes([None, "0" * 64]) == 0
    assert set(corrections.SOURCES) == set(found)
    assert corrections.read("142a6cec2fb4c426" + "0" * 48) == (folder / "142a6cec2fb4c426.zst").read_bytes()


class TestFloatModel:
    """The model that learns is the model that is coded with, but for rounding."""

    def test_is_near_the_exact_one(self) -> None:
        torch = pytest.importorskip("torch")
        from nzip.models.lm.network import float_model
        from nzip.models.lm.network.reference import ReferenceModel

        torch.manual_seed(3)
        given = tensors()
        plain = weights.build(CONFIG, given)
        network = float_model.FloatModel(CONFIG, given, rank=2)
        for b, _ in network.thin.values():
            b.data += 0.3 * torch.randn(b.shape)
        for factors in network.factors.values():
            factors.data += 0.2 * torch.rand(factors.shape)
        found = corrections.unpacked(plain, network.packed())
        made = found.multiplied(weights.build(CONFIG, found.added(plain, given)))
        ids = np.random.RandomState(4).randint(0, CONFIG.vocab, 40).astype(np.int32)
        fed = np.concatenate([[CONFIG.bos], ids[:-1]]).astype(np.int32)

        def exactly(of: weights.LmWeights) -> np.ndarray:
            reference = ReferenceModel(of)
            past = reference.begin(1)
            rows = [reference.step(past, fed[i : i + 1])[0, ids[i]] for i in range(40)]
            return -np.log(np.array(rows, np.float64) / 2**24)

        costs = network.costs(torch.from_numpy(fed.astype(np.int64)), torch.from_numpy(ids.astype(np.int64)))
        real = costs.detach().numpy()
        assert np.abs(exactly(made) - real).mean() < 0.04
        assert np.abs(exactly(plain) - real).mean() > 0.15  # what was learned is no rounding
        costs.mean().backward()
        assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in network.parameters())

    def test_dequantised_is_what_was_quantised(self) -> None:
        pytest.importorskip("torch")
        from nzip.models.lm.network import float_model

        given = tensors()
        back = float_model.dequantised(weights.build(CONFIG, given))
        assert set(back) == set(given) | {"lm_head.weight"}
        for name, array in given.items():
            steps = np.abs(array).max(axis=-1, keepdims=True) / 127 if array.ndim == 2 else 0
            assert (np.abs(back[name] - array) <= 0.51 * steps).all(), name
