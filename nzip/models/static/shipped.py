"""The byte models that come with nzip; those with tables are trained, in some seconds, when they are first used."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files

from nzip.errors import NzipError
from nzip.models import primers
from nzip.models.static.model import StaticModel
from nzip.models.static.tables import ORDER, Tables, train
from nzip.process import lock

MODELS = ("text", "unigram", "adaptive")
ENGLISH = ("adf0af9bc15b78cd7d040e6d51470a7b35e9c6e620b8824c1e708068f7b14a8c", 2_800_003)  # SHA-256, bytes


class AdaptiveModel:
    """Counts of the bytes since `reset`, order 0: what knows nothing but its window. In plain Python."""

    name = "adaptive"
    identity = hashlib.sha256(b"adaptive 1").digest()
    increment, limit = 32, 1 << 16

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all bytes."""
        self._counts = [1] * 256

    def frequencies(self) -> list[int]:
        """Return the 256 frequencies of the next byte."""
        return self._counts

    def update(self, byte: int) -> None:
        """Count a byte; halve all counts (rounding up) when their sum passes the limit."""
        self._counts[byte] += self.increment
        if sum(self._counts) > self.limit:
            self._counts = [(count + 1) >> 1 for count in self._counts]


def english() -> bytes:
    """Return the English text that `text` and `unigram` are trained on besides the primers.

    Raises:
        NzipError: the installed file is damaged.
    """
    import zstandard

    packed = files("nzip.models").joinpath("weights", "static", "english.zst").read_bytes()
    try:
        plain: bytes = zstandard.ZstdDecompressor().decompress(packed, max_output_size=ENGLISH[1])
    except zstandard.ZstdError:
        plain = b""
    if hashlib.sha256(plain).hexdigest() != ENGLISH[0]:
        raise NzipError("the training text of this installation is damaged; install nzip again")
    return plain


def model_bytes() -> int:
    """Return the bytes of the package that the models are made of: the text above and the primers."""
    return len(files("nzip.models").joinpath("weights", "static", "english.zst").read_bytes()) + primers.model_bytes()


_lock = lock()


@lru_cache(maxsize=4)
def _shipped(name: str) -> Tables:
    texts = [(primers.text(number), 1) for number in primers.PRIMERS] + [(english(), 1)]
    return train(texts, 0 if name == "unigram" else ORDER)


def model(name: str) -> StaticModel | AdaptiveModel:
    """Return a model that comes with nzip: `text` (orders 0 to 6), `unigram` (order 0), or `adaptive`.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in MODELS:
        raise ValueError(f"there is no byte model {name!r}; there are {', '.join(MODELS)}")
    if name == "adaptive":
        return AdaptiveModel()
    with _lock:
        return StaticModel(name, _shipped(name))
