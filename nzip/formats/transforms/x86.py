"""Transform `x86`: relative targets of calls and jumps become places in the block.

Two calls of one function have different operands, since an operand counts from the instruction behind it; as places
they are equal, and an engine sees a repeat. The idea is old (Microsoft's CAB and LZX formats document it for E8); the
form here differs: it is a chain of steps, one for each byte, each of which can be undone alone because it does not
change what decides about it; so the inverse, which takes the steps in the opposite order, is exact for any bytes
whatever. The places are written from high to low, which lets a context see the high byte first.
docs/TRANSFORMS.md defines it to the bit.
"""

from __future__ import annotations

from nzip.formats.transforms.base import Transform, expect_size
from nzip.params import Flag, Parameters, Params
from nzip.process import imported


class X86Transform(Transform):
    """Rewrites the operands of E8 (call) and E9 (jump); the length stays."""

    name = "x86"
    id = 2
    version = 1
    parameters = Parameters(
        "transform x86",
        Flag(name="jcc", default=1, bits=8, help="1 to rewrite those of 0F 80 to 0F 8F (conditional jumps) too."),
    )

    def forward(self, block: bytes, params: Params) -> bytes:
        return _run(block, self.parameters.check(params), False)

    def inverse(self, coded: bytes, size: int, params: Params) -> bytes:
        p = self.parameters.check(params)
        expect_size(self.name, coded, size)
        return _run(coded, p, True)


def _run(data: bytes, p: Params, back: bool) -> bytes:
    imported("numba", "nzip.formats.transforms.x86_kernel")
    import numpy as np

    from nzip.formats.transforms import x86_kernel

    work = np.frombuffer(data, np.uint8).copy()
    if back:
        x86_kernel.to_relative(work, p["jcc"] == 1)
    else:
        x86_kernel.to_absolute(work, p["jcc"] == 1)
    return work.tobytes()
