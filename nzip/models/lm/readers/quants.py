"""The block formats of GGUF tensors, back to float32.

A block is 32 or 256 weights: small integers, a float16 scale `d`, in some formats a float16 minimum `m`, and in the
256-weight formats 6- or 4-bit scales of its sub-blocks. Every product of a scale and an integer here has at most 24
significant bits, so it is exact in float32, and one rounding is left where a minimum is added: whoever does it in
float32, in any order, gets the same bits. The identity of a model rests on that.

Formats that are rarer than these are left to the package `gguf`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nzip.errors import UnsupportedError

Blocks = NDArray[np.uint8]  # (n, bytes of a block)
Floats = NDArray[np.float32]

CHUNK = 1 << 20  # weights that are made at a time: the intermediate arrays stay small


def _half(part: Blocks) -> Floats:
    """(n, 2k) bytes -> (n, k) float32."""
    return np.ascontiguousarray(part).view("<f2").astype(np.float32)


def _nibbles(part: Blocks) -> Blocks:
    """(n, k, w) -> (n, k, 2, w): low halves, then high halves."""
    return np.stack([part & np.uint8(15), part >> np.uint8(4)], axis=2)


def _f32(blocks: Blocks) -> Floats:
    return blocks.view("<f4").astype(np.float32)


def _f16(blocks: Blocks) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: Blocks) -> Floats:
    return (blocks.view("<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)


def _q8_0(blocks: Blocks) -> Floats:
    return _half(blocks[:, :2]) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _q4(blocks: Blocks, start: int) -> Floats:
    return _nibbles(blocks[:, None, start : start + 16]).reshape(-1, 32).astype(np.float32)


def _q5(blocks: Blocks, start: int) -> Floats:
    low = _nibbles(blocks[:, None, start + 4 : start + 20]).reshape(-1, 32)
    high = np.unpackbits(blocks[:, start : start + 4], axis=1, bitorder="little")  # (n, 32)
    return (low | high << 4).astype(np.float32)


def _q4_0(blocks: Blocks) -> Floats:
    return _half(blocks[:, :2]) * (_q4(blocks, 2) - np.float32(8))


def _q4_1(blocks: Blocks) -> Floats:
    return _half(blocks[:, :2]) * _q4(blocks, 4) + _half(blocks[:, 2:4])


def _q5_0(blocks: Blocks) -> Floats:
    return _half(blocks[:, :2]) * (_q5(blocks, 2) - np.float32(16))


def _q5_1(blocks: Blocks) -> Floats:
    return _half(blocks[:, :2]) * _q5(blocks, 4) + _half(blocks[:, 2:4])


def _pairs(part: Blocks) -> Blocks:
    """Two-bit numbers of 64 bytes in the order of their weights: (n, 64) -> (n, 256)."""
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, None, :, None]
    return (part.reshape(-1, 2, 1, 32) >> shifts & np.uint8(3)).reshape(-1, 256)


def _q2_k(blocks: Blocks) -> Floats:
    scales, d, m = blocks[:, :16], _half(blocks[:, 80:82]), _half(blocks[:, 82:84])
    q = _pairs(blocks[:, 16:80]).reshape(-1, 16, 16).astype(np.float32)
    scale, least = d * (scales & 15).astype(np.float32), m * (scales >> 4).astype(np.float32)
    return (scale[:, :, None] * q - least[:, :, None]).reshape(-1, 256)


def _q3_k(blocks: Blocks) -> Floats:
    packed, d = blocks[:, 96:108], _half(blocks[:, 108:110])
    low = np.concatenate([packed[:, :8] & 15, packed[:, :8] >> 4], axis=1)  # (n, 16)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, :, None]
    high = (packed[:, None, 8:] >> shifts & 3).reshape(-1, 16)
    scale = d * ((low | high << 4).astype(np.float32) - np.float32(32))
    bits = np.unpackbits(blocks[:, :32, None], axis=2, bitorder="little")  # (n, 32, 8): a bit for each run of 32
    bits = bits.transpose(0, 2, 1).reshape(-1, 256)
    q = _pairs(blocks[:, 32:96]).astype(np.float32) - np.float32(4) * (1 - bits).astype(np.float32)
    return (scale[:, :, None] * q.reshape(-1, 16, 16)).reshape(-1, 256)


def _six_bit(part: Blocks) -> tuple[Blocks, Blocks]:
    """Scales and minima of the eight sub-blocks of Q4_K and Q5_K, six bits each: (n, 12) -> (n, 8), (n, 8)."""
    a, b, c = part[:, :4], part[:, 4:8], part[:, 8:]
    scale = np.concatenate([a & 63, c & 15 | a >> 6 << 4], axis=1)
    least = np.concatenate([b & 63, c >> 4 | b >> 6 << 4], axis=1)
    return scale, least


def _with_minima(blocks: Blocks, q: Blocks) -> Floats:
    """(n, 8, 32) numbers with the scales that begin a block of Q4_K or Q5_K."""
    scale, least = _six_bit(blocks[:, 4:16])
    d = _half(blocks[:, :2]) * scale.astype(np.float32)
    m = _half(blocks[:, 2:4]) * least.astype(np.float32)
    return (d[:, :, None] * q.astype(np.float32) - m[:, :, None]).reshape(-1, 256)


def _q4_k(blocks: Blocks) -> Floats:
    return _with_minima(blocks, _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32))


def _q5_k(blocks: Blocks) -> Floats:
    low = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    bits = np.unpackbits(blocks[:, 16:48, None], axis=2, bitorder="little").transpose(0, 2, 1)  # (n, 8, 32)
    return _with_minima(blocks, low | bits << np.uint8(4))


def _q6_k(blocks: Blocks) -> Floats:
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 256)
    q = (low | _pairs(blocks[:, 128:192]) << 4).astype(np.float32) - np.float32(32)
    scale = _half(blocks[:, 208:210]) * blocks[:, 192:208].view(np.int8).astype(np.float32)  # (n, 16)
    return (scale[:, :, None] * q.reshape(-1, 16, 16)).reshape(-1, 256)


# Number of the type in the file: name, weights in a block, bytes of a block, the way back.
TYPES: dict[int, tuple[str, int, int, Callable[[Blocks], Floats]]] = {
    0: ("F32", 1, 4, _f32),
    1: ("F16", 1, 2, _f16),
    2: ("Q4_0", 32, 18, _q4_0),
    3: ("Q4_1", 32, 20, _q4_1),
    6: ("Q5_0", 32, 22, _q5_0),
    7: ("Q5_1", 32, 24, _q5_1),
    8: ("Q8_0", 32, 34, _q8_0),
    10: ("Q2_K", 256, 84, _q2_k),
    11: ("Q3_K", 256, 110, _q3_k),
    12: ("Q4_K", 256, 144, _q4_k),
    13: ("Q5_K", 256, 176, _q5_k),
    14: ("Q6_K", 256, 210, _q6_k),
    30: ("BF16", 1, 2, _bf16),
}
_NO_WEIGHTS = ("I8", "I16", "I32", "I64", "F64", "Q8_1", "Q8_K")  # known to the package gguf, not stored as weights


def block_of(type_: int) -> tuple[str, int, int]:
    """Return the name of a type, weights in a block and bytes of a block.

    Raises:
        UnsupportedError: the type is not known here.
    """
    if type_ in TYPES:
        return TYPES[type_][:3]
    try:
        import gguf
    except ImportError:
        raise UnsupportedError(
            f"tensors of type {type_} need the package gguf; install it with: pip install 'nzip[lm]'"
        ) from None
    try:
        kind = gguf.GGMLQuantizationType(type_)
        if kind.name not in _NO_WEIGHTS:
            return (kind.name, *gguf.GGML_QUANT_SIZES[kind])
    except (ValueError, KeyError):
        pass
    raise UnsupportedError(f"tensors of type {type_} cannot be read; take the model as Q8_0, Q4_K_M or F16")


def dequantise(type_: int, data: Blocks, out: Floats) -> None:
    """Fill `out` with the weights that `data` holds.

    Args:
        type_: a number that `block_of` knows.
        data: (bytes,) uint8, whole blocks.
        out: (weights,) float32.
    """
    _, weights, size = block_of(type_)
    blocks = data.reshape(-1, size)
    step = max(1, CHUNK // weights)
    with np.errstate(all="ignore"):  # damaged scales overflow; whoever calls looks for what is not finite
        for start in range(0, len(blocks), step):
            some = blocks[start : start + step]
            if type_ in TYPES:
                values = TYPES[type_][3](some)
            else:
                import gguf

                values = gguf.quants.dequantize(some, gguf.GGMLQuantizationType(type_))
            out[start * weights : (start + len(some)) * weights] = values.reshape(-1)
