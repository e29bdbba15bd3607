"""Entropy coding in integers: CDF quantisation, binary arithmetic coder, rANS, range coder.

Nothing here knows a model or a file. Models hand over integer frequencies, the coders turn symbols into bytes and back.
Every result is made of integer operations only, so it is the same on every machine; a change of the bytes that a coder
writes is a change of the format. The coders carry no checksum: the container checks what was decoded.

Names are loaded when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nzip.entropy import sources as sources  # looks at them before any of them is imported

_HOME = {
    "BinaryDecoder": "binary",
    "BinaryEncoder": "binary",
    "decode_bits": "binary",
    "encode_bits": "binary",
    "code_length_bits": "cdf",
    "entropy_bits": "cdf",
    "freqs_to_cdf": "cdf",
    "quantise_counts": "cdf",
    "quantise_floats": "cdf",
    "AdaptiveModel": "range",
    "RangeDecoder": "range",
    "RangeEncoder": "range",
    "decode_adaptive": "range",
    "decode_symbols": "range",
    "encode_adaptive": "range",
    "encode_intervals": "range",
    "encode_symbols": "range",
    "RansDecoder": "rans",
    "RansTable": "rans",
    "bytes_to_words": "rans",
    "decode": "rans",
    "decode_family": "rans",
    "encode_reverse": "rans",
    "encode_reverse_family": "rans",
    "words_to_bytes": "rans",
}

__all__ = [*sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
