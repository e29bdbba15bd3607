"""The codec `hyperprior`: pictures by a transform whose rounded numbers a second, smaller set of numbers describes.

Balle et al., "Variational Image Compression with a Scale Hyperprior" (2018): a network turns the picture into latents
y, a second one says from the latents z, which go first, how each y is distributed. Two families of networks run here:
nzip's own (`lapped`: one model for all rates, with context) and those of CompressAI (`strided`), which
`zoo` takes over.

What tells the entropy coder means and scales is computed in integers (`exact`), from numbers that were decoded before,
by the encoder and the decoder alike, so a file decodes everywhere. The transform is float: its output is the lossy
picture. A symbol is the rounded distance of a number from its mean; its table is that of its class of scales.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent.hyperprior import lapped, strided
from nzip.models.latent.layers import Array, NumpyOps, Ops, place, widest
from nzip.models.latent.priors import exact
from nzip.models.latent.priors.exact import ONE, IntegerOps
from nzip.models.latent.priors.tables import Reader, Tables, Writer
from nzip.models.latent.weights import Model

CODEC = "hyperprior"
MOST_SYMBOL = (1 << 15) - 1
LARGEST = exact.LIMIT // ONE  # magnitude of a number
# What a bit is worth in squared error over the square of the step; what an encoder's choice of symbols goes by.
WORTH = 2 * math.log(2) / 12

Ints = NDArray[np.int64]
# Given which array, its channels, a mask of places, means in fixed point and tables' numbers (C, n): symbols (C, n).
Source = Callable[[int, slice, NDArray[np.bool_], Ints, Ints], Ints]


@dataclass
class _Walk:
    """One way through all symbols, in the order in which they are coded.

    Attributes:
        source: where symbols come from.
        symbols: arrays as `layout` has them, filled on the way.
        values: what the symbols and means give, in fixed point, int32, likewise.
        order: symbols and tables' numbers, as coded: (which array, int16, uint16).
    """

    source: Source
    symbols: list[NDArray[np.int16]]
    values: list[NDArray[np.int32]] = field(default_factory=list)
    order: list[tuple[int, NDArray[np.int16], NDArray[np.uint16]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = [np.zeros(a.shape, np.int32) for a in self.symbols]

    def code(self, number: int, channels: slice, mask: NDArray[np.bool_], means: Ints, numbers: Ints) -> Ints:
        """Return the values of these places, in fixed point, (C, n)."""
        found = self.source(number, channels, mask, means, numbers)
        values = np.clip(found * ONE + means, -exact.LIMIT, exact.LIMIT)
        self.symbols[number][channels][:, mask] = found
        self.values[number][channels][:, mask] = values
        self.order.append((number, found.astype(np.int16), numbers.astype(np.uint16)))
        return values


class _Net(Protocol):
    """A family of networks: what the codec asks of it."""

    step: int  # that the sides of a picture must be multiples of
    unit: int  # pixels along an axis of one place of the latents
    rates: int
    tables: list[Tables]

    def shapes(self, size: tuple[int, int]) -> list[tuple[int, int, int]]:
        """Return the shapes of the symbols' arrays for a picture whose sides are multiples of `step`."""

    def analyse(self, ops: Ops, x: Array, rate: int) -> list[NDArray[np.float32]]:
        """Return the numbers that the symbols' arrays stand for, from a picture (1, 3, H, W)."""

    def memory(self, size: tuple[int, int]) -> int:
        """Return the bytes that decoding or making a picture takes whose sides are multiples of `step`."""

    def walk(self, ops: IntegerOps, rate: int, walk: _Walk) -> None:
        """Give each symbol its mean and its table, in the order of coding."""

    def synthesise(self, ops: Ops, values: list[NDArray[np.int32]], rate: int) -> Array:
        """Return the picture (1, 3, H, W) of values in fixed point."""



def _damaged(what: str) -> CorruptError:
    return CorruptError(f"the model of the codec hyperprior {what}; get its file again")


def _tables(model: Model, prefix: str) -> Tables:
    parts = [model.tensors.get(f"{prefix}.{name}") for name in ("cdf", "lengths", "offsets")]
    if any(part is None for part in parts):
        raise _damaged("lacks tables")
    return Tables(*(np.ascontiguousarray(part) for part in parts)).check()


def _tensor(model: Model, name: str, kind: type, axes: int) -> NDArray[Any]:
    found = model.tensors.get(name)
    if found is None or found.dtype != kind or found.ndim != axes:
        raise _damaged(f"lacks {name}")
    return found


def _integers(model: Model) -> dict[str, NDArray[Any]]:
    return {name[len("prior/") :]: value for name, value in model.tensors.items() if name.startswith("prior/")}


class _Lapped:
    """nzip's own network; see `lapped`."""

    step = unit = lapped.BLOCK
    rates = lapped.RATES

    def __init__(self, model: Model, ops: IntegerOps) -> None:
        slices = model.config.get("slices")
        if not isinstance(slices, list) or not all(type(n) is int and n > 0 for n in slices):
            raise _damaged("does not say its slices")
        if sum(slices) != lapped.BANDS:
            raise _damaged("has slices that do not sum to its bands")
        self.slices = [int(n) for n in slices]
        self.floats = model.floats("net/")
        self.prior = ops.place(_integers(model))
        self.tables = [_tables(model, "y")] * 2
        self.places = _tensor(model, "z.places", np.int16, 2)
        self.classes = _tensor(model, "z.classes", np.uint8, 2)
        if len(self.places) != lapped.RATES or self.places.shape != self.classes.shape:
            raise _damaged("does not say how its hyperprior's numbers are distributed")
        if int(self.classes.max(initial=0)) >= lapped.CLASSES or len(self.tables[0].lengths) != lapped.CLASSES:
            raise _damaged("has classes without tables")

    def shapes(self, size: tuple[int, int]) -> list[tuple[int, int, int]]:
        height, width = (n // self.step for n in size)
        count = self.places.shape[1]
        return [(count, -(-height // lapped.FINE), -(-width // lapped.FINE)), (lapped.BANDS, height, width)]

    def memory(self, size: tuple[int, int]) -> int:
        # Layers see two more places to each side at most, which counts where a picture is thin.
        places = (size[0] // self.step + 2) * (size[1] // self.step + 2)
        integers = 8 * (4 * widest(self.prior) + 6 * lapped.BANDS)
        return places * max(integers, 4 * (4 * widest(self.floats) + 4 * lapped.BANDS))

    def _gain(self, name: str, rate: int, ops: Ops) -> Array:
        return ops.array(self.floats[name][rate].reshape(1, -1, 1, 1))

    def analyse(self, ops: Ops, x: Array, rate: int) -> list[NDArray[np.float32]]:
        w = place(self.floats, ops)
        t = ops.array(np.full((1, 1, 1, 1), lapped.rate_number(rate)))
        y = lapped.refine(ops, w, lapped.analyse(ops, w, x) * self._gain("gain", rate, ops), t)
        return [ops.numpy(lapped.hyper_encode(ops, w, y, t))[0], ops.numpy(y)[0]]

    def walk(self, ops: IntegerOps, rate: int, walk: _Walk) -> None:
        count, rows, columns = walk.symbols[0].shape
        everywhere = np.ones((rows, columns), bool)
        spread = np.broadcast_to(self.classes[rate].astype(np.int64)[:, None], (count, rows * columns))
        places = np.broadcast_to(self.places[rate].astype(np.int64)[:, None] * ONE, (count, rows * columns))
        z = walk.code(0, slice(None), everywhere, places, spread).reshape(1, count, rows, columns)
        size = walk.symbols[1].shape[1:]
        features = lapped.hyper_decode(ops, self.prior, ops.put(z), (size[0], size[1]))
        starts = np.cumsum([0, *self.slices])

        def code(number: int, stage: int, mask: NDArray[np.float32], mean: Array, scale: Array) -> Array:
            here = mask[0, 0] > 0
            channels = slice(int(starts[number]), int(starts[number + 1]))
            means = ops.take(mean)[0][:, here]
            classes = np.clip((ops.take(scale)[0][:, here] + ONE // 2) >> exact.FRACTION, 0, lapped.CLASSES - 1)
            walk.code(1, channels, here, means, classes)
            return ops.put(walk.values[1][channels][None])

        t = ops.array(np.full((1, 1, 1, 1), lapped.rate_number(rate)))
        lapped.predict(ops, self.prior, features, t, self.slices, code)

    def synthesise(self, ops: Ops, values: list[NDArray[np.int32]], rate: int) -> Array:
        w = place(self.floats, ops)
        t = ops.array(np.full((1, 1, 1, 1), lapped.rate_number(rate)))
        y = lapped.restore(ops, w, ops.array(values[1][None] / ONE), t)
        return lapped.synthesise(ops, w, y * self._gain("ungain", rate, ops))


class _Strided:
    """The networks of CompressAI; see `strided`."""

    unit = strided.STEP
    rates = 1

    def __init__(self, model: Model, ops: IntegerOps) -> None:
        kind = model.config.get("architecture")
        if kind not in strided.KINDS:
            raise UnsupportedError(f"the codec hyperprior has no architecture {kind!r}; a later nzip may have it")
        self.kind = str(kind)
        self.floats = model.floats("net/")
        self.prior = ops.place(_integers(model))
        self.tables = [_tables(model, "z")]
        self.step = strided.STEP
        self.medians = _tensor(model, "z.medians", np.int32, 1)
        self.latents = len(self.medians)
        if self.latents != len(self.tables[0].lengths):
            raise _damaged("has medians without tables")
        if self.kind != "factorized":
            self.step *= strided.FINE
            self.tables.append(_tables(model, "y"))
            self.borders = _tensor(model, "y.borders", np.int64, 1)
            if len(self.borders) != len(self.tables[1].lengths) - 1:
                raise _damaged("has classes of scales without tables")
            self.latents = len(_tensor(model, "net/g_a.6.bias", np.float32, 1))

    def shapes(self, size: tuple[int, int]) -> list[tuple[int, int, int]]:
        height, width = (n // strided.STEP for n in size)
        latents = (self.latents, height, width)
        if self.kind == "factorized":
            return [latents]
        return [(len(self.medians), height // strided.FINE, width // strided.FINE), latents]

    def memory(self, size: tuple[int, int]) -> int:
        # The finest layer but the last works at every second pixel.
        width = max(len(value) for name, value in self.floats.items() if name.endswith("bias"))
        places = (size[0] // 2 + 4) * (size[1] // 2 + 4)
        return places * 4 * 10 * width + (places >> 6) * 8 * 6 * (widest(self.prior) + self.latents)

    def analyse(self, ops: Ops, x: Array, rate: int) -> list[NDArray[np.float32]]:
        w = place(self.floats, ops)
        y = strided.analyse(ops, w, x)
        if self.kind == "factorized":
            return [ops.numpy(y)[0]]
        return [ops.numpy(strided.hyper_encode(ops, w, y, self.kind))[0], ops.numpy(y)[0]]

    def walk(self, ops: IntegerOps, rate: int, walk: _Walk) -> None:
        count, rows, columns = walk.symbols[0].shape
        everywhere = np.ones((rows, columns), bool)
        numbers = np.broadcast_to(np.arange(count)[:, None], (count, rows * columns))
        medians = np.broadcast_to(self.medians.astype(np.int64)[:, None], (count, rows * columns))
        z = walk.code(0, slice(None), everywhere, medians, numbers).reshape(1, count, rows, columns)
        if self.kind == "factorized":
            return
        said = ops.take(strided.hyper_decode(ops, self.prior, ops.put(z), self.kind))[0]
        said = said.reshape(len(said), -1)
        numbers = np.searchsorted(self.borders, said[: self.latents], side="left")
        means = said[self.latents :] if self.kind == "mean-scale" else np.zeros_like(numbers)
        walk.code(1, slice(None), np.ones(walk.symbols[1].shape[1:], bool), means, numbers)

    def synthesise(self, ops: Ops, values: list[NDArray[np.int32]], rate: int) -> Array:
        return strided.synthesise(ops, place(self.floats, ops), ops.array(values[-1][None] / ONE))


class HyperpriorCodec:
    """Pictures through a model with a hyperprior.

    Args:
        model: its weights and tables.
        ops: what the integer network runs on; numpy by default. The symbols and bytes are the same with any.

    Raises:
        CorruptError: the model's tensors do not fit one another.
        UnsupportedError: the model is of another codec, or of an architecture that is not known.
    """

    name: ClassVar[str] = CODEC
    kind: ClassVar[str] = "image"
    channels = 3
    rate = 0
    # How much heavier than its squared error alone an encoder's choice weighs a symbol's distance; 0 rounds.
    care = 1.3

    def __init__(self, model: Model, ops: IntegerOps | None = None) -> None:
        if model.about.get("codec", CODEC) != CODEC:
            raise UnsupportedError(f"this model is of the codec {model.about['codec']}, not of {CODEC}")
        self.model = model
        self._exact = ops or IntegerOps()
        if not all(np.isfinite(value).all() for value in model.tensors.values() if value.dtype.kind == "f"):
            raise _damaged("has weights that are no numbers")
        own = model.config.get("architecture") == "lapped"
        self._net: _Net = _Lapped(model, self._exact) if own else _Strided(model, self._exact)
        self._last: tuple[tuple[int, ...], _Walk] | None = None
        try:
            # The smallest picture: what does not fit shows here, and not in the middle of someone's file.
            settings = self.settings(1)
            symbols = self.analyse(np.zeros((3, 1, 1), np.float32), settings, NumpyOps())
            self.synthesise(symbols, (1, 1), settings, NumpyOps())
        except (KeyError, ValueError, IndexError, AttributeError, TypeError, ZeroDivisionError):
            raise _damaged("has weights that do not fit one another") from None
        self._last = None

    def settings(self, quality: int) -> tuple[int, ...]:
        """Return the number of the rate for a quality of 1 to 100: 63 (fewest bits) to 0; 0 where a model has only one.

        Raises:
            ValueError: the quality is none.
        """
        if not 1 <= quality <= 100:
            raise ValueError(f"a quality is 1 to 100, not {quality}")
        return (round((100 - quality) * (self._net.rates - 1) / 99),)

    def _rate(self, settings: tuple[int, ...]) -> int:
        if len(settings) != 1 or not 0 <= settings[0] < self._net.rates:
            raise CorruptError(f"the settings {tuple(settings)} are none of the codec {CODEC}")
        return int(settings[0])

    def _shapes(self, size: tuple[int, ...]) -> list[tuple[int, int, int]]:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"a picture has a height and a width, not {size}")
        step = self._net.step
        return self._net.shapes((-(-size[0] // step) * step, -(-size[1] // step) * step))

    def memory(self, size: tuple[int, ...], settings: tuple[int, ...]) -> int:
        """Return the bytes that decoding or making a picture of this size takes."""
        step = self._net.step
        return self._net.memory((-(-size[0] // step) * step, -(-size[1] // step) * step))

    def layout(self, size: tuple[int, ...], settings: tuple[int, ...]) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return the types and shapes of the symbols of a picture (H, W): the hyperprior's, if any, then the latents'.

        Raises:
            CorruptError: the settings are none.
        """
        self._rate(settings)
        return [(np.dtype(np.int16), shape) for shape in self._shapes(size)]

    def _walk(self, size: tuple[int, ...], settings: tuple[int, ...], source: Source) -> _Walk:
        symbols = [np.zeros(shape, np.int16) for shape in self._shapes(size)]
        walk = _Walk(source, symbols)
        self._net.walk(self._exact, self._rate(settings), walk)
        # Encoding after analysing, and synthesising after decoding, ask for the same way again.
        self._last = (tuple(settings), walk)
        return walk

    def _again(self, symbols: list[NDArray[Any]], size: tuple[int, ...], settings: tuple[int, ...]) -> _Walk:
        """Return the way through symbols that are there."""
        shapes = self._shapes(size)
        if [a.shape for a in symbols] != shapes or any(a.dtype != np.int16 for a in symbols):
            raise ValueError(f"symbols of a picture of {size} are int16 arrays of the shapes {shapes}")
        last = self._last
        if last is not None and last[0] == tuple(settings):
            same = (np.array_equal(a, b) for a, b in zip(last[1].symbols, symbols, strict=True))
            if all(same):
                return last[1]

        def given(number: int, channels: slice, mask: NDArray[np.bool_], means: Ints, numbers: Ints) -> Ints:
            return symbols[number][channels][:, mask].astype(np.int64)

        return self._walk(size, settings, given)

    def analyse(self, signal: NDArray[np.float32], settings: tuple[int, ...], ops: Ops) -> list[NDArray[Any]]:
        """Return the symbols of a picture, float32 (3, H, W) in -1/2..1/2: int16 arrays of `layout`.

        Raises:
            CorruptError: the settings are none.
            ValueError: it has another shape.
        """
        if signal.ndim != 3 or signal.shape[0] != self.channels:
            raise ValueError(f"a picture is an array (3, H, W), not {signal.shape}")
        size, step, rate = signal.shape[1:], self._net.step, self._rate(settings)
        whole = np.pad(signal, [(0, 0)] + [(0, -n % step) for n in size], mode="edge")
        numbers = self._net.analyse(ops, ops.array(whole[None]), rate)
        costs = [tables.bits() for tables in self._net.tables]

        def chosen(number: int, channels: slice, mask: NDArray[np.bool_], means: Ints, rows: Ints) -> Ints:
            wanted = np.clip(numbers[number][channels][:, mask].astype(np.float64), -LARGEST, LARGEST)
            off = wanted - means / ONE
            found = np.clip(np.rint(off), -MOST_SYMBOL, MOST_SYMBOL).astype(np.int64)
            if number == len(numbers) - 1 and self.care and self._net.rates > 1:
                found = _cheaper(found, off, rows, self._net.tables[number], costs[number], self.care)
            return found

        return list(self._walk(size, settings, chosen).symbols)

    def synthesise(
        self, symbols: list[NDArray[Any]], size: tuple[int, ...], settings: tuple[int, ...], ops: Ops
    ) -> NDArray[np.float32]:
        """Return the lossy picture of symbols, float32 (3, *size) in -1/2..1/2.

        Raises:
            CorruptError: the settings are none.
            ValueError: the symbols are not of `layout`.
        """
        walk = self._again(symbols, size, settings)
        whole = ops.numpy(self._net.synthesise(ops, walk.values, self._rate(settings)))[0]
        return np.ascontiguousarray(np.clip(whole[:, : size[0], : size[1]], -0.5, 0.5), np.float32)

    def encode(self, symbols: list[NDArray[Any]], settings: tuple[int, ...]) -> bytes:
        """Return the code of symbols.

        Raises:
            CorruptError: the settings are none.
            ValueError: the symbols are not of `layout`.
        """
        writer = Writer()
        for number, found, numbers in self._through(symbols, settings).order:
            writer.write(found, numbers, self._net.tables[number])
        return writer.finish()

    def coded(
        self, symbols: list[NDArray[Any]], settings: tuple[int, ...]
    ) -> list[tuple[NDArray[np.int16], NDArray[np.uint16]]]:
        """Return symbols in their order of coding, in parts, each with the numbers of the tables that code them."""
        return [(found, numbers) for _, found, numbers in self._through(symbols, settings).order]

    def _through(self, symbols: list[NDArray[Any]], settings: tuple[int, ...]) -> _Walk:
        if len(symbols) != len(self._net.tables) or symbols[-1].ndim != 3:
            raise ValueError(f"{len(self._net.tables)} arrays of symbols are needed, of a layout")
        return self._again(symbols, tuple(n * self._net.unit for n in symbols[-1].shape[1:]), settings)

    def decode(self, data: bytes, size: tuple[int, ...], settings: tuple[int, ...]) -> list[NDArray[Any]]:
        """Return the symbols of a picture (H, W) from their code.

        Raises:
            CorruptError: the code is damaged, or the settings are none.
        """
        reader = Reader(data)

        def read(number: int, channels: slice, mask: NDArray[np.bool_], means: Ints, numbers: Ints) -> Ints:
            found = reader.read(numbers, self._net.tables[number])
            if found.size and not -MOST_SYMBOL - 1 <= int(found.min()) <= int(found.max()) <= MOST_SYMBOL:
                raise CorruptError("the code of the latents is damaged")
            return found

        walk = self._walk(size, settings, read)
        reader.finish()
        return list(walk.symbols)


def _cheaper(found: Ints, off: NDArray[np.float64], rows: Ints, tables: Tables, costs: Any, care: float) -> Ints:
    """Return symbols with those one nearer to 0 whose fewer bits are worth their larger error."""
    near = found - np.sign(found)
    places = [kind - tables.offsets[rows] for kind in (found, near)]
    inside = (found != 0) & (places[0] >= 0) & (places[0] < tables.lengths[rows] - 1)
    rows, place_found, place_near = rows[inside], places[0][inside], places[1][inside]
    saved = costs[rows, place_found] - costs[rows, place_near]
    worse = (off[inside] - near[inside]) ** 2 - (off[inside] - found[inside]) ** 2
    out = found.copy()
    out[inside] = np.where(saved * WORTH > worse * care, near[inside], found[inside])
    return out
