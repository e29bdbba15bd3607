"""Which pictures are photographs: whether a pixel lies near its neighbours, or is just what stood there before.

A palette's pictures, screenshots and drawings repeat whole arrangements of pixels; a photograph does not. Where more
pixels than `REPEATS` say are the ones that followed the same four neighbours the last time (flat places left aside),
what finds repeats makes a picture smaller than what foretells samples. A quiet measurement of two bytes a sample
repeats much by chance.
"""

from __future__ import annotations

from dataclasses import replace

from nzip.formats.content.kinds import Segment

REPEATS = {1: 125, 2: 400}  # in a thousand, by the bytes of a sample
SAMPLE = 1 << 17  # pixels of the middle that are looked at
LEAST = 64  # of them that must not be flat
BITS = 16
FILMED = 100  # confidence of a segment whose format holds photographs only


def photographic(data: bytes, segment: Segment) -> bool:
    """Return whether a segment of kind `image`, which holds `data`, is a photograph."""
    if segment.indexed:
        return False
    import numpy as np

    rows = (segment.length - segment.offset) // segment.row if segment.row else 0
    width = segment.row // segment.stride if segment.stride else 0
    if rows < 2 or width < 4:
        return True
    count = min(rows, max(2, SAMPLE // width))
    start = segment.offset + (rows - count) // 2 * segment.row
    lines = np.frombuffer(data, np.uint8, count * segment.row, start).reshape(count, segment.row)
    pixels = lines[:, : width * segment.stride].reshape(count, width, segment.stride).astype(np.uint64)
    whole = np.zeros((count, width), np.uint64)
    for k in range(segment.stride):
        whole = whole * np.uint64(0x100000001B3) + pixels[:, :, k]
    left, above = whole[1:, 1:-2], whole[:-1, 2:-1]
    before, behind, here = whole[:-1, 1:-2], whole[:-1, 3:], whole[1:, 2:-1]
    key = left * np.uint64(0x9E3779B97F4A7C15)
    for other in (above, before, behind):
        key = (key ^ (key >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) + other
    key = ((key ^ (key >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)) >> np.uint64(64 - BITS)
    flat = ((left == above) & (above == before) & (before == behind)).reshape(-1)
    key, here = key.reshape(-1), here.reshape(-1)
    order = np.argsort(key, kind="stable")
    again = np.zeros(len(key), bool)
    again[order[1:]] = (key[order[1:]] == key[order[:-1]]) & (here[order[1:]] == here[order[:-1]])
    lively = len(flat) - int(flat.sum())
    most = REPEATS.get(segment.width, REPEATS[1])
    return lively < LEAST or int((again & ~flat).sum()) * 1000 < most * lively


def judged(data: bytes, segment: Segment) -> Segment:
    """Return a segment, which holds `data`, as one with places in a palette where it is a picture and no photograph."""
    if segment.kind != "image" or segment.indexed or segment.confidence >= FILMED or photographic(data, segment):
        return segment
    return replace(segment, indexed=True)
