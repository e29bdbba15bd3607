"""Engine `midicoth`: five online components that predict bytes, and a calibration that denoises what they say.

After R. Tacconelli, "Micro-Diffusion Compression: Binary Tree Tweedie Denoising", 2026. docs/reference/MIDICOTH.md
specifies the payload and says what differs from the paper. This module owns the memory; `kernel` fills it. Only
integers take part, so a payload is the same on every machine.

numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.content.kinds import Content
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.midicoth import layout
from nzip.params import Number, Parameters, Params
from nzip.process import lock

MIN_BITS, MAX_BITS, DEFAULT_BITS = 10, 24, 22  # log2 of the slots of 16 bytes
MATCH_BITS = (10, 20)  # log2 of each table of the match model
MATCH_LENGTHS = (16, 12, 8, 6, 4)
UNIT_SHARE = 8  # slots a unit of 32 bytes in the pool
FIXED = 12 << 20  # what does not depend on parameters: denoiser, weights, maps, constants

code = Native("nzip.models.midicoth.kernel", "code")


class MidicothEngine(Engine):
    """Codes a block by PPM, match, word and high-order models, blended and denoised."""

    name = "midicoth"
    id = 3
    version = 1
    parameters = Parameters(
        "engine midicoth",
        Number(
            name="bits",
            low=MIN_BITS,
            high=MAX_BITS,
            default=DEFAULT_BITS,
            help="The most that the log2 of the context slots, of 16 bytes each, may be.",
        ),
    )

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        # Ten contexts a byte; about half of them have been seen before.
        return {"bits": max(MIN_BITS, min(self._bits(params), (4 * size).bit_length()))}

    def _bits(self, params: Params) -> int:
        bits: int = self.parameters.check(params)["bits"]
        return bits

    def memory(self, params: Params, size: int) -> int:
        bits = self._bits(params)
        slots = (1 << bits) * 16 + units(bits) * 32
        return slots + len(MATCH_LENGTHS) * (4 << match_bits(size)) + FIXED + size  # and a copy of the payload

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + size  # and one of the block

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        import numpy as np

        from nzip.entropy import bounds

        coded = np.empty(len(block), np.uint8)
        state = build_state(self._bits(params), len(block))
        with progress.watching(state["reached"], 0, len(block)):
            coder = bounds.begin()
            code(False, np.frombuffer(block, np.uint8).copy(), coded, coder, *state.values())
        end = bounds.finish(coder, coded)
        if end > len(block):
            return bytes(len(block) + 1)
        return coded[:end].tobytes()

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds

        block = np.empty(size, np.uint8)
        coded = np.frombuffer(payload, np.uint8).copy()
        state = build_state(self._bits(params), size)
        with progress.watching(state["reached"], 0, size):
            coder = bounds.begin(coded)
            code(True, block, coded, coder, *state.values())
        if coder[bounds.AT] < len(coded):
            raise CorruptError("a midicoth block holds more than its bytes need")
        del coded  # its room is that of the bytes to be returned, as memory is stated
        return block.tobytes()

    def prepare(self) -> None:
        self.encode(bytes(64), {"bits": MIN_BITS})


def units(bits: int) -> int:
    """Return how many units of 32 bytes the pool has, for contexts of more than 6 symbols."""
    return max(512, (1 << bits) // UNIT_SHARE)


def match_bits(size: int) -> int:
    """Return the log2 of the entries of each of the match model's tables."""
    return max(MATCH_BITS[0], min(MATCH_BITS[1], (size - 1).bit_length()))


_lock = lock()
_tables: dict[str, Any] = {}


def _constants() -> dict[str, Any]:
    """The constant tables as arrays, under the names of the kernel's arguments, and the first states of the others."""
    with _lock:
        if not _tables:
            import numpy as np

            from nzip.models.midicoth import tables

            maps = tables.count_priors() * 16 + tables.match_priors()
            _tables.update(
                see=np.array(tables.escape_priors(), np.uint32),
                maps=np.array(maps, np.uint32),
                squash=np.array(tables.squash_values(), np.int32),
                logs=np.array(tables.log_values(), np.int32),
                rates=np.array(tables.rates(), np.int32),
                level=np.array(tables.levels(), np.uint8),
            )
    return _tables


def build_state(bits: int, size: int, parts: int | None = None) -> dict[str, Any]:
    """Allocate and initialise what the kernel works on, in the order of the kernel's arguments.

    Args:
        bits: log2 of the slots.
        size: of the block, in bytes.
        parts: which components take part (`layout.MATCH` and so on); all by default. Blocks that are coded with other
            parts cannot be told from files: this is for measuring.
    """
    import numpy as np

    settings = np.zeros(layout.CFG_SIZE, np.int64)
    settings[layout.CFG_BITS] = bits
    settings[layout.CFG_UNITS] = units(bits)
    settings[layout.CFG_PARTS] = layout.ALL if parts is None else parts
    settings[layout.CFG_MATCH_BITS] = match_bits(size)
    weights = np.zeros((layout.ROWS, layout.INPUTS), np.int32)
    weights[:, 0] = 40000  # of 2^16: PPM's
    weights[:, 1:5] = 16000  # high order, trie, pair, match
    constants = _constants()
    return {
        "settings": settings,
        "cells": _aligned(((1 << bits) + layout.DIRECT) * layout.SLOT + units(bits) * layout.UNIT, np.uint16),
        "table": np.zeros(len(MATCH_LENGTHS) << match_bits(size), np.uint32),
        "lengths": np.array(MATCH_LENGTHS, np.int64),
        "see": constants["see"].copy(),
        "maps": constants["maps"].copy(),
        "weights": weights.reshape(-1),
        "sums": _aligned(2 * layout.CELLS, np.int32),
        "squash": constants["squash"],
        "logs": constants["logs"],
        "rates": constants["rates"],
        "level": constants["level"],
        "reached": np.zeros(1, np.int64),
    }


def _aligned(count: int, dtype: Any) -> Any:
    """Zeros that start at a cache line."""
    import numpy as np

    size = np.dtype(dtype).itemsize
    raw = np.zeros(count + 64 // size, dtype)
    skip = (-raw.ctypes.data % 64) // size
    return raw[skip : skip + count]
