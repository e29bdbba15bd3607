"""Published checkpoints: a tiny one of random weights, against networks of torch's own layers written here."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights
from nzip.models.latent.layers import NumpyOps, TorchOps
from nzip.models.latent.vqgan import codec as vqgan
from nzip.models.latent.vqgan.taming import from_taming

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

WIDTHS, LATENT, DEPTH, CODEWORDS = (32, 64, 64), 6, 5, 12


def _norm(width):
    return nn.GroupNorm(32, width, eps=1e-6)


class Block(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.norm1, self.conv1 = _norm(into), nn.Conv2d(into, out, 3, 1, 1)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, 1, 1)
        if into != out:
            self.nin_shortcut = nn.Conv2d(into, out, 1)

    def forward(self, x):
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return y + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = _norm(width)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(width, width, 1) for _ in range(4))

    def forward(self, x):
        y = self.norm(x)
        q, k, v = (part(y).flatten(2).transpose(1, 2) for part in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        return x + self.proj_out(y)


class Conv(nn.Module):
    def __init__(self, width, stride):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride, 0 if stride == 2 else 1)
        self.stride = stride

    def forward(self, x):
        x = F.pad(x, (0, 1, 0, 1)) if self.stride == 2 else F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.conv(x)


def _middle(width):
    mid = nn.Module()
    mid.block_1, mid.attn_1, mid.block_2 = Block(width, width), Attention(width), Block(width, width)
    return mid


def _through(mid, x):
    return mid.block_2(mid.attn_1(mid.block_1(x)))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_in = nn.Conv2d(3, WIDTHS[0], 3, 1, 1)
        self.down, into = nn.ModuleList(), WIDTHS[0]
        for level, width in enumerate(WIDTHS):
            part = nn.Module()
            part.block = nn.ModuleList([Block(into, width)])
            part.attn = nn.ModuleList([Attention(width)] if level == 2 else [])
            if level < 2:
                part.downsample = Conv(width, 2)
            self.down.append(part)
            into = width
        self.mid, self.norm_out = _middle(into), _norm(into)
        self.conv_out = nn.Conv2d(into, LATENT, 3, 1, 1)

    def forward(self, x):
        x = self.conv_in(x)
        for part in self.down:
            x = part.block[0](x)
            x = part.attn[0](x) if len(part.attn) else x
            x = part.downsample(x) if hasattr(part, "downsample") else x
        return self.conv_out(F.silu(self.norm_out(_through(self.mid, x))))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        into = WIDTHS[-1]
        self.conv_in, self.mid = nn.Conv2d(LATENT, into, 3, 1, 1), _middle(into)
        self.up = nn.ModuleList([nn.Module() for _ in WIDTHS])
        for level in reversed(range(3)):
            part, width = self.up[level], WIDTHS[level]
            part.block = nn.ModuleList([Block(into, width), Block(width, width)])
            part.attn = nn.ModuleList([Attention(width), Attention(width)] if level == 2 else [])
            if level:
                part.upsample = Conv(width, 1)
            into = width
        self.norm_out, self.conv_out = _norm(into), nn.Conv2d(into, 3, 3, 1, 1)

    def forward(self, x):
        x = _through(self.mid, self.conv_in(x))
        for part in reversed(self.up):
            for number, block in enumerate(part.block):
                x = block(x)
                x = part.attn[number](x) if len(part.attn) else x
            x = part.upsample(x) if hasattr(part, "upsample") else x
        return self.conv_out(F.silu(self.norm_out(x)))


class Vqgan(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.quant_conv, self.post_quant_conv = nn.Conv2d(LATENT, DEPTH, 1), nn.Conv2d(DEPTH, LATENT, 1)
        self.quantize = nn.Module()
        self.quantize.embedding = nn.Embedding(CODEWORDS, DEPTH)
        self.loss = nn.Linear(2, 2)

    def numbers(self, x):
        z = self.quant_conv(self.encoder(x))
        gaps = (z[:, None] - self.quantize.embedding.weight[None, :, :, None, None]).square().sum(dim=2)
        return gaps.argmin(dim=1)

    def picture(self, numbers):
        return self.decoder(self.post_quant_conv(self.quantize.embedding(numbers).permute(0, 3, 1, 2)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(5)
    made = Vqgan().eval()
    for parameter in made.parameters():
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, 0.3, 0.3)
    return made


def _write(network, path, form):
    state = network.state_dict()
    if form == "safetensors":
        weights.save(path, {key: value.numpy() for key, value in state.items()}, {})
    else:
        torch.save({"state_dict": state, "global_step": 7} if form == "ckpt" else state, path)


@pytest.mark.parametrize("form", ["safetensors", "ckpt", "pth"])
def test_checkpoints_give_what_their_own_networks_give(network, tmp_path, form):
    path = tmp_path / f"model.{form}"
    _write(network, path, form)
    model = from_taming(path)
    codec = vqgan.VqganCodec(model)
    assert (codec.step, codec.rungs, len(model.id)) == (4, [CODEWORDS], 16)
    pixels = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 24, 32)).astype(np.float32)
    settings = codec.settings(50)
    with torch.inference_mode():
        numbers = network.numbers(torch.from_numpy(2 * pixels)[None])
        wanted = (network.picture(numbers)[0].numpy() / 2).clip(-0.5, 0.5)
    for ops in (NumpyOps(), TorchOps()):
        symbols = codec.analyse(pixels, settings, ops)
        assert (symbols[0] == numbers[0].numpy()).mean() > 0.95  # two codewords may be as near as rounding
        got = codec.synthesise([numbers[0].numpy().astype(np.uint16)], (24, 32), settings, ops)
        assert np.abs(got - wanted).max() < 1e-3
    # No prior is learned yet: all codewords cost the same.
    data = codec.encode(symbols, settings)
    assert (codec.decode(data, (24, 32), settings)[0] == symbols[0]).all()
    assert len(data) <= 8 + 48 * np.log2(CODEWORDS) / 8


def test_other_names_and_layouts_of_the_codebook(network, tmp_path):
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    book = state.pop("quantize.embedding.weight")
    weights.save(tmp_path / "a.safetensors", {**state, "quantize.embed": np.ascontiguousarray(book.T)}, {})
    model = from_taming(tmp_path / "a.safetensors")
    assert (model.tensors[f"codebook.{CODEWORDS}"] == book).all()
    assert not any(name.startswith("loss") for name in model.tensors)


def test_what_is_none_is_refused(network, tmp_path):
    state = {key: value.numpy() for key, value in network.state_dict().items()}
    path = tmp_path / "a.safetensors"
    for missing in ("quantize.embedding.weight", "encoder.conv_in.weight"):
        weights.save(path, {key: value for key, value in state.items() if key != missing}, {})
        with pytest.raises(UnsupportedError, match="no VQGAN"):
            from_taming(path)
    weights.save(path, {key: value for key, value in state.items() if key != "decoder.norm_out.weight"}, {})
    with pytest.raises(CorruptError):
        vqgan.VqganCodec(from_taming(path))
    broken = tmp_path / "b.ckpt"
    broken.write_bytes(b"PK no archive")
    with pytest.raises(CorruptError):
        from_taming(broken)

    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"state_dict": Evil()}, broken)
    with pytest.raises(CorruptError):
        from_taming(broken)
