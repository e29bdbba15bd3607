"""Engine `pix`: pictures without loss.

Each sample is foretold by least squares from samples around it and from the channels before its own, and coded by
binary decisions whose chances are mixed from many contexts of what was foretold, and how well, nearby. Pictures whose
colours were made of luma and chroma are taken back to these first (`colours`). The pictures of a block share what was
learned. The method is that of the best programs for photographs (Ye and Hou, "Least squares-based adaptive prediction",
2006; Meyer and Tischer, "Glicbawls", 2001; the mixing of Mahoney's PAQ family), in integers alone.

docs/reference/PIX.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader
from nzip.formats.content.kinds import Content, Segment
from nzip.models.base import Engine
from nzip.models.pix import pictures
from nzip.models.pix.presets import PRESETS
from nzip.params import Number, Parameters, Params

FIXED, PER_BYTE = 48 << 20, 20  # memory
PLANNED = 12  # bytes of a byte whose picture's planes are known before the first one is coded


class PixEngine(Engine):
    """Codes pictures, and what is between them."""

    name = "pix"
    id = 11
    version = 1
    parameters = Parameters(
        "engine pix",
        Number(name="preset", help="1 is quick, 2 makes smaller.", bits=8, low=1, high=2, default=1, newer=True),
    )
    imports = ("numpy",)

    def accepts(self, content: Content) -> bool:
        return all(not each.indexed and pictures.of_segment(each) is not None for each in content.segments)

    def memory(self, params: Params, size: int) -> int:
        return FIXED + PER_BYTE * size

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + PLANNED * size

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.pix import plans, sheets
        from nzip.models.pix.state import ENCODE, State, split

        found = pictures.of_content(content) if content is not None and content.size == len(block) else []
        data = np.frombuffer(block, np.uint8)
        coded = np.empty(len(block) + 1, np.uint8)
        coder = bounds.begin()
        state = State(ENCODE, PRESETS[params["preset"]], coded, coder)
        head, loose, todo, at = pictures.pack(found), [], [], 0
        for picture in found:
            loose.append(data[at : at + picture.gap])
            at += picture.gap
            channels, filling = sheets.samples(data, at, picture)
            at += picture.size
            loose.append(filling.reshape(-1))
            how, planes = plans.plan(picture, channels)
            how = split(how, planes[:3]) if how.formula else how
            for number, each in enumerate(how.bounds):
                if each.gaps:
                    planes[number], bitmap = plans.ranked(planes[number], each)
                    loose.append(bitmap)
            head += plans.pack(how)
            todo.append((picture, how, channels, planes))
        loose.append(data[at:])
        state.loose(np.concatenate(loose))
        for (picture, how, channels, planes), kept in zip(todo, pictures.followed(found), strict=True):
            state.encode(picture, how, channels, planes, kept)
        end = bounds.finish(coder, coded) if coder[bounds.AT] <= len(coded) else len(coded) + 1
        if len(head) + end > len(block):
            return bytes(len(block) + 1)
        return head + bytes(coded[:end].tobytes())

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.pix import plans, sheets
        from nzip.models.pix.state import DECODE, State

        reader = Reader(payload)
        found = pictures.unpack(reader, size)
        hows = [plans.unpack(reader, picture) for picture in found]
        bitmaps = sum(each.bitmap for how in hows for each in how.bounds)
        if bitmaps > size:
            raise CorruptError("a block's pictures have more gaps than samples")
        coded = np.frombuffer(payload, np.uint8)[reader.pos :].copy()
        coder = bounds.begin(coded)
        state = State(DECODE, PRESETS[params["preset"]], coded, coder)
        loose = np.zeros(bitmaps + size - sum(p.size - p.filling * p.height for p in found), np.uint8)
        state.loose(loose)
        data = np.empty(size, np.uint8)
        at = used = 0

        def taken(count: int) -> Any:
            nonlocal used
            used += count
            return loose[used - count : used]

        beside = []
        for picture, how in zip(found, hows, strict=True):
            data[at : at + picture.gap] = taken(picture.gap)
            at += picture.gap + picture.size
            filling = taken(picture.filling * picture.height).reshape(picture.height, -1)
            beside.append((at - picture.size, filling, [taken(each.bitmap) for each in how.bounds]))
        data[at:] = loose[used:]
        kept = pictures.followed(found)
        for picture, how, (at, filling, maps), is_kept in zip(found, hows, beside, kept, strict=True):
            sheets.put(data, at, picture, state.decode(picture, how, maps, is_kept), filling)
        bounds.check_end(coder, len(coded))
        return bytes(data.tobytes())

    def prepare(self) -> None:
        block = bytes(range(48)) * 16
        segment = Segment("image", len(block), width=1, channels=3, stride=3, row=48, confidence=100)
        self.decode(self.encode(block, self.fit({}, len(block)), Content((segment,))), len(block), {"preset": 1})
