"""Corrections of a model's weights, learned from free text.

A model that was tuned for conversation and cut down to four bits predicts plain text worse than it could. Both is
partly undone by two small things, learned together once, from text that is free and in no benchmark:

* *factors*, one for each gain of a norm and each output of a matrix (as in Liu et al., "Few-Shot Parameter-Efficient
  Fine-Tuning is Better and Cheaper than In-Context Learning", 2022);
* *products* of two thin matrices that are added to the matrices of the layers (Hu et al., "LoRA: Low-Rank Adaptation of
  Large Language Models", 2021, section 4.1).

Both change numbers that the exact form has anyway, so prediction costs what it cost. They come with this package
(weights/lm/MODEL_CARD.md); corpora/tune_lm.py is how. They belong to one model and are taken for the weights with its
id alone, so the id that a file names covers them.

A file, unpacked from zstandard, has u8 r, the rank; one int8 n for each number of the arrays in NAMES, in their order,
each array by rows, for the factor 1 + n / 256, whose product is rounded once, to float32; then, where r is not 0, for
each of MATRICES: a float32 unit u for each layer, little-endian, int8 B (layers, N, r) and int8 A (layers, r, K).
u (B A) is added to the matrix before it is quantised, in float64, which holds the products exactly, and the sum is
rounded to float32. So the model's id is the same everywhere.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError
from nzip.models.lm.network.weights import LmWeights, parts_of_layer

NAMES = ("attention_gain", "qkv_scale", "out_scale", "ffn_gain", "gate_up_scale", "down_scale", "final_gain")
MATRICES = ("qkv", "out", "gate_up", "down")
MOST_RANK = 64
UNIT = np.float32(1 / 256)
# The start of the exact weights' SHA-256, and the SHA-256 of the file they are made from.
SOURCES = {"142a6cec2fb4c426": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"}


def read(model_id: str) -> bytes | None:
    """Return the packed corrections for the weights with that id, before them; None where there are none."""
    place = files("nzip.models").joinpath("weights", "lm", f"{model_id[:16]}.zst")
    return place.read_bytes() if place.is_file() else None


def _all() -> list[bytes]:
    folder = files("nzip.models").joinpath("weights", "lm")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".zst")), key=lambda file: file.name)
    return [file.read_bytes() for file in found]


def model_bytes(digests: Iterable[str | None]) -> int:
    """Return the size of the corrections for a model that is made of files with these SHA-256."""
    given = set(digests)
    return sum(len(read(model_id) or b"") for model_id, source in SOURCES.items() if source in given)


def version() -> str:
    """Return a name for all corrections that come with nzip: weights made with others are other weights."""
    return hashlib.sha256(b"".join(_all())).hexdigest()[:12]


def unpacked(weights: LmWeights, packed: bytes) -> Corrections:
    """Read a file of corrections for a model of the shape of `weights`.

    Raises:
        CorruptError: they are not those of such a model.
    """
    import zstandard

    sizes = {name: getattr(weights, name).shape for name in NAMES}
    limit = 1 + sum(math.prod(shape) for shape in sizes.values())
    for name in MATRICES:
        layers, n, k = getattr(weights, name).shape
        limit += layers * (4 + MOST_RANK * (n + k))
    try:
        plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise CorruptError("the corrections of a language model are damaged") from error
    at = 1

    def take(kind: str, *shape: int) -> NDArray[Any]:
        nonlocal at
        array = np.frombuffer(plain, kind, math.prod(shape), at).reshape(shape)
        at += array.nbytes
        return array

    try:
        rank = plain[0]
        factors = {name: take("|i1", *shape) for name, shape in sizes.items()}
        products = {}
        for name in MATRICES if rank else ():
            layers, n, k = getattr(weights, name).shape
            products[name] = Product(take("<f4", layers), take("|i1", layers, n, rank), take("|i1", layers, rank, k))
    except (ValueError, IndexError) as error:
        raise CorruptError("the corrections of a language model are damaged") from error
    if at != len(plain) or not all(np.isfinite(product.units).all() for product in products.values()):
        raise CorruptError("the corrections of a language model are damaged")
    return Corrections(factors, products)


@dataclass(frozen=True)
class Product:
    """What is added to the matrices (layers, N, K) of one kind: units float32 (layers,), int8 B (layers, N, r) and A
    (layers, r, K).
    """

    units: NDArray[np.float32]
    b: NDArray[np.int8]
    a: NDArray[np.int8]

    def of(self, layer: int, rows: slice = slice(None)) -> NDArray[np.float64]:
        """Return what is added to rows in a layer, float64 (N, K), exact."""
        b, a = self.b[layer, rows].astype(np.float64), self.a[layer].astype(np.float64)
        return np.float64(self.units[layer]) * (b @ a)


@dataclass(frozen=True)
class Corrections:
    """What a file holds: factors by the name of their array, int8 of its shape, and products by matrix, or none."""

    factors: dict[str, NDArray[np.int8]]
    products: dict[str, Product]

    def multiplied(self, weights: LmWeights) -> LmWeights:
        """Return `weights` with the factors."""
        made: dict[str, Any] = {}
        for name, numbers in self.factors.items():
            made[name] = np.asarray(getattr(weights, name), np.float32) * (
                np.float32(1) + numbers.astype(np.float32) * UNIT
            )
        return replace(weights, **made)

    def added(self, weights: LmWeights, tensors: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Return `tensors` (by their Hugging Face names) with the products; `weights` gives the shape."""
        return _Added(self.products, weights, tensors)


class _Added(Mapping[str, NDArray[Any]]):
    def __init__(self, products: dict[str, Product], weights: LmWeights, tensors: Mapping[str, NDArray[Any]]):
        self._tensors = tensors
        self._changed: dict[str, tuple[Product, int, slice]] = {}
        for layer in range(weights.config.layers):
            for matrix, parts in parts_of_layer(weights.config, layer).items():
                row = 0
                for name, rows, _ in parts:
                    if matrix in products:
                        self._changed[name] = (products[matrix], layer, slice(row, row + rows))
                    row += rows

    def __getitem__(self, name: str) -> NDArray[Any]:
        array = self._tensors[name]
        if name not in self._changed:
            return array
        product, layer, rows = self._changed[name]
        return (np.asarray(array, np.float32).astype(np.float64) + product.of(layer, rows)).astype(np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def pack(factors: Mapping[str, NDArray[Any]], products: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> bytes:
    """Return the file of corrections, each number rounded to the nearest that there is.

    Args:
        factors: by name of their array, float.
        products: B (layers, N, r) and A (layers, r, K) by name of their matrix, float; all of MATRICES, or none.
    """
    import zstandard

    numbers = [np.clip(np.rint((factors[name].reshape(-1) - 1) * 256), -127, 127).astype(np.int8) for name in NAMES]
    out = b"".join(array.tobytes() for array in numbers)
    rank = 0
    for name in MATRICES if products else ():
        b, a = (np.array(part, np.float64) for part in products[name])
        rank = b.shape[2]
        units = np.empty(len(b), "<f4")
        for layer in range(len(b)):
            b[layer], a[layer], units[layer] = _balanced(b[layer], a[layer])
        out += units.tobytes() + b.astype(np.int8).tobytes() + a.astype(np.int8).tobytes()
    return zstandard.ZstdCompressor(level=19).compress(bytes((rank,)) + out)


def _balanced(b: NDArray[np.float64], a: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Return integers B and A within 127 and a unit whose product is near that of `b` and `a`.

    Both get the same share of each singular value, so that what is rounded off weighs the same in both.
    """
    q1, r1 = np.linalg.qr(b)
    q2, r2 = np.linalg.qr(a.T)
    left, values, right = np.linalg.svd(r1 @ r2.T)
    root = np.sqrt(values)
    b, a = q1 @ left * root, (root[:, None] * right) @ q2.T
    tops = [max(float(np.abs(part).max()), 1e-12) / 127 for part in (b, a)]
    return np.rint(b / tops[0]), np.rint(a / tops[1]), tops[0] * tops[1]
