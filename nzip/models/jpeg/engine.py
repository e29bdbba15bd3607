"""Engine `jpeg`: whole JPEG files, one or more, with what stands between them.

A file is taken apart (`nzip.formats.jpeg`); its coefficients are predicted and mixed (`kernel`), and the bytes around
them are coded by a small model of bytes that has read a common header (`bytes_kernel`). All files of a block share what
is learned. Bytes that are no such file are coded as what stands between files.

docs/reference/JPEG.md specifies the payload. numba and numpy are imported when a block is coded, never before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.formats.jpeg.planes import Planes
from nzip.formats.jpeg.recoding import Outline
from nzip.formats.jpeg.structure import PER_BYTE
from nzip.models.base import Engine
from nzip.models.cm.layout import DECODE, ENCODE
from nzip.models.jpeg import layout, plan
from nzip.params import Number, Parameters, Params

KIND = "image-jpeg"  # of segments
FIXED = 12 << 20  # memory of what does not grow with the block, but the cells
PER_BLOCK = 144  # memory of a block of coefficients
COPIES = 5  # of the block, in parts and whole, while it is put together
READ = 3  # more of them, while a file is read
LONGER = 64  # bytes by which a plan may be longer than the block
AFFORD, SPENT = 4, 5  # of the loop's settings
LEAST_HELD = 1 << 16  # blocks of a picture that may be held, however large the block is

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

    def _most(self, params: Params, size: int) -> int:
        """Return how many blocks of coefficients may be held while a block of `size` bytes is coded."""
        return min(PER_BYTE * size, max(LEAST_HELD, (self._preset(params).memory - COPIES * size) // PER_BLOCK))

    def memory(self, params: Params, size: int) -> int:
        # More bytes leave less room for coefficients; what is stated does not shrink with them.
        most = self._preset(params).memory
        least = COPIES * size + PER_BLOCK * self._most(params, size)
        return FIXED + 4 * layout.CELLS + max(least, min((COPIES + PER_BLOCK * PER_BYTE) * size, most))

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + READ * size

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; where no file is found, or it would not be shorter, one byte more than the block."""
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.jpeg import memory

        files: list[plan.File] = []
        said = plan.planned(block, self._most(params, len(block)), files)
        if not files or len(said) > len(block) + LONGER:
            return bytes(len(block) + 1)
        length = len(said)
        coded = np.empty(len(block), np.uint8)
        coder = bounds.begin()
        before, state = memory.constants()["before"], memory.byte_state()
        data = np.concatenate((before, np.frombuffer(said, np.uint8)))
        del said
        _bytes(ENCODE, len(before), data, coded, coder, *state)
        del data
        learned = memory.state(self._preset(params))
        learned.settings[AFFORD] = 1 << 62
        for file in files:
            planes = file.apart.outline.planes()
            source, picture = file.coefficients(), memory.Picture(file.apart.outline, planes)
            while coder[bounds.AT] <= len(coded) and planes.following():
                source.fill(planes)
                self._code(ENCODE, planes, picture, coded, coder, learned)
        end = bounds.finish(coder, coded)
        payload = uleb(length) + coded[: min(end, len(coded))].tobytes()
        return bytes(len(block) + 1) if end > len(coded) or len(payload) > len(block) else payload

    def _code(self, mode: int, planes: Planes, picture: Any, coded: Any, coder: Any, learned: Any) -> int:
        """Code a strip of a picture."""
        from nzip.models.jpeg import memory

        found: int = _coefficients(
            mode, planes.values, picture.shape(planes), picture.quantisers, memory.constants()["order"], coded, coder,
            *learned, *picture.passing,
        )  # fmt: skip
        return found

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        import numpy as np

        from nzip.entropy import bounds
        from nzip.models.jpeg import memory

        reader = Reader(payload)
        length = reader.uleb()
        if length > size + LONGER:
            raise CorruptError("a jpeg block is damaged (its plan is longer than the block)")
        coded = np.frombuffer(payload, np.uint8)[reader.pos :].copy()
        coder = bounds.begin(coded)
        before, state = memory.constants()["before"], memory.byte_state()
        data = np.concatenate((before, np.zeros(length, np.uint8)))
        _bytes(DECODE, len(before), data, coded, coder, *state)
        said = Reader(data[len(before) :].tobytes())
        del data
        learned = memory.state(self._preset(params))

        def filler(outline: Outline, file_size: int) -> Callable[[Planes], None]:
            learned.settings[AFFORD], learned.settings[SPENT] = 128 * file_size, 0
            picture = None

            def fill(planes: Planes) -> None:
                nonlocal picture
                picture = picture or memory.Picture(outline, planes)
                if self._code(DECODE, planes, picture, coded, coder, learned):
                    raise CorruptError("a jpeg block is damaged (its coefficients are more than the file holds)")

            return fill

        block = np.zeros(size, np.uint8)
        made = plan.restored(said, block, self._most(params, size), filler)
        if said.left() or made != size:
            raise CorruptError("a jpeg block is damaged (it has another size)")
        bounds.check_end(coder, len(coded))
        return bytes(block.tobytes())

    def prepare(self) -> None:
        from nzip.models.jpeg import standard

        block = standard.small_file()
        self.decode(self.encode(block * 3, {}), 3 * len(block), {})
