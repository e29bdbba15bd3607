"""`vqgan`: the seam, the prior of integers against a plain reference, lost numbers, published checkpoints."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import codecs, weights
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.priors import indices
from nzip.models.latent.vqgan import codec as vqgan

CONFIG = {"rungs": [4, 24], "groups": 2, "cells": 4, "sphere": True, "heads": 2}
SIZES = [(1, 1), (16, 16), (17, 40), (5, 61)]


def new_prior(seed, count, width=4, hidden=12, final=8):
    random = np.random.default_rng(seed)

    def small(*shape):
        return random.integers(-50, 51, shape).astype(np.int8)

    return indices.IndexPrior(
        small(count + 1, width), small(10, width, hidden), random.integers(-900, 900, hidden).astype(np.int32),
        small(hidden, final), random.integers(-900, 900, final).astype(np.int32),
        small(count, final), random.integers(-900, 900, count).astype(np.int32),
    )  # fmt: skip


def new_model(prior=True, filler=True, **changes):
    return weights.unpack(model_bytes(prior, filler, **changes), "a model")


def model_bytes(prior=True, filler=True, **changes):
    random = np.random.default_rng(1)
    tensors = vqgan.new_networks(
        random, widths=(4, 6, 8), encoder=(1, 1, 1), decoder=(1, 1, 1), latent=5, cells=CONFIG["cells"]
    )
    for size in CONFIG["rungs"]:
        tensors[f"codebook.{size}"] = random.standard_normal((size, 5)).astype(np.float16)
        if prior:
            parts = vars(new_prior(size, size))
            tensors |= {f"prior.{size}.{name}": value for name, value in parts.items()}
    if filler:
        made = vqgan.new_filler(random, width=8, layers=2, latent=5, rungs=2)
        tensors |= {f"filler.{name}": value for name, value in made.items()}
    tensors |= changes
    return weights.pack(tensors, vqgan.about(CONFIG))


@pytest.fixture(scope="module")
def codec():
    return vqgan.VqganCodec(new_model())


def picture(size, seed=3):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (3, *size)).astype(np.float32)


@pytest.mark.parametrize("prior", [True, False])
def test_the_seam(prior):
    codec = vqgan.VqganCodec(new_model(prior=prior))
    checks.check_sizes(codec, SIZES)
    checks.check_any_symbols(codec, (90, 140), {0: CONFIG["rungs"][0] - 1})
    checks.check_damage(codec, picture((100, 90)))
    checks.check_torch_agrees(codec, picture((70, 50)), 100, 1e-3)
    assert np.abs(checks.check_round_trip(codec, picture((33, 20)), 50)).max() <= 0.5


def test_more_quality_is_a_larger_codebook(codec):
    rungs = [codec.settings(quality)[0] for quality in range(1, 101)]
    assert rungs == sorted(rungs)
    assert set(rungs) == {0, 1}
    for quality in (0, 101):
        with pytest.raises(ValueError, match="quality"):
            codec.settings(quality)


def test_damage_is_found(codec):
    size, settings = (100, 90), (1,)
    symbols = codec.analyse(picture(size), settings, NumpyOps())
    data = codec.encode(symbols, settings)
    for end in range(len(data)):
        with pytest.raises(CorruptError):
            codec.decode(data[:end], size, settings)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        with pytest.raises(CorruptError):
            codec.decode(bytes(broken), size, settings)
    with pytest.raises(CorruptError):
        codec.decode(data + bytes(4), size, settings)
    for wrong in ((), (2,), (-1,), (0, 0)):
        with pytest.raises(CorruptError):
            codec.layout(size, wrong)
    with pytest.raises(CorruptError):
        codec.layout((0, 3), settings)
    with pytest.raises(CorruptError):
        codec.synthesise([np.full_like(symbols[0], 24)], size, settings, NumpyOps())
    with pytest.raises(CorruptError):
        codec.synthesise([symbols[0][1:]], size, settings, NumpyOps())


def test_models_that_do_not_fit_are_refused():
    model = new_model()
    for name in ("encoder.conv_in.kernel", "decoder.up.0.block.0.norm2.gain", "codebook.24", "filler.out.bias"):
        less = {key: value for key, value in model.tensors.items() if key != name}
        with pytest.raises(CorruptError):
            vqgan.VqganCodec(replace(model, tensors=less))
    for name in ("decoder.conv_in.kernel", "codebook.4", "filler.in.kernel", "prior.24.last", "prior.4.second"):
        wrong = {**model.tensors, name: model.tensors[name][..., 1:]}
        with pytest.raises(CorruptError):
            vqgan.VqganCodec(replace(model, tensors=wrong))
    for config in ("{}", '{"rungs": [], "groups": 1, "cells": 4, "sphere": true, "heads": 1}', "[]"):
        with pytest.raises(CorruptError):
            vqgan.VqganCodec(replace(model, about={**model.about, "config": config}))
    with pytest.raises(UnsupportedError):
        vqgan.VqganCodec(replace(model, about={**model.about, "codec": "other"}))


def naive_chances(prior, grid, y, x):
    """The frequencies of one place, by plain integers of Python."""
    count = prior.codewords
    around = []
    for up, right in indices.TAPS:
        inside = y - up >= 0 and 0 <= x + right < grid.shape[1]
        around.append(int(grid[y - up, x + right]) if inside else count)

    def layer(rows, bias, weights):
        sums = [int(b) for b in bias]
        for value, row in zip(rows, weights, strict=True):
            sums = [s + value * int(w) for s, w in zip(sums, row, strict=True)]
        return [min(max(s >> 6, 0), 127) for s in sums]

    first = prior.first.reshape(-1, prior.first.shape[2])
    hidden = layer([int(v) for number in around for v in prior.embedding[number]], prior.first_bias, first)
    hidden = layer(hidden, prior.second_bias, prior.second)
    logits = [
        (sum(h * int(w) for h, w in zip(hidden, row, strict=True)) + int(bias)) >> 5
        for row, bias in zip(prior.last, prior.last_bias, strict=True)
    ]
    best = max(logits)
    # Floating point is good enough for a check, for none of these lies next to an integer.
    shares = [math.floor(2 ** (24 - (best - v) / 64)) if best - v <= 1280 else 0 for v in logits]
    rest = (1 << 20) - count
    freqs = [share * rest // sum(shares) + 1 for share in shares]
    freqs[logits.index(best)] += (1 << 20) - sum(freqs)
    return freqs


def test_the_prior_is_what_it_says():
    prior = new_prior(7, 30)
    coder = indices.Coder(prior)
    grid = np.random.default_rng(2).integers(0, 30, (6, 7)).astype(np.int32)
    starts, freqs = coder.intervals(grid)
    rows, columns = indices.order(6, 7)
    for y, x, start, freq in zip(rows, columns, starts, freqs, strict=True):
        wanted = naive_chances(prior, grid, y, x)
        assert sum(wanted) == 1 << 20
        assert (start, freq) == (sum(wanted[: grid[y, x]]), wanted[grid[y, x]])


def test_the_code_stays_as_it_is():
    """Files are decoded for ever: numbers by a formula, and the code that they have had from the first version on."""

    def some(low, high, *shape):
        count = np.arange(math.prod(shape)).reshape(shape)
        return low + (count * 7919 + 104729) % 65537 % (high - low + 1)

    prior = indices.IndexPrior(
        some(-127, 127, 41, 6).astype(np.int8), some(-60, 60, 10, 6, 20).astype(np.int8),
        some(-999, 999, 20).astype(np.int32), some(-90, 90, 20, 16).astype(np.int8),
        some(-999, 999, 16).astype(np.int32), some(-30, 30, 40, 16).astype(np.int8),
        some(-999, 999, 40).astype(np.int32),
    )  # fmt: skip
    grid = some(0, 39, 13, 17)
    code = indices.Coder(prior).encode(grid)
    assert (len(code), hashlib.sha256(code).hexdigest()[:16]) == (216, "aa67fa11099ab3ea")
    assert (indices.Coder(prior).decode(code, grid.shape) == grid).all()


def test_every_place_hangs_on_earlier_lines_alone():
    rows, columns = indices.order(9, 5)
    lines = columns + 2 * rows
    assert (np.diff(lines) >= 0).all()
    assert all(2 * up - right > 0 for up, right in indices.TAPS)
    table = indices.chances()
    assert table[0] == 1 << 24
    assert table[64] == 1 << 23
    assert table[32] == math.isqrt(1 << 47)


def test_large_codebooks_have_room_for_every_number():
    prior = new_prior(3, 5000, width=2, hidden=3, final=2)
    coder = indices.Coder(prior)
    grid = np.random.default_rng(2).integers(0, 5000, (5, 9))
    assert (coder.decode(coder.encode(grid), grid.shape) == grid).all()


def test_priors_of_other_shapes_are_refused():
    prior = new_prior(1, 6)
    with pytest.raises(CorruptError):
        replace(prior, second=prior.second.astype(np.int16))
    with pytest.raises(CorruptError):
        replace(prior, last_bias=np.full(6, 1 << 23, np.int32))
    with pytest.raises(UnsupportedError):
        new_prior(1, 6, hidden=600)
    with pytest.raises(ValueError, match="below 6"):
        indices.Coder(prior).encode(np.full((2, 2), 6))


def test_copies_come_from_the_nearest_known_place():
    grid = np.arange(30).reshape(5, 6)
    lost = np.zeros((5, 6), bool)
    lost[1:4, 1:5] = True
    got = vqgan.copied(grid, lost)
    assert (got[~lost] == grid[~lost]).all()
    for y, x in np.argwhere(lost):
        gaps = [abs(y - a) + abs(x - b) for a, b in np.argwhere(~lost)]
        near = [grid[a, b] for (a, b), gap in zip(np.argwhere(~lost), gaps, strict=True) if gap == min(gaps)]
        assert got[y, x] in near
    assert not vqgan.copied(grid, np.ones((5, 6), bool)).any()


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("filler", [True, False])
def test_lost_numbers_are_restored(share, filler):
    codec, ops, settings = vqgan.VqganCodec(new_model(filler=filler)), NumpyOps(), (1,)
    whole = np.random.default_rng(4).integers(0, 24, (21, 37)).astype(np.uint16)
    lost = np.random.default_rng(5).random(whole.shape) < share
    holes = np.where(lost, 65535, whole).astype(np.uint16)
    got = codec.restore(holes, lost, settings, ops)
    assert got.dtype == np.uint16
    assert (got[~lost] == whole[~lost]).all()
    assert (got < 24).all()
    small = (48, 64)
    cut = codec.synthesise([holes[:3, :4]], small, settings, ops, lost=lost[:3, :4])
    assert cut.shape == (3, *small)
    nothing = codec.synthesise([whole[:3, :4]], small, settings, ops, lost=np.zeros((3, 4), bool))
    assert (nothing == codec.synthesise([whole[:3, :4]], small, settings, ops)).all()


def test_the_transformer_sees_what_is_known(codec):
    """It begins at copies; what a lost place held before changes nothing; a known one far off does."""
    ops, settings = NumpyOps(), (1,)
    whole = np.random.default_rng(6).integers(0, 24, (9, 11)).astype(np.uint16)
    lost = np.zeros(whole.shape, bool)
    lost[4, 5] = lost[0, 0] = True
    other = np.where(lost, 7, whole).astype(np.uint16)
    assert (codec.restore(whole, lost, settings, ops) == codec.restore(other, lost, settings, ops)).all()
    book = codec.books[1]
    vectors, holes = book[vqgan.copied(whole, lost)][None], lost[None, :, :, None].astype(np.float32)
    got = vqgan.fill_network(ops, codec._filler, vectors, holes, 1, 2)
    vectors[0, 8, 10] += 1
    far = vqgan.fill_network(ops, codec._filler, vectors, holes, 1, 2)
    assert got.shape == (1, 99, 5)
    assert not np.allclose(got[0, 0], far[0, 0], atol=1e-6)


def test_shuffles_are_inverse():
    x = np.arange(2 * 3 * 8 * 12).reshape(2, 3, 8, 12)
    y = vqgan.unshuffle(x, 4)
    assert y.shape == (2, 48, 2, 3)
    assert (y[0, :16, 1, 2] == x[0, 0, 4:8, 8:12].reshape(-1)).all()
    assert (vqgan.shuffle(y, 4) == x).all()


def test_latents_and_restored_numbers_agree(codec):
    pytest.importorskip("torch")
    from nzip.models.latent.layers import TorchOps

    one, other = NumpyOps(), TorchOps()
    x = picture((70, 50))
    assert np.allclose(codec.latents(x, one), codec.latents(x, other), atol=1e-4)
    numbers = codec.analyse(x, (1,), one)[0]
    lost = np.random.default_rng(7).random(numbers.shape) < 0.3
    assert (codec.restore(numbers, lost, (1,), one) == codec.restore(numbers, lost, (1,), other)).all()


def test_the_shipped_model():
    codec, model_id = codecs.by_name("vqgan", "image")
    path = next(path for path in codecs.found_models() if path.stem == "vqgan-f16")
    assert path.stat().st_size <= 12 << 20
    assert weights.id_of(path.read_bytes()) == model_id
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "EfficientNet" in card
    assert codec.rungs == sorted(codec.rungs)
    ops, signal = NumpyOps(), tiny.floats(tiny.picture(4, 100, 130))
    errors, sizes = [], []
    for quality in (1, 100):
        settings = codec.settings(quality)
        symbols = codec.analyse(signal, settings, ops)
        data = codec.encode(symbols, settings)
        assert (codec.decode(data, (100, 130), settings)[0] == symbols[0]).all()
        errors.append(np.abs(codec.synthesise(symbols, (100, 130), settings, ops) - signal).mean())
        sizes.append(len(data))
    assert errors[0] > errors[1]
    assert sizes[0] < sizes[1]
    lost = np.zeros(symbols[0].shape, bool)
    lost[2:4, 3:5] = True
    restored = codec.restore(symbols[0], lost, settings, ops)
    assert (restored[~lost] == symbols[0][~lost]).all()
