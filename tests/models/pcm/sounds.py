"""Small sounds of every form that the engine `pcm` codes, as files with headers."""

from __future__ import annotations

import random
import struct
from array import array


def tones(frames: int, channels: int, *, peak: int = 9000, noise: int = 30, seed: int = 3) -> list[int]:
    """Return samples of triangles whose lengths differ, with some noise; channels one beside another."""
    dice, found = random.Random(seed), []
    for t in range(frames):
        for c in range(channels):
            value = 0
            for length in (37 + c, 101 + 2 * c):
                phase = t % length
                value += peak * min(2 * phase, 2 * (length - phase)) // length - peak // 2
            found.append(value // 2 + dice.randint(-noise, noise))
    return found


def packed(samples: list[int], width: int, *, big: bool = False) -> bytes:
    order = "big" if big else "little"
    return b"".join((value % (1 << 8 * width)).to_bytes(width, order) for value in samples)  # type: ignore[arg-type]


def _floats(values: list[float]) -> bytes:
    return array("f", values).tobytes()


def riff(
    samples: list[int] | bytes, width: int, channels: int, *, tag: int = 1, before: bytes = b"", behind: bytes = b""
) -> bytes:
    """Return a RIFF/WAVE file of samples (or of their bytes), with other chunks before and behind them."""
    data = samples if isinstance(samples, bytes) else packed(samples, width)
    form = struct.pack("<HHIIHH", tag, channels, 44100, 44100 * channels * width, channels * width, width * 8)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + before + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body) + len(behind)) + body + behind


def aiff(samples: list[int], width: int, channels: int) -> bytes:
    data = packed(samples, width, big=True)
    form = struct.pack(">HIH", channels, len(samples) // channels, 8 * width) + b"\x40\x0e\xac\x44\0\0\0\0\0\0"
    body = b"AIFFCOMM" + struct.pack(">I", len(form)) + form
    body += b"SSND" + struct.pack(">IQ", len(data) + 8, 0) + data
    return b"FORM" + struct.pack(">I", len(body)) + body


def every() -> dict[str, bytes]:
    """Return files by what they are."""
    dice = random.Random(8)
    info = b"LIST" + struct.pack("<I", 20) + b"INFOISFT" + struct.pack("<I", 8) + b"a maker\0"
    mono, stereo = tones(700, 1), tones(500, 2)
    odd = [value / 7 for value in tones(300, 1)] + [0.0, -0.0, float("inf"), float("nan"), 1e-42, 3e38, -1.5]
    return {
        "mono": riff(mono, 2, 1, before=info),
        "stereo": riff(stereo, 2, 2, behind=info + b"?"),
        "both channels alike": riff([value for value in mono for _ in range(2)], 2, 2),
        "eight bits": riff([(value >> 7) + 128 for value in mono], 1, 1),
        "eight bits with a sign": aiff([value >> 7 for value in mono], 1, 1),
        "highest byte first": aiff(stereo, 2, 2),
        "24 bits": riff([value * 300 + dice.randrange(300) for value in stereo], 3, 2),
        "16 bits in 24": riff([value * 256 for value in stereo], 3, 2),
        "32 bits": riff([value * 100_000 for value in mono], 4, 1),
        "32 bits of noise": riff([dice.randrange(-(1 << 31), 1 << 31) for _ in range(300)], 4, 1),
        "three channels": riff([v + c for v in tones(300, 1) for c in (0, 1, v // 2)], 2, 3),
        "few values": riff([value // 1000 * 777 for value in tones(2000, 1)], 2, 1),
        "floats of 16 bits": riff(_floats([value / 32768 for value in stereo]), 4, 2, tag=3),
        "floats": riff(_floats(odd), 4, 1, tag=3),
        "few floats": riff(_floats([value // 1000 * 0.1 for value in tones(2000, 1)]), 4, 1, tag=3),
        "silence": riff([0] * 900, 2, 1),
        "loud square": riff([(32767, -32768)[t // 50 % 2] for t in range(700)], 2, 1),
        "one frame": riff([5, 6], 2, 2),
    }
