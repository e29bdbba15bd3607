"""Factors for a model's norms and output channels, learned from free text.

A model that was tuned for conversation and cut down to four bits predicts plain text worse than it could. Both is
partly undone by a factor for each gain of a norm and each output of a matrix (as in Liu et al., "Few-Shot
Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022): the exact form has a float32
number there anyway, so prediction costs what it cost. The factors were learned once, from text that is free and in no
benchmark, and come with this package (weights/lm/MODEL_CARD.md); corpora/tune_lm.py is how. They belong to one model
and are taken for the weights with its id alone.

A file, unpacked from zstandard, has one int8 n for each number of the arrays in NAMES, in their order, each array by
rows; the factor is 1 + n / 256. Products are rounded once, to float32, so the model's id is the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError
from nzip.models.lm.weights import LmWeights

NAMES = ("attention_gain", "qkv_scale", "out_scale", "ffn_gain", "gate_up_scale", "down_scale", "final_gain")
UNIT = np.float32(1 / 256)
# The start of the exact weights' SHA-256, and the SHA-256 of the file they are made from.
SOURCES = {"142a6cec2fb4c426": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"}


def read(model_id: str) -> bytes | None:
    """Return the packed factors for the weights with that id, before factors; None where there are none."""
    place = files("nzip.models").joinpath("weights", "lm", f"{model_id[:16]}.zst")
    return place.read_bytes() if place.is_file() else None


def _all() -> list[bytes]:
    folder = files("nzip.models").joinpath("weights", "lm")
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".zst")), key=lambda file: file.name)
    return [file.read_bytes() for file in found]


def model_bytes(digests: Iterable[str | None]) -> int:
    """Return the size of the factors for a model that is made of files with these SHA-256."""
    given = set(digests)
    return sum(len(read(model_id) or b"") for model_id, source in SOURCES.items() if source in given)


def version() -> str:
    """Return a name for all factors that come with nzip: weights made with others are other weights."""
    return hashlib.sha256(b"".join(_all())).hexdigest()[:12]


def tuned(weights: LmWeights, packed: bytes) -> LmWeights:
    """Return `weights` with factors.

    Raises:
        CorruptError: the factors are not those of such a model.
    """
    import zstandard

    arrays = {name: np.asarray(getattr(weights, name), np.float32) for name in NAMES}
    size = sum(array.size for array in arrays.values())
    try:
        plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size + 1)
    except zstandard.ZstdError as error:
        raise CorruptError("the factors of a language model are damaged") from error
    if len(plain) != size:
        raise CorruptError("the factors of a language model are damaged")
    numbers = np.frombuffer(plain, np.int8)
    made: dict[str, Any] = {}
    at = 0
    for name, array in arrays.items():
        factor = np.float32(1) + numbers[at : at + array.size].astype(np.float32) * UNIT
        made[name] = array * factor.reshape(array.shape)
        at += array.size
    return replace(weights, **made)


def pack(factors: dict[str, NDArray[np.float32]]) -> bytes:
    """Return the file of factors by name of their array, each rounded to the nearest that there is."""
    import zstandard

    numbers = [np.clip(np.rint((factors[name].reshape(-1) - 1) * 256), -127, 127).astype(np.int8) for name in NAMES]
    return zstandard.ZstdCompressor(level=19).compress(np.concatenate(numbers).tobytes())
