"""What every latent codec must do: the suite of the seam `LatentCodec`."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.latent.base import LatentCodec
from nzip.models.latent.layers import NumpyOps


def same(one: list, other: list) -> bool:
    return len(one) == len(other) and all(
        a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b) for a, b in zip(one, other, strict=True)
    )


def check_round_trip(codec: LatentCodec, signal: np.ndarray, quality: int) -> np.ndarray:
    """Symbols come back exactly, and have the layout that is promised; return the lossy signal."""
    ops = NumpyOps()
    settings = codec.settings(quality)
    assert len(settings) <= 8
    assert all(type(value) is int and value >= 0 for value in settings)
    size = signal.shape[1:]
    symbols = codec.analyse(signal, settings, ops)
    layout = codec.layout(size, settings)
    promised = [(np.dtype(kind), tuple(shape)) for kind, shape in layout]
    assert [(array.dtype, array.shape) for array in symbols] == promised
    assert all(array.dtype.kind in "iu" for array in symbols)
    code = codec.encode(symbols, settings)
    assert code == codec.encode([array.copy() for array in symbols], settings)
    assert same(codec.decode(code, size, settings), symbols)
    back = codec.synthesise(symbols, size, settings, ops)
    assert back.dtype == np.float32
    assert back.shape == signal.shape
    assert np.isfinite(back).all()
    return back


def check_sizes(codec: LatentCodec, sizes: list[tuple[int, ...]]) -> None:
    """Signals of any size come back as large as they were."""
    random = np.random.default_rng(9)
    for size in sizes:
        signal = random.uniform(-0.5, 0.5, (codec.channels, *size)).astype(np.float32)
        for quality in (1, 100):
            check_round_trip(codec, signal, quality)


def check_any_symbols(codec: LatentCodec, size: tuple[int, ...], most: dict[int, int] | None = None) -> None:
    """Symbols that no signal gives come back too.

    Args:
        codec: the codec.
        size: of a signal.
        most: the highest symbol of an array, where its type could hold more; its number -> the symbol. Symbols
            then begin at 0.
    """
    random = np.random.default_rng(10)
    for quality in (1, 50, 100):
        settings = codec.settings(quality)
        symbols = []
        for number, (kind, shape) in enumerate(codec.layout(size, settings)):
            info = np.iinfo(kind)
            low, high = (0, most[number]) if most and number in most else (int(info.min), int(info.max))
            symbols.append(random.integers(low, high, shape, kind, endpoint=True))
        assert same(codec.decode(codec.encode(symbols, settings), size, settings), symbols)


def check_damage(codec: LatentCodec, signal: np.ndarray) -> None:
    """Damage gives `CorruptError` or other symbols, and nothing else."""
    settings = codec.settings(50)
    size = signal.shape[1:]
    code = codec.encode(codec.analyse(signal, settings, NumpyOps()), settings)
    random = np.random.default_rng(11)
    cuts = {0, 1, 4, len(code) - 1, *random.integers(0, len(code), 10).tolist()}
    damaged = [code[:cut] for cut in cuts] + [code + b"\0", code + bytes(4)]
    for _ in range(20):
        bad = bytearray(code)
        bad[random.integers(len(bad))] ^= 1 << int(random.integers(8))
        damaged.append(bytes(bad))
    found = 0
    for bad in damaged:
        try:
            codec.decode(bad, size, settings)
        except CorruptError:
            found += 1
    assert found >= len(cuts)
    for wrong in ((), (1 << 40,), (*settings, *settings, 0)):
        with pytest.raises(CorruptError):
            codec.layout(size, wrong)


def check_torch_agrees(codec: LatentCodec, signal: np.ndarray, quality: int, tolerance: float) -> None:
    """Torch's layers give nearly the same signal, and the same symbols are decoded."""
    pytest.importorskip("torch")
    from nzip.models.latent.layers import TorchOps

    settings = codec.settings(quality)
    symbols = codec.analyse(signal, settings, NumpyOps())
    size = signal.shape[1:]
    one = codec.synthesise(symbols, size, settings, NumpyOps())
    other = codec.synthesise(symbols, size, settings, TorchOps())
    assert np.abs(one - other).max() < tolerance
    again = codec.analyse(signal, settings, TorchOps())
    differ = [np.mean(a != b) for a, b in zip(symbols, again, strict=True)]
    assert max(differ) < 0.02  # a number on the edge may be rounded the other way
    assert same(codec.decode(codec.encode(again, settings), size, settings), again)
