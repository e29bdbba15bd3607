"""Arrays on the stack, for kernels that have no others of their own (`jit.bare`).

They last until the kernel returns: it may hand them to other kernels, but not return them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nzip.entropy.integers import COMPILED, Array

ALIGNED = 64  # bytes: a cache line, and the widest vector

if not COMPILED:

    def zeros(count: int, kind: Any) -> Array:
        kinds = {"u8": np.uint8, "i32": np.int32, "u32": np.uint32, "i64": np.int64, "u64": np.uint64}
        return np.zeros(count, kinds[kind.__name__])

else:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic
    from numba.np.arrayobj import populate_array

    @intrinsic
    def zeros(typing_context: Any, count: Any, kind: Any) -> Any:
        """Return `count` zeros of a type of `integers`. Not for use in a loop: nothing is freed in it."""
        result = types.Array(kind.dtype, 1, "C")

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            item = context.get_data_type(result.dtype)
            size = ir.Constant(args[0].type, context.get_abi_sizeof(item))
            data = builder.alloca(item, args[0])
            data.align = ALIGNED
            cgutils.memset(builder, data, builder.mul(args[0], size), 0)
            # Hidden from the compiler: where it knows of them, it makes vectors of loops over contexts, which then wait
            # for what scalars just wrote.
            data = builder.asm(ir.FunctionType(data.type, [data.type]), "", "=r,0", [data], side_effect=True)
            array = context.make_array(result)(context, builder)
            populate_array(array, data=data, shape=[args[0]], strides=[size], itemsize=size, meminfo=None)
            return array._getvalue()

        return result(types.int64, kind), generate
