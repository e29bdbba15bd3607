"""What every latent codec must do: the suite of the seam `LatentCodec`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.latent import codecs, record
from nzip.models.latent.base import LatentCodec
from nzip.models.latent.engine import LatentsEngine
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.record import Head


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


def check_hostile_symbols(codec: LatentCodec, size: tuple[int, ...]) -> None:
    """Symbols of the highest and lowest value of their type give a signal of finite numbers, or are refused."""
    for quality in (1, 100):
        settings = codec.settings(quality)
        for end in ("min", "max"):
            layout = codec.layout(size, settings)
            symbols = [np.full(shape, getattr(np.iinfo(kind), end), kind) for kind, shape in layout]
            try:
                code = codec.encode(symbols, settings)
            except (ValueError, CorruptError):
                with pytest.raises((ValueError, CorruptError)):
                    codec.synthesise(symbols, size, settings, NumpyOps())
                continue
            assert same(codec.decode(code, size, settings), symbols)
            back = codec.synthesise(symbols, size, settings, NumpyOps())
            assert back.shape == (codec.channels, *size)
            assert np.isfinite(back).all()


def check_threads(codec: LatentCodec, signals: list[np.ndarray]) -> None:
    """One codec serves several threads at once, and each gets what it gets alone."""
    settings, ops = codec.settings(60), NumpyOps()

    def whole(signal: np.ndarray) -> tuple[bytes, np.ndarray]:
        code = codec.encode(codec.analyse(signal, settings, ops), settings)
        size = signal.shape[1:]
        return code, codec.synthesise(codec.decode(code, size, settings), size, settings, ops)

    alone = [whole(signal) for signal in signals]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(whole, 3 * signals))
    for one, other in zip(3 * alone, together, strict=True):
        assert one[0] == other[0]
        assert np.array_equal(one[1], other[1])


def check_memory(codec: LatentCodec, small: tuple[int, ...], large: tuple[int, ...]) -> None:
    """The bound of memory counts at least the signal, and grows with it."""
    for quality in (1, 100):
        settings = codec.settings(quality)
        bounds = [codec.memory(size, settings) for size in (small, large)]
        assert bounds[0] <= bounds[1]
        assert bounds[1] >= 4 * codec.channels * np.prod(large)


def check_record(codec: LatentCodec, model_id: str, size: tuple[int, ...], channels: int) -> None:
    """A record of any symbols comes back from the engine `latents`, and so does one of a sound without samples."""
    random = np.random.default_rng(12)
    picture = codec.kind == "image"
    for quality, part in ((1, size), (100, size), (60, size if picture else (0,))):
        settings = codec.settings(quality)
        head = Head(
            codecs.CODECS[codec.name].id, model_id, settings, record.PICTURE if picture else record.SOUND, part,
            channels, rate=0 if picture else codec.rate or 44100, subtype="" if picture else "PCM_16",
        )  # fmt: skip
        parts = []
        for _ in range(head.groups(codec)):
            signal = random.uniform(-0.5, 0.5, (codec.channels, *part)).astype(np.float32)
            parts.append(codec.analyse(signal, settings, NumpyOps()))
        data = record.to_bytes(parts)
        head = replace(head, symbols=len(data))
        block, engine = head.encode() + data, LatentsEngine()
        assert Head.parse(block)[0] == head
        assert engine.decode(engine.encode(block, {}), len(block), {}) == block
        back = list(record.from_bytes(data, head, codec))
        assert len(back) == len(parts)
        assert all(same(one, other) for one, other in zip(back, parts, strict=True))


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
