"""The arrays that the kernel of the engine `pcm` works on."""

from __future__ import annotations

from typing import Any

from nzip.models.pcm import layout
from nzip.models.pcm.presets import Preset
from nzip.models.pcm.sounds import Sound
from nzip.process import lock

# Headers that the model of bytes knows: what most files begin with.
HEADS = (
    b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12\0\2\0\0\0\0\0\x10\x40\x0e\xac\x44\0\0\0\0\0\0SSND\0\0\0\0\0\0\0\0\0\0\0\0"
    b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac\0\0\x88\x58\1\0\2\0\x10\0data\0\0\0\0"
    b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\x80\xbb\0\0\0\xee\2\0\4\0\x10\0"
    b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf58.76.100\0data\0\0\0\0"
    b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\x44\xac\0\0\x10\xb1\2\0\4\0\x10\0data\0\0\0\0"
)

_lock = lock()
_constants: dict[str, Any] = {}


def padding(preset: Preset) -> int:
    """Return how many zeros stand before a channel: what predicts its first sample."""
    return max(s.own + s.partner for s in preset.solvers) + 2


def rows(preset: Preset) -> list[int]:
    """Return the row of each solver's system."""
    return [s.own + 1 + s.partner for s in preset.solvers]


def taps(preset: Preset) -> int:
    """Return how many taps the filters of a channel have."""
    return sum(f.taps for f in preset.filters)


def most(preset: Preset, channels: int) -> int:
    """Return the bytes of what so many channels have for themselves."""
    systems = sum(8 * row * row + 8 * row + 16 for row in rows(preset)) + 12 * len(preset.solvers) ** 2
    return channels * (systems + 12 * taps(preset) + 4 * padding(preset) + 256)


def constants() -> dict[str, Any]:
    """The constant tables, under the names of the kernel's arguments."""
    with _lock:
        if not _constants:
            import numpy as np

            from nzip.models.cm import tables as shared
            from nzip.models.pcm import tables

            _constants.update(
                tails=np.array(tables.tail_values(), np.int64),
                logs=np.array(tables.log_values(), np.int64),
                squash=np.array(shared.squash_values(), np.int32),
                stretch=np.array(shared.stretch_values(12), np.int32),
                rates=np.array(shared.rates(), np.int64),
            )
    return _constants


def settings(sound: Sound, preset: Preset) -> Any:
    """Return what the kernel is told of a sound (int64)."""
    import numpy as np

    digits = max(sound.high, -1 - sound.low, 0).bit_length() + 1  # with the sign
    shift = max(0, digits - layout.HISTORY)
    found = np.zeros(layout.CFG_ROW + sound.channels, np.int64)
    found[layout.CFG_FRAMES] = sound.frames
    found[layout.CFG_CHANNELS] = sound.channels
    found[layout.CFG_PAD] = padding(preset)
    found[layout.CFG_LOW], found[layout.CFG_HIGH] = sound.low, sound.high
    found[layout.CFG_SHIFT] = shift
    found[layout.CFG_UP] = layout.SUM - 2 * (digits - shift - 1)
    found[layout.CFG_SOLVERS], found[layout.CFG_FILTERS] = len(preset.solvers), len(preset.filters)
    found[layout.CFG_DIGITS] = max(1, (sound.high - sound.low).bit_length())
    found[layout.CFG_ROW :] = sound.parts
    return found


def learnt() -> dict[str, Any]:
    """What the sounds of a block share: weights of the mixer, and adaptive probabilities."""
    import numpy as np

    mixer = np.zeros((layout.CHANNEL_SETS * layout.SETS, layout.LANES), np.int32)
    mixer[:, : layout.DISTRIBUTIONS] = layout.FIRST
    return {
        "mixer": mixer.reshape(-1),
        "cells": np.full(layout.CONTEXTS << layout.CONTEXT_BITS, 1 << 31, np.uint32),
    }


def predictors(preset: Preset, sound: Sound) -> dict[str, Any]:
    """What a sound begins with: solvers, filters, scales."""
    import numpy as np

    sizes, channels = rows(preset), sound.channels
    places, sums, weights = [], 0, 0
    for _ in range(channels):
        for row in sizes:
            places += [sums, weights]
            sums += row * row
            weights += 2 * row
    solvers, stages, all_taps = len(preset.solvers), len(preset.filters), taps(preset)
    largest = max(*sizes, solvers)
    return {
        "solvers": np.array(preset.solvers, np.int64).reshape(-1),
        "filters": np.array([*(number for each in preset.filters for number in each), all_taps], np.int64),
        "partners": np.array(sound.partners, np.int64),
        "sums": np.zeros(sums, np.int64),
        "work": np.zeros(largest * (largest + 4), np.int64),
        "weights": np.zeros(weights, np.int32),
        "places": np.array(places, np.int64),
        "blend_sums": np.zeros(channels * solvers * solvers, np.int64),
        "blend_weights": np.full(channels * solvers, (1 << layout.WEIGHT) // solvers, np.int32),
        "rings": np.zeros(2 * channels * all_taps, np.int32),
        "filter_weights": np.zeros(channels * all_taps, np.int32),
        "energies": np.zeros(channels * stages, np.int64),
        "scales": np.repeat([_scale(part) for part in sound.parts], layout.DISTRIBUTIONS).astype(np.int64),
    }


def _scale(part: int) -> int:
    """Return the mean error that a channel begins with: what its part says, about."""
    return max(1 << layout.SCALE, layout.SCALE_FIRST << part if part >= 0 else layout.SCALE_FIRST >> -part)


def plain() -> dict[str, Any]:
    """What the model of bytes begins with."""
    import numpy as np

    mixer = np.zeros((8, layout.LANES), np.int32)
    mixer[:, : layout.BYTE_ORDERS] = layout.BYTE_FIRST
    return {
        "mixer": mixer.reshape(-1),
        "cells": np.full(layout.BYTE_ORDERS << layout.BYTE_BITS, 1 << 31, np.uint32),
    }


def rests() -> Any:
    """Adaptive probabilities of what floats hold beyond integers."""
    import numpy as np

    return np.full(layout.REST_CELLS, 1 << 31, np.uint32)
