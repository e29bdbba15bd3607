"""The lanes of preset 1 by torch: on a processor or a GPU, with the very bytes that `lanes` gives.

All lanes of all chunks take a step at once. How many words those before a lane in its chunk take, which says where its
own word is, is a running sum. A large model has thousands of chunks, and so a hundred thousand lanes.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.models.tensor import quick
from nzip.models.tensor.differences import joined
from nzip.models.tensor.layout import LANES, LEAST_STATE, TABLE_BITS, WHOLE


def decode(payload: bytes, size: int, device: str = "cpu", old: bytes | memoryview = b"") -> bytes:
    """Return the block of `size` bytes of a payload of preset 1.

    Args:
        payload: as the engine made it.
        size: bytes of the block.
        device: of torch, where the lanes are.
        old: the file that the block stands beside.

    Raises:
        CorruptError: the payload is damaged.
    """
    found = quick.taken_apart(Reader(payload), size, len(old))
    sorted_ = symbols(found, size, device).cpu().numpy()
    quick.put_others(found, sorted_)
    return joined(found.pieces, sorted_, old)


def symbols(found: quick.Coded, size: int, device: str) -> Any:
    """Return the planes, uint8 (size,), of which those that a table codes are there.

    Raises:
        CorruptError: a chunk does not end as it should.
    """
    import numpy as np
    import torch

    planes = torch.zeros(
        size + 1, dtype=torch.uint8, device=device
    )  # (size + 1,): what no lane has goes behind the end
    if not found.chunks:
        return planes[:size]
    steps = [_steps(chunk, lanes) for chunk, lanes in zip(found.chunks, found.lanes, strict=True)]
    most = max(map(len, steps))
    plan = np.zeros((3, most, len(steps)), np.int64)  # places, lanes in use and tables, (3, S, C)
    for number, each in enumerate(steps):
        plan[:, : len(each), number] = each.T
    places, counts, tables = torch.from_numpy(plan).to(device)
    longest = max(map(len, found.words)) + LANES
    kept = np.zeros((len(steps), longest), np.int64)
    for number, words in enumerate(found.words):
        kept[number, : len(words)] = words
    words = torch.from_numpy(kept).to(device)  # (C, W)
    ends = torch.tensor([len(each) for each in found.words], device=device)  # (C,)
    entries = torch.from_numpy(quick.look_ups(found.tables).astype(np.int64)).to(device)
    used = torch.tensor(found.lanes, device=device)[:, None]  # (C, 1)
    lane = torch.arange(LANES, device=device)[None, :]  # (1, L)
    x = words[:, 0 : 2 * LANES : 2] | words[:, 1 : 2 * LANES : 2] << 16  # (C, L)
    x = torch.where(lane < used, x, LEAST_STATE)
    good = bool(((x >= LEAST_STATE) & (x < LEAST_STATE << 16)).all())
    at = 2 * used[:, 0]  # (C,)
    for step in range(most):
        mine = lane < counts[step][:, None]  # (C, L)
        entry = entries[tables[step][:, None] * WHOLE + (x & (WHOLE - 1))]
        target = torch.where(mine, places[step][:, None] + lane, size)
        planes[target] = (entry & 255).to(torch.uint8)
        new = ((entry >> 20) + 1) * (x >> TABLE_BITS) + ((entry >> 8) & (WHOLE - 1))
        low = mine & (new < LEAST_STATE)
        before = low.long().cumsum(1) - low.long()
        word = words.gather(1, (at[:, None] + before).clamp(max=longest - 1))
        x = torch.where(mine, torch.where(low, new << 16 | word, new), x)
        at = at + low.sum(1)
    if not good or not bool((x == LEAST_STATE).all()) or not bool((at == ends).all()):
        raise CorruptError("a tensor payload is damaged")
    return planes[:size]


def _steps(chunk: list[tuple[int, int, int]], lanes: int) -> Any:
    """Return the steps of a chunk, (S, 3): where the first lane's symbol goes, how many lanes have one, a table."""
    import numpy as np

    found = []
    for start, stop, table in chunk:
        begin = np.arange(start, stop, lanes, dtype=np.int64)
        found.append(np.stack([begin, np.minimum(lanes, stop - begin), np.full_like(begin, table)], axis=1))
    return np.concatenate(found)
