"""Products of 128 bits, for kernels: what the solver of normal equations needs beyond 64.

Sums of integers are exact in any order, so results do not depend on the machine.
"""

from __future__ import annotations

from typing import Any

from nzip.entropy.integers import COMPILED, Array

if not COMPILED:

    def mul_shift(a: int, b: int, shift: int) -> int:
        return (int(a) * int(b)) >> int(shift)

    def wide_dot(a: Array, i: int, b: Array, j: int, count: int, shift: int) -> int:
        return sum(int(a[i + k]) * int(b[j + k]) for k in range(count)) >> int(shift)

else:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    from nzip.models.cm.components.vectors import check_inside

    INT, LONG = ir.IntType(64), ir.IntType(128)

    @intrinsic
    def mul_shift(typing_context: Any, a: Any, b: Any, shift: Any) -> Any:
        """Return the product of two int64, shifted right by `shift` (0..127); the result must fit in int64."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, y, by = (builder.sext(value, LONG) for value in args)
            return builder.trunc(builder.ashr(builder.mul(x, y), by), INT)

        return types.int64(types.int64, types.int64, types.int64), generate

    @intrinsic
    def wide_dot(typing_context: Any, a: Any, i: Any, b: Any, j: Any, count: Any, shift: Any) -> Any:
        """Return the sum of a[i + k] * b[j + k], k < count, of arrays of int64, shifted right by `shift` (0..127)."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            first, i, second, j, count, shift = args
            check_inside(context, builder, signature.args[0], first, i, count)
            check_inside(context, builder, signature.args[2], second, j, count)
            left = builder.gep(context.make_array(signature.args[0])(context, builder, first).data, [i])
            right = builder.gep(context.make_array(signature.args[2])(context, builder, second).data, [j])
            before = builder.block
            loop, after = builder.append_basic_block("products"), builder.append_basic_block("after")
            zero = ir.Constant(INT, 0)
            builder.cbranch(builder.icmp_signed(">", count, zero), loop, after)
            builder.position_at_end(loop)
            index, total = builder.phi(INT), builder.phi(LONG)
            x = builder.sext(builder.load(builder.gep(left, [index])), LONG)
            y = builder.sext(builder.load(builder.gep(right, [index])), LONG)
            new = builder.add(total, builder.mul(x, y))
            following = builder.add(index, ir.Constant(INT, 1))
            index.add_incoming(zero, before)
            index.add_incoming(following, loop)
            total.add_incoming(ir.Constant(LONG, 0), before)
            total.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
            builder.position_at_end(after)
            result = builder.phi(LONG)
            result.add_incoming(ir.Constant(LONG, 0), before)
            result.add_incoming(new, loop)
            return builder.trunc(builder.ashr(result, builder.sext(shift, LONG)), INT)

        return types.int64(a, types.int64, b, types.int64, types.int64, types.int64), generate
