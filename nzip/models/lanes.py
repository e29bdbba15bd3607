"""What the kernels of the byte models are written in: casts of a stated width, prefetching, and weights in vectors.

Compiled, the casts are numba's types; with the JIT off they are functions that wrap as the types do, since plain
integers do not. The mixer's vectors are built in LLVM's own terms, because numba does not make them of loops reliably;
integer sums are exact in any order, so results do not depend on how wide a machine's registers are.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import config, types

Array = Any

COMPILED = not getattr(config, "DISABLE_JIT", 0)
CHECKED = bool(getattr(config, "BOUNDSCHECK", None))  # NUMBA_BOUNDSCHECK=1: what goes by pointers is checked too
WEIGHT_MAX = (1 << 19) - 1  # with inputs within +-(12 * 256 - 1), 32 bits hold every product

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

    def prefetch(array: Array, index: int) -> None:
        pass

    def width(x: int) -> int:
        return int(x).bit_length()

    def plain_dot(inputs: Array, weights: Array) -> int:
        """Return the sum of the products, each shifted right by 8."""
        return int(((inputs * weights) >> 8).sum(dtype=np.int32))

    def plain_train(inputs: Array, weights: Array, error: int) -> Array:
        """Return weights + ((inputs * error + 2^13) >> 14), kept within +-WEIGHT_MAX."""
        change = (inputs * np.int32(error) + np.int32(0x2000)) >> 14
        return np.clip(weights + change, -WEIGHT_MAX, WEIGHT_MAX)

else:
    from llvmlite import ir
    from numba.extending import intrinsic

    _types: Any = numba
    i64, i32 = _types.int64, _types.int32
    u8, u16, u32, u64 = _types.uint8, _types.uint16, _types.uint32, _types.uint64
    INT = ir.IntType(32)

    def check_inside(context: Any, builder: Any, kind: Any, array: Any, index: Any, count: Any) -> None:
        """Where `CHECKED`, let the code raise IndexError unless `count` items of an array are there from `index` on."""
        if not CHECKED:
            return
        from numba.core import cgutils

        items = context.make_array(kind)(context, builder, array).nitems
        size = items.type(count) if isinstance(count, int) else count
        low = builder.icmp_signed("<", index, index.type(0))
        high = builder.icmp_signed(">", builder.add(index, size), items)
        with cgutils.if_unlikely(builder, builder.or_(low, high)):
            context.call_conv.return_user_exc(builder, IndexError, ("a vector lies outside of its array",))

    def pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
        """Return where array[index] stands, as a pointer to `to`."""
        check_inside(context, builder, kind, array, index, getattr(to, "count", 1))
        data = context.make_array(kind)(context, builder, array).data
        return builder.bitcast(builder.gep(data, [index]), to.as_pointer())

    def load(builder: Any, place: Any) -> Any:
        """Return the vector at a pointer that is aligned as int32 are."""
        lanes = builder.load(place)
        lanes.align = 4
        return lanes

    def store(builder: Any, lanes: Any, place: Any) -> None:
        """Write a vector to a pointer that is aligned as int32 are."""
        builder.store(lanes, place).align = 4

    def same(kind: Any, value: int) -> Any:
        """Return a vector of `kind` with `value` in each lane."""
        return ir.Constant(kind, [value] * kind.count)

    def spread(builder: Any, kind: Any, value: Any) -> Any:
        """Return a vector of `kind` with an int32 that is known at run time in each lane."""
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT, 0))
        order = ir.Constant(ir.VectorType(INT, kind.count), [0] * kind.count)
        return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), order)

    def products(builder: Any, inputs: Any, weights: Any) -> Any:
        """Return the products of two vectors, each shifted right by 8."""
        return builder.ashr(builder.mul(inputs, weights), same(inputs.type, 8))

    def total(builder: Any, lanes: Any) -> Any:
        """Return the sum of a vector's lanes."""
        kind = ir.FunctionType(INT, [lanes.type])
        name = f"llvm.vector.reduce.add.v{lanes.type.count}i32"
        return builder.call(builder.module.declare_intrinsic(name, (), kind), [lanes])

    def trained(builder: Any, inputs: Any, weights: Any, error: Any) -> Any:
        """Return weights + ((inputs * error + 2^13) >> 14), kept within +-WEIGHT_MAX; `error` is a vector."""
        kind = inputs.type
        change = builder.ashr(builder.add(builder.mul(inputs, error), same(kind, 0x2000)), same(kind, 14))
        new = builder.add(weights, change)
        new = builder.select(builder.icmp_signed("<", new, same(kind, WEIGHT_MAX)), new, same(kind, WEIGHT_MAX))
        return builder.select(builder.icmp_signed(">", new, same(kind, -WEIGHT_MAX)), new, same(kind, -WEIGHT_MAX))

    @intrinsic
    def width(typing_context: Any, x: Any) -> Any:
        """Return the number of binary digits of x (int64, 0 or more)."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            zeros = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
            return builder.sub(ir.Constant(ir.IntType(64), 64), zeros)

        return types.int64(types.int64), generate

    @intrinsic
    def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
        """Ask for the cache line of array[index]; changes nothing but time."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            byte = ir.IntType(8)
            place = pointer(context, builder, signature.args[0], args[0], args[1], byte)
            kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), INT, INT, INT])
            function = builder.module.declare_intrinsic("llvm.prefetch", [byte.as_pointer()], kind)
            builder.call(function, [place, ir.Constant(INT, 1), ir.Constant(INT, 3), ir.Constant(INT, 1)])
            return context.get_dummy_value()

        return types.void(array, index), generate
