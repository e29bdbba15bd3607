"""Transform `x86`: relative targets of calls and jumps become places in the block.

Two calls of one function have different operands, since an operand counts from the instruction behind it; as places
they are equal, and an engine sees a repeat. The idea is old (Microsoft's CAB and LZX formats document it for E8); the
form here differs: it is a chain of steps, one for each byte, each of which can be undone alone because it does not
change what decides about it; so the inverse, which takes the steps in the opposite order, is exact for any bytes
whatever. The places are written from high to low, which lets a context see the high byte first.
docs/reference/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from typing import Any

from nzip.formats.content.kinds import BINARY, Content
from nzip.formats.transforms.base import Chain, CodeTransform
from nzip.params import Flag, Parameters, Params
from nzip.process import imported

MIN_CALLS = 16
MOST_CALLS = 1 << 16  # that are looked at
POINTER = 8  # bytes of one: what stands in rows beside the code is a pointer, or a few


class X86Transform(CodeTransform):
    """Rewrites the operands of E8 (call) and E9 (jump); the length stays."""

    name = "x86"
    id = 2
    version = 1
    parameters = Parameters(
        "transform x86",
        Flag(name="jcc", default=1, bits=8, help="1 to rewrite those of 0F 80 to 0F 8F (conditional jumps) too."),
    )

    def rewritten(self, data: bytes, params: Params, back: bool) -> bytes:
        imported("numba", "nzip.formats.transforms.x86_kernel")
        import numpy as np

        from nzip.formats.transforms import x86_kernel

        work = np.frombuffer(data, np.uint8).copy()
        if back:
            x86_kernel.to_relative(work, params["jcc"] == 1)
        else:
            x86_kernel.to_absolute(work, params["jcc"] == 1)
        return work.tobytes()

    def proposals(self, content: Content, before: Chain, sees_records: bool, sees_lines: bool) -> list[dict[str, Any]]:
        return [{"jcc": 1}] if content.kind == "exe-x86" and not before else []

    def content(self, coded: bytes, content: Content, params: Params) -> Content:
        """Return what the block held, with records of a pointer: code has none, and what is guessed of it hangs on
        which bytes are looked at."""
        held = super().content(coded, content, params)
        return held.seen_as(BINARY, POINTER) if held.whole.cls == BINARY else held

    def repays(self, block: bytes, params: Params) -> bool:
        """Whether calls and jumps have clearly fewer targets than operands, which is all that x86 lives from."""
        import numpy as np

        data = np.frombuffer(block, np.uint8)
        places = np.flatnonzero((data[:-4] == 0xE8) | (data[:-4] == 0xE9))
        places = places[(data[places + 4] == 0) | (data[places + 4] == 255)][:MOST_CALLS]
        if len(places) < MIN_CALLS:
            return False
        operands = sum(data[places + 1 + i].astype(np.int64) << 8 * i for i in range(3))
        targets = (operands + places + 5) & 0xFFFFFF
        return (len(np.unique(operands)) - len(np.unique(targets))) * 16 >= len(places)

    def prepare(self) -> None:
        code = bytes((0xE8, 1, 2, 3, 0)) * 8
        self.inverse(self.forward(code, {}), len(code), {})
