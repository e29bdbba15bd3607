"""Integers of a stated width, for kernels.

Compiled, the casts are numba's types; with the JIT off they are functions that wrap as the types do, since plain
integers do not.
"""

from __future__ import annotations

from typing import Any

import numba
from numba import config, types

Array = Any

COMPILED = not getattr(config, "DISABLE_JIT", 0)

if not COMPILED:

    def i64(x: Any) -> int:
        return int(x)

    def i32(x: Any) -> int:
        return int(x)

    def u8(x: Any) -> int:
        return int(x) & 0xFF

    def u16(x: Any) -> int:
        return int(x) & 0xFFFF

    def u32(x: Any) -> int:
        return int(x) & 0xFFFFFFFF

    def u64(x: Any) -> int:
        return int(x) & 0xFFFFFFFFFFFFFFFF

    def width(x: int) -> int:
        return int(x).bit_length()

else:
    from llvmlite import ir
    from numba.extending import intrinsic

    _types: Any = numba
    i64, i32 = _types.int64, _types.int32
    u8, u16, u32, u64 = _types.uint8, _types.uint16, _types.uint32, _types.uint64

    @intrinsic
    def width(typing_context: Any, x: Any) -> Any:
        """Return the number of binary digits of x (int64, 0 or more)."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
            return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

        return types.int64(types.int64), generate
