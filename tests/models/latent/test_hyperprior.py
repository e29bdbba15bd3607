"""The codec hyperprior: the seam's checks with both families of networks, exactness, and models of CompressAI."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import codecs, weights
from nzip.models.latent.hyperprior import compressai as zoo
from nzip.models.latent.hyperprior import lapped
from nzip.models.latent.hyperprior import training as recipe
from nzip.models.latent.hyperprior.codec import HyperpriorCodec
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.priors.exact import IntegerOps

SIZES = recipe.Sizes(slices=(3, 5, 184), encoder=8, decoder=8, blocks=1, hyper=4, features=8, width=8)
KINDS = ("factorized", "scale", "mean-scale")


@pytest.fixture(scope="module")
def own_model() -> weights.Model:
    pieces = [tiny.picture(seed, 64, 96) for seed in range(3)]
    start, _ = recipe.beginning(pieces, SIZES, 1)
    return weights.unpack(recipe.packed(start, SIZES.slices, recipe.logistic_tables(), "tiny", {}), "tiny")


@pytest.fixture(scope="module")
def own(own_model) -> HyperpriorCodec:
    return HyperpriorCodec(own_model)


def strided_state(kind: str, width: int = 6, latents: int = 8) -> dict[str, np.ndarray]:
    """A state dict in CompressAI's layout, as of a model that learned a little and was never updated."""
    random = np.random.default_rng(len(kind))
    state: dict[str, np.ndarray] = {}

    def layer(name: str, out: int, into: int, side: int, up: bool, gain: float = 1.0) -> None:
        shape = (into, out, side, side) if up else (out, into, side, side)
        spread = gain / np.sqrt(into * side * side / (4 if up else 1))
        state[f"{name}.weight"] = (spread * random.standard_normal(shape)).astype(np.float32)
        state[f"{name}.bias"] = (0.1 * random.standard_normal(out)).astype(np.float32)

    for part, ends in (("g_a", (3, latents)), ("g_s", (latents, 3))):
        for number in (0, 2, 4, 6):
            into, out = ends[0] if number == 0 else width, ends[1] if number == 6 else width
            gain = 12.0 if (part, number) == ("g_a", 6) else 0.02 if (part, number) == ("g_s", 6) else 1.0
            layer(f"{part}.{number}", out, into, 5, part == "g_s", gain)
            if number < 6:
                gamma = np.abs(0.3 * np.eye(width) + 0.05 * random.standard_normal((width, width)))
                state[f"{part}.{number + 1}.gamma"] = np.sqrt(gamma).astype(np.float32)
                state[f"{part}.{number + 1}.beta"] = random.uniform(0.8, 1.2, width).astype(np.float32)
    side = latents
    if kind != "factorized":
        side, middle = width, latents * 3 // 2 if kind == "mean-scale" else width
        inner = latents if kind == "mean-scale" else width
        last = latents * (2 if kind == "mean-scale" else 1)
        for number, into, taps in ((0, latents, 3), (2, width, 5), (4, width, 5)):
            layer(f"h_a.{number}", width, into, taps, False, 3.0)
        layer("h_s.0", inner, side, 5, True)
        layer("h_s.2", middle, inner, 5, True)
        layer("h_s.4", last, middle, 3, False, 2.0)
        state["gaussian_conditional.scale_table"] = np.zeros(0, np.float32)
    widths = (1, 3, 3, 1)
    for number, (into, out) in enumerate(itertools.pairwise(widths)):
        name = "entropy_bottleneck.%s"
        state[name % f"matrices.{number}"] = random.normal(0.3, 0.2, (side, out, into)).astype(np.float32)
        state[name % f"biases.{number}"] = random.uniform(-0.5, 0.5, (side, out, 1)).astype(np.float32)
        if number < 2:
            state[name % f"factors.{number}"] = random.normal(0, 0.2, (side, out, 1)).astype(np.float32)
    state["entropy_bottleneck.quantiles"] = np.tile(np.array([-9.0, 0.25, 11.0], np.float32), (side, 1, 1))
    return state


@pytest.fixture(scope="module", params=KINDS)
def strided(request) -> HyperpriorCodec:
    return HyperpriorCodec(zoo.from_compressai(strided_state(request.param)))


def test_the_seam_with_our_networks(own):
    checks.check_sizes(own, [(1, 1), (1, 9), (8, 8), (33, 17)])
    checks.check_any_symbols(own, (30, 41))
    checks.check_damage(own, tiny.floats(tiny.picture(7, 40, 56)))


def test_the_seam_with_strided_networks(strided):
    checks.check_sizes(strided, [(1, 1), (70, 17)])
    checks.check_any_symbols(strided, (30, 41))
    checks.check_damage(strided, tiny.floats(tiny.picture(7, 40, 56)))


def test_more_quality_is_better_and_takes_more(own):
    signal = tiny.floats(tiny.picture(8, 48, 64))
    sizes, errors = [], []
    for quality in (1, 30, 60, 100):
        back = checks.check_round_trip(own, signal, quality)
        settings = own.settings(quality)
        sizes.append(len(own.encode(own.analyse(signal, settings, NumpyOps()), settings)))
        errors.append(float(np.mean((back - signal) ** 2)))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    # The transform is good before it has learned anything.
    assert errors[-1] < (2 / 255) ** 2
    for quality in (0, 101):
        with pytest.raises(ValueError, match="1 to 100"):
            own.settings(quality)


def test_torch_agrees(own, strided):
    signal = tiny.floats(tiny.picture(9, 40, 56))
    checks.check_torch_agrees(own, signal, 60, 0.02)
    checks.check_torch_agrees(strided, signal, 60, 0.02)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_any_backend_reads_what_any_other_wrote(own_model, device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    signal = tiny.floats(tiny.picture(10, 72, 88))
    one, other = HyperpriorCodec(own_model), HyperpriorCodec(own_model, IntegerOps(device))
    for quality in (5, 95):
        settings = one.settings(quality)
        symbols = one.analyse(signal, settings, NumpyOps())
        parts = [codec.coded([a.copy() for a in symbols], settings) for codec in (one, other)]
        assert all(np.array_equal(a[1], b[1]) for a, b in zip(*parts, strict=True))
        code = one.encode(symbols, settings)
        assert code == other.encode(symbols, settings)
        assert checks.same(other.decode(code, signal.shape[1:], settings), symbols)


def test_what_a_stage_reads_was_coded_before(own_model):
    """Symbols of a stage change no table of that stage or an earlier one."""
    own = HyperpriorCodec(own_model)
    settings = own.settings(50)
    random = np.random.default_rng(11)
    symbols = [random.integers(-3, 4, shape).astype(kind) for kind, shape in own.layout((40, 48), settings)]
    before = own.coded(symbols, settings)
    starts = np.cumsum([0, *SIZES.slices])
    part = 0
    for number in range(len(SIZES.slices)):
        for mask in lapped.masks_of(lapped.stages_of(number), (5, 6)):
            part += 1
            if not mask.any():
                continue
            changed = [a.copy() for a in symbols]
            changed[1][starts[number] : starts[number + 1]][:, mask[0, 0] > 0] += 1
            after = own.coded(changed, settings)
            same = [np.array_equal(a[1], b[1]) for a, b in zip(before, after, strict=True)]
            assert all(same[: part + 1])
            assert not all(same) or part == len(before) - 1


def test_masks_cover_each_place_once():
    for stages in (2, 5):
        for size in ((1, 1), (2, 3), (9, 14)):
            masks = lapped.masks_of(stages, size)
            assert len(masks) == stages
            assert (sum(masks) == 1).all()


def test_transform_is_undone():
    forth, back = lapped.start_transform()
    w = {"analysis.kernel": forth, "synthesis.kernel": back}
    w["parity"] = lapped.parities(range(lapped.BANDS)).astype(np.float32)
    x = np.random.default_rng(12).uniform(-0.5, 0.5, (2, 3, 24, 40)).astype(np.float32)
    y = lapped.analyse(NumpyOps(), w, x)
    assert y.shape == (2, 192, 3, 5)
    assert np.abs(lapped.synthesise(NumpyOps(), w, y) - x).max() < 2e-6
    # A flat grey picture has one number a block, that of its mean.
    flat = lapped.analyse(NumpyOps(), w, np.full((1, 3, 16, 16), 0.25, np.float32))[0]
    assert np.abs(flat[1:]).max() < 1e-3 < np.abs(flat[0]).min()


def test_choices_cost_less(own):
    """An encoder that counts bits finds a better trade than rounding."""
    signal = tiny.floats(tiny.picture(13, 48, 64))
    settings = own.settings(30)
    found = []
    for care in (0.0, 1.3):
        own.care = care
        symbols = own.analyse(signal, settings, NumpyOps())
        back = own.synthesise(symbols, signal.shape[1:], settings, NumpyOps())
        error = float(((back - signal) ** 2).sum()) * lapped.LEVELS**2
        worth = 2 * np.log(2) / 12 * lapped.STEPS[settings[0]] ** 2
        found.append(8 * len(own.encode(symbols, settings)) + error / worth)
    own.care = HyperpriorCodec.care
    assert found[1] < found[0]


def test_models_that_do_not_fit_are_refused(own_model):
    def change(drop: tuple[str, ...] = (), about: dict[str, str] | None = None, **tensors) -> weights.Model:
        kept = {name: value for name, value in own_model.tensors.items() if name not in drop}
        new = {name.replace("__", "/").replace("_0_", "."): value for name, value in tensors.items()}
        return dataclasses.replace(own_model, tensors=kept | new, about=own_model.about | (about or {}))

    for name in ("z.places", "z.classes", "y.cdf", "net/gain", "net/restore.last.kernel", "prior/slice1.base.kernel"):
        with pytest.raises(CorruptError):
            HyperpriorCodec(change(drop=(name,)))
    bad = {
        "net/restore.first.kernel": np.zeros((8, 5, 3, 3), np.float16),
        "net/ungain": np.full((64, 192), np.nan, np.float32),
        "z.classes": np.full((64, 4), 64, np.uint8),
        "prior/slice0.base.bias": np.zeros(3, np.int32),
        "y.lengths": np.zeros(64, np.int32),
    }
    for name, value in bad.items():
        model = dataclasses.replace(own_model, tensors=own_model.tensors | {name: value})
        with pytest.raises(CorruptError):
            HyperpriorCodec(model)
    for config in ({}, {"slices": [192]}, {"slices": [3, 5]}, {"slices": "x"}):
        with pytest.raises(CorruptError):
            HyperpriorCodec(change(about={"config": json.dumps({"architecture": "lapped", **config})}))
    with pytest.raises(UnsupportedError):
        HyperpriorCodec(change(about={"config": '{"architecture": "other"}'}))
    with pytest.raises(UnsupportedError):
        HyperpriorCodec(change(about={"codec": "walloc"}))


# CompressAI


def torch_network(kind: str, state: dict[str, np.ndarray]):
    """The same model in torch, written down anew from the papers: pictures to latents, scales, means, and back."""
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    w = {name: torch.from_numpy(value).double() for name, value in state.items()}

    def gdn(x, name, inverse):
        norm = f.conv2d(x**2, w[f"{name}.gamma"][:, :, None, None] ** 2, w[f"{name}.beta"] ** 2)
        return x * norm.sqrt() if inverse else x / norm.sqrt()

    def down(x, name, stride=2):
        kernel = w[f"{name}.weight"]
        return f.conv2d(x, kernel, w[f"{name}.bias"], stride, kernel.shape[2] // 2)

    def up(x, name):
        return f.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], 2, 2, 1)

    def transform(x):
        for n in (0, 2, 4):
            x = gdn(down(x, f"g_a.{n}"), f"g_a.{n + 1}", False)
        return down(x, "g_a.6")

    def back(y):
        for n in (0, 2, 4):
            y = gdn(up(y, f"g_s.{n}"), f"g_s.{n + 1}", True)
        return up(y, "g_s.6")

    def act(x):
        return f.leaky_relu(x, 0.01) if kind == "mean-scale" else f.relu(x)

    def hyper(y):
        z = down(y if kind == "mean-scale" else y.abs(), "h_a.0", 1)
        return down(act(down(act(z), "h_a.2")), "h_a.4")

    def said(z):
        x = down(act(up(act(up(z, "h_s.0")), "h_s.2")), "h_s.4", 1)
        return x.chunk(2, 1) if kind == "mean-scale" else (f.relu(x), torch.zeros_like(x))

    return transform, back, hyper, said


@pytest.mark.parametrize("kind", KINDS)
def test_state_dicts_give_what_their_networks_give(kind):
    torch = pytest.importorskip("torch")
    state = strided_state(kind)
    codec = HyperpriorCodec(zoo.from_compressai(state))
    transform, back, hyper, said = torch_network(kind, state)
    pixels = tiny.floats(tiny.picture(20, 128, 64))
    x = torch.from_numpy(pixels).double()[None] + 0.5
    y = transform(x)
    symbols = codec.analyse(pixels, (0,), NumpyOps())
    if kind == "factorized":
        wanted, rounded = [(y - 0.25).round()], (y - 0.25).round() + 0.25
    else:
        z = (hyper(y) - 0.25).round()
        scale, mean = said(z + 0.25)
        wanted, rounded = [z, (y - mean).round()], (y - mean).round() + mean
        table = np.exp(np.linspace(np.log(0.11), np.log(256), 64))
        classes = np.searchsorted(table[:-1], scale.numpy()[0].reshape(8, -1), side="left")
        found = codec.coded(symbols, (0,))[1][1]
        assert np.mean(classes != found) < 0.02
        assert len(np.unique(found)) > 3
    for got, want in zip(symbols, wanted, strict=True):
        assert got.std() > 0.5
        # A number at the edge may be rounded the other way.
        assert np.mean(got != want.numpy()[0]) < 0.01
    out = codec.synthesise(symbols, pixels.shape[1:], (0,), NumpyOps()) + 0.5
    assert np.abs(out - back(rounded)[0].clamp(0, 1).numpy()).mean() < 2e-3


def test_tables_follow_their_distributions():
    """The tables that are made are those of the network and of normal distributions, to their rounding."""
    torch = pytest.importorskip("torch")
    state = strided_state("scale")
    codec = HyperpriorCodec(zoo.from_compressai(state))
    z, y = codec._net.tables
    w = {name.split(".", 1)[1]: torch.from_numpy(v).double() for name, v in state.items() if name[:3] == "ent"}

    def cumulative(x):
        for n in range(3):
            x = torch.nn.functional.softplus(w[f"matrices.{n}"]) @ x + w[f"biases.{n}"]
            if n < 2:
                x = x + torch.tanh(w[f"factors.{n}"]) * torch.tanh(x)
        return torch.sigmoid(x)

    # Quantiles -9, 0.25 and 11: ten symbols below the median and eleven above it.
    at = (torch.arange(22) - 10 + 0.25).expand(6, 1, 22).double()
    share = (cumulative(at + 0.5) - cumulative(at - 0.5))[:, 0].numpy()
    assert (z.offsets == -10).all()
    assert (z.lengths == 23).all()
    got = np.diff(z.cdf[:, :23].astype(float), axis=1) / 65536
    assert np.abs(got - share).max() < 2e-3
    normal = torch.distributions.Normal(0, 1)
    for row, scale in ((10, 0.376), (40, 15.07)):
        at = torch.arange(int(y.lengths[row]) - 1).double() + float(y.offsets[row])
        share = (normal.cdf((at + 0.5) / scale) - normal.cdf((at - 0.5) / scale)).numpy()
        got = np.diff(y.cdf[row, : y.lengths[row]].astype(float)) / 65536
        assert np.abs(got - share).max() < 1e-3


def test_files_of_state_dicts_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    state = strided_state("mean-scale")
    wanted = zoo.from_compressai(state).id
    tensors = {f"module.{name}": torch.from_numpy(value) for name, value in state.items()}
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "a.pth.tar")
    torch.save(tensors, tmp_path / "b.pth")
    old = {name.replace("matrices.", "_matrix").replace("biases.", "_bias").replace("factors.", "_factor"): value
           for name, value in state.items()}  # fmt: skip
    weights.save(tmp_path / "c.safetensors", old, {})
    for name in ("a.pth.tar", "b.pth", "c.safetensors"):
        assert zoo.from_compressai(tmp_path / name).id == wanted
    (tmp_path / "d.pth").write_bytes(b"no such thing")
    with pytest.raises(CorruptError):
        zoo.from_compressai(tmp_path / "d.pth")
    torch.save([1, 2], tmp_path / "e.pth")
    with pytest.raises(CorruptError):
        zoo.from_compressai(tmp_path / "e.pth")


def test_state_dicts_that_do_not_fit_are_refused():
    state = strided_state("scale")
    for name in ("g_a.6.weight", "h_s.2.bias", "entropy_bottleneck.quantiles"):
        with pytest.raises(CorruptError):
            zoo.from_compressai({key: value for key, value in state.items() if key != name})
    with pytest.raises(CorruptError):
        zoo.from_compressai(state | {"h_s.4.weight": np.zeros((5, 6, 3, 3), np.float32)})
    with pytest.raises(UnsupportedError):
        zoo.from_compressai(state | {"context_prediction.weight": np.zeros((5, 6, 3, 3), np.float32)})


def test_the_zoo_says_what_is_missing(monkeypatch):
    with pytest.raises(UnsupportedError, match="none of the models"):
        zoo.from_zoo("cheng2020-attn", 3)
    monkeypatch.setitem(__import__("sys").modules, "compressai.zoo", None)
    with pytest.raises(UnsupportedError, match="pip install compressai"):
        zoo.from_zoo("mbt2018-mean", 3)


@pytest.mark.parametrize("kind", KINDS)
def test_compressai_agrees(kind):
    """Against the package itself: its symbols, its tables, and no more bytes than its own coder takes."""
    torch = pytest.importorskip("torch")
    compressai = pytest.importorskip("compressai.models")
    torch.manual_seed(1)
    names = {"factorized": "FactorizedPrior", "scale": "ScaleHyperprior", "mean-scale": "MeanScaleHyperprior"}
    network = getattr(compressai, names[kind])(16, 24).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name in ("g_a.6.weight", "h_a.4.weight", "h_s.4.weight"):
                value *= 30
    network.update(force=True)
    state = network.state_dict()
    codec = HyperpriorCodec(zoo.from_compressai(state))
    for mine, theirs in (("z", "entropy_bottleneck"), ("y", "gaussian_conditional"))[: len(codec._net.tables)]:
        assert np.array_equal(codec.model.tensors[f"{mine}.cdf"], state[f"{theirs}._quantized_cdf"].numpy())
    pixels = tiny.floats(tiny.picture(21, 128, 192))
    x = torch.from_numpy(pixels)[None] + 0.5
    with torch.no_grad():
        packed = network.compress(x)
        shown = network.decompress(packed["strings"], packed["shape"])["x_hat"]
    symbols = codec.analyse(pixels, (0,), NumpyOps())
    ours, theirs = len(codec.encode(symbols, (0,))), sum(len(strings[0]) for strings in packed["strings"])
    assert ours < 1.01 * theirs + 16
    out = codec.synthesise(symbols, pixels.shape[1:], (0,), NumpyOps()) + 0.5
    assert np.abs(out - shown[0].numpy()).mean() < 1e-3


# What comes with nzip

GOLDEN = {"hyperprior": "ef6602a605df6f4f", "hyperprior-small": "0697949a3d45e3d9"}


@pytest.mark.parametrize("stem", GOLDEN)
def test_shipped_models_write_what_they_always_wrote(stem):
    """The same symbols give the same bytes everywhere: only integers are at work."""
    codec = HyperpriorCodec(weights.load(codecs.shipped_folder() / f"{stem}.safetensors"))
    assert codec.model.size <= (12 << 20 if stem == "hyperprior" else 4 << 20)
    digest = hashlib.sha256()
    for quality in (10, 90):
        settings = codec.settings(quality)
        symbols = []
        for kind, shape in codec.layout((40, 56), settings):
            # Integers that are the same everywhere: large ones in the first channels, few that are not 0 later.
            mixed = np.arange(np.prod(shape), dtype=np.uint64) * np.uint64(6364136223846793005) >> np.uint64(48)
            mixed = mixed.reshape(shape).astype(np.int64)
            span = np.maximum(1, 64 >> np.arange(shape[0]).clip(0, 6))[:, None, None]
            symbols.append(np.where(mixed % 7 < 3, mixed % (2 * span + 1) - span, 0).astype(kind))
        code = codec.encode(symbols, settings)
        assert checks.same(HyperpriorCodec(codec.model).decode(code, (40, 56), settings), symbols)
        digest.update(code)
    assert digest.hexdigest()[:16] == GOLDEN[stem]


def test_shipped_model_is_better_than_its_transform():
    """A smooth picture with edges: few bits, small errors."""
    codec = HyperpriorCodec(weights.load(codecs.shipped_folder() / "hyperprior.safetensors"))
    signal = tiny.floats(tiny.picture(31, 96, 128))
    settings = codec.settings(60)
    symbols = codec.analyse(signal, settings, NumpyOps())
    back = codec.synthesise(symbols, signal.shape[1:], settings, NumpyOps())
    assert 8 * len(codec.encode(symbols, settings)) < 2 * 96 * 128
    assert np.mean((back - signal) ** 2) < 10**-3.4
