"""Engine `jpeg`: whole JPEG files, one or more, with what stands between them.

A file is taken apart (`nzip.formats.jpeg`); its coefficients are predicted and mixed (`kernel`), and the bytes around
them are coded by a small model of bytes that has read a common header (`bytes_kernel`). All files of a block share what
is learned. Bytes that are no such file are coded as what stands between files.

docs/reference/JPEG.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.formats.jpeg.recoding import Outline
from nzip.formats.jpeg.structure import PER_BYTE
from nzip.models.base import Engine
from nzip.models.cm.layout import DECODE, ENCODE
from nzip.models.jpeg import layout, plan
from nzip.params import Number, Parameters, Params

KIND = "image-jpeg"  # of segments
FIXED = 24 << 20  # memory of what does not grow with the block, but the cells
PER_BLOCK = 130  # memory of a block of coefficients
COPIES = 8  # of the block, in parts and whole, while it is put together

_bytes = Native("nzip.models.jpeg.bytes_kernel", "code")
_coefficients = Native("nzip.models.jpeg.kernel", "code")


class JpegEngine(Engine):
    """Codes JPEG files by their coefficients."""

    name = "jpeg"
    id = 10
    version = 1
    parameters = Parameters(
        "engine jpeg",
        Number(name="preset", low=1, high=2, default=1, help="1 is fast, 2 makes files smaller."),
    )

    def accepts(self, content: Content) -> bool:
        return all(segment.kind == KIND for segment in content.segments)

    def _preset(self, params: Params) -> layout.Preset:
        return layout.PRESETS[self.parameters.check(params)["preset"]]

    def memory(self, params: Params, size: int) -> int:
        blocks = min(self._preset(params).blocks, PER_BYTE * size)
        return FIXED + 4 * layout.CELLS + PER_BLOCK * blocks + COPIES * size

    def encode_memory(self, params: Params, size: int) -> int:
        blocks = min(2 * self._preset(params).blocks, PER_BYTE * size)  # those that are kept, and one more picture
        return FIXED + 4 * layout.CELLS + PER_BLOCK * blocks + 2 * COPIES * size

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; where no file is found, or it would not be shorter, one byte more than the block."""
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.jpeg import memory

        preset = self._preset(params)
        files: list[plan.File] = []
        said = plan.planned(block, preset.blocks, files)
        if not files:
            return bytes(len(block) + 1)
        coded = np.empty(len(block), np.uint8)
        coder = bounds.begin()
        before, state = memory.constants()["before"], memory.byte_state()
        data = np.concatenate((before, np.frombuffer(said, np.uint8)))
        _bytes(ENCODE, len(before), data, coded, coder, *state)
        learned = memory.state(preset)
        learned.settings[4] = 1 << 62
        for file in files:
            if coder[bounds.AT] <= len(coded):
                shape, quantisers, passing = memory.picture(file.apart.outline)
                order, planes = memory.constants()["order"], file.planes(preset.blocks)
                _coefficients(ENCODE, planes, shape, quantisers, order, coded, coder, *learned, *passing)
        end = bounds.finish(coder, coded)
        payload = uleb(len(said)) + coded[: min(end, len(coded))].tobytes()
        return bytes(len(block) + 1) if end > len(coded) or len(payload) > len(block) else payload

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.jpeg import memory

        preset = self._preset(params)
        reader = Reader(payload)
        length = reader.uleb()
        if length > 2 * size + 64:
            raise CorruptError("a jpeg block is damaged (its plan is longer than the block)")
        coded = np.frombuffer(payload, np.uint8)[reader.pos :].copy()
        coder = bounds.begin(coded)
        before, state = memory.constants()["before"], memory.byte_state()
        data = np.concatenate((before, np.zeros(length, np.uint8)))
        _bytes(DECODE, len(before), data, coded, coder, *state)
        learned = memory.state(preset)

        def planes_of(outline: Outline, file_size: int) -> Any:
            planes = np.zeros(64 * (outline.frame.blocks + 1), np.int16)
            shape, quantisers, passing = memory.picture(outline)
            order = memory.constants()["order"]
            learned.settings[4] = 128 * file_size
            if _coefficients(DECODE, planes, shape, quantisers, order, coded, coder, *learned, *passing):
                raise CorruptError("a jpeg block is damaged (its coefficients are more than the file holds)")
            return planes

        said = Reader(data[len(before) :].tobytes())
        del data
        block = plan.restored(said, size, preset.blocks, planes_of)
        if said.left() or len(block) != size:
            raise CorruptError("a jpeg block is damaged (it has another size)")
        bounds.check_end(coder, len(coded))
        return block

    def prepare(self) -> None:
        from nzip.models.jpeg import standard

        block = standard.small_file()
        self.decode(self.encode(block * 3, {}), 3 * len(block), {})
