"""Memory and weights in vectors: prefetching, and the products and updates of a mixer's weights.

The vectors are built in LLVM's own terms, because numba does not make them of loops reliably; integer sums are exact in
any order, so results do not depend on how wide a machine's registers are. A product is shifted right by 8; weights
change by (input * error + 2^13) >> 14 and stay within +-WEIGHT_MAX.

* `dot8`, `train8`, `dot16`, `train16`: one vector, `inputs[i:]` and `weights[o:]`.
* `dot`, `train`: any number of vectors of 16, from the first input on.
* `mix8`: `dot8` of inputs that come as scalars: a vector read of what scalars just wrote would wait for memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import config, types

from nzip.entropy.integers import COMPILED, Array

CHECKED = bool(getattr(config, "BOUNDSCHECK", None))  # NUMBA_BOUNDSCHECK=1: what goes by pointers is checked too
WEIGHT_MAX = (1 << 19) - 1  # with inputs within +-(12 * 256 - 1), 32 bits hold every product

if not COMPILED:

    def prefetch(array: Array, index: int) -> None:
        pass

    def _dot(inputs: Array, weights: Array) -> int:
        return int(((inputs * weights) >> 8).sum(dtype=np.int32))

    def _train(inputs: Array, weights: Array, error: int) -> None:
        change = (inputs * np.int32(error) + np.int32(0x2000)) >> 14
        weights[:] = np.clip(weights + change, -WEIGHT_MAX, WEIGHT_MAX)

    def _of_width(lanes: int) -> Any:
        def dot(inputs: Array, weights: Array, i: int, o: int) -> int:
            return _dot(inputs[i : i + lanes], weights[o : o + lanes])

        def train(inputs: Array, weights: Array, i: int, o: int, error: int) -> None:
            _train(inputs[i : i + lanes], weights[o : o + lanes], error)

        return dot, train

    def mix8(inputs: Array, weights: Array, i: int, o: int, *values: int) -> int:
        inputs[i : i + 8] = values
        return _dot(inputs[i : i + 8], weights[o : o + 8])

    def dot(inputs: Array, weights: Array, o: int, vectors: int) -> int:
        return _dot(inputs[: 16 * vectors], weights[o : o + 16 * vectors])

    def train(inputs: Array, weights: Array, o: int, vectors: int, error: int) -> None:
        _train(inputs[: 16 * vectors], weights[o : o + 16 * vectors], error)

else:
    from llvmlite import ir
    from numba.extending import intrinsic

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

    def _pointer(context: Any, builder: Any, kind: Any, array: Any, index: Any, to: Any) -> Any:
        """Return where array[index] stands, as a pointer to `to`."""
        check_inside(context, builder, kind, array, index, getattr(to, "count", 1))
        data = context.make_array(kind)(context, builder, array).data
        return builder.bitcast(builder.gep(data, [index]), to.as_pointer())

    def _load(builder: Any, place: Any) -> Any:
        """Return the vector at a pointer that is aligned as int32 are."""
        lanes = builder.load(place)
        lanes.align = 4
        return lanes

    def _same(kind: Any, value: int) -> Any:
        """Return a vector of `kind` with `value` in each lane."""
        return ir.Constant(kind, [value] * kind.count)

    def _spread(builder: Any, kind: Any, value: Any) -> Any:
        """Return a vector of `kind` with an int32 that is known at run time in each lane."""
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT, 0))
        order = ir.Constant(ir.VectorType(INT, kind.count), [0] * kind.count)
        return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), order)

    def _products(builder: Any, inputs: Any, weights: Any) -> Any:
        """Return the products of two vectors, each shifted right by 8."""
        return builder.ashr(builder.mul(inputs, weights), _same(inputs.type, 8))

    def _total(builder: Any, lanes: Any) -> Any:
        """Return the sum of a vector's lanes."""
        kind = ir.FunctionType(INT, [lanes.type])
        name = f"llvm.vector.reduce.add.v{lanes.type.count}i32"
        return builder.call(builder.module.declare_intrinsic(name, (), kind), [lanes])

    def _learn(builder: Any, inputs: Any, there: Any, error: Any) -> None:
        """Change the vector of weights at the pointer `there`; `error` is a vector."""
        kind = inputs.type
        change = builder.ashr(builder.add(builder.mul(inputs, error), _same(kind, 0x2000)), _same(kind, 14))
        new = builder.add(_load(builder, there), change)
        new = builder.select(builder.icmp_signed("<", new, _same(kind, WEIGHT_MAX)), new, _same(kind, WEIGHT_MAX))
        new = builder.select(builder.icmp_signed(">", new, _same(kind, -WEIGHT_MAX)), new, _same(kind, -WEIGHT_MAX))
        builder.store(new, there).align = 4

    @intrinsic
    def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
        """Ask for the cache line of array[index]; changes nothing but time."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            byte = ir.IntType(8)
            place = _pointer(context, builder, signature.args[0], args[0], args[1], byte)
            kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), INT, INT, INT])
            function = builder.module.declare_intrinsic("llvm.prefetch", [byte.as_pointer()], kind)
            builder.call(function, [place, ir.Constant(INT, 1), ir.Constant(INT, 3), ir.Constant(INT, 1)])
            return context.get_dummy_value()

        return types.void(array, index), generate

    def _of_width(lanes: int) -> Any:
        """Return `dot` and `train` for vectors of so many lanes."""
        kind = ir.VectorType(INT, lanes)

        @intrinsic
        def dot(typing_context: Any, inputs: Any, weights: Any, i: Any, o: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                x = _load(builder, _pointer(context, builder, signature.args[0], args[0], args[2], kind))
                w = _load(builder, _pointer(context, builder, signature.args[1], args[1], args[3], kind))
                return _total(builder, _products(builder, x, w))

            return types.int32(inputs, weights, types.int64, types.int64), generate

        @intrinsic
        def train(typing_context: Any, inputs: Any, weights: Any, i: Any, o: Any, error: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                x = _load(builder, _pointer(context, builder, signature.args[0], args[0], args[2], kind))
                there = _pointer(context, builder, signature.args[1], args[1], args[3], kind)
                _learn(builder, x, there, _spread(builder, kind, args[4]))
                return context.get_dummy_value()

            return types.void(inputs, weights, types.int64, types.int64, types.int32), generate

        return dot, train

    @intrinsic
    def mix8(
        typing_context: Any, inputs: Any, weights: Any, i: Any, o: Any,
        a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any,
    ) -> Any:  # fmt: skip
        """Store eight inputs in inputs[i:] and return what `dot8` returns for them."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            lanes = ir.VectorType(INT, 8)
            x = ir.Constant(lanes, ir.Undefined)
            for k in range(8):
                x = builder.insert_element(x, args[4 + k], ir.Constant(INT, k))
            there = _pointer(context, builder, signature.args[0], args[0], args[2], lanes)
            builder.store(x, there).align = 4
            w = _load(builder, _pointer(context, builder, signature.args[1], args[1], args[3], lanes))
            return _total(builder, _products(builder, x, w))

        return types.int32(inputs, weights, types.int64, types.int64, *[types.int32] * 8), generate

    def _each(builder: Any, vectors: Any, start: Any, body: Any) -> Any:
        """Run body(index, value) for index = 0, 16, ... below 16 `vectors`; return the last value."""
        before, after = builder.block, None
        loop, after = builder.append_basic_block("lanes"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        wide = vectors.type
        index, value = builder.phi(wide), builder.phi(start.type)
        index.add_incoming(ir.Constant(wide, 0), before)
        value.add_incoming(start, before)
        result = body(index, value)
        following = builder.add(index, ir.Constant(wide, 16))
        end = builder.block  # not `loop` where indexes are checked
        index.add_incoming(following, end)
        value.add_incoming(result, end)
        builder.cbranch(builder.icmp_signed("<", following, builder.shl(vectors, ir.Constant(wide, 4))), loop, after)
        builder.position_at_end(after)
        return result

    @intrinsic
    def dot(typing_context: Any, inputs: Any, weights: Any, o: Any, vectors: Any) -> Any:
        """Return the sum of the products inputs[k] * weights[o + k], k < 16 vectors."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            lanes = ir.VectorType(INT, 16)

            def body(index: Any, value: Any) -> Any:
                x = _load(builder, _pointer(context, builder, signature.args[0], args[0], index, lanes))
                at = builder.add(args[2], index)
                w = _load(builder, _pointer(context, builder, signature.args[1], args[1], at, lanes))
                return builder.add(value, _products(builder, x, w))

            return _total(builder, _each(builder, args[3], _same(lanes, 0), body))

        return types.int32(inputs, weights, types.int64, types.int64), generate

    @intrinsic
    def train(typing_context: Any, inputs: Any, weights: Any, o: Any, vectors: Any, error: Any) -> Any:
        """Change weights[o + k] for k < 16 vectors."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            lanes = ir.VectorType(INT, 16)
            e = _spread(builder, lanes, args[4])

            def body(index: Any, value: Any) -> Any:
                x = _load(builder, _pointer(context, builder, signature.args[0], args[0], index, lanes))
                at = builder.add(args[2], index)
                _learn(builder, x, _pointer(context, builder, signature.args[1], args[1], at, lanes), e)
                return value

            _each(builder, args[3], ir.Constant(INT, 0), body)
            return context.get_dummy_value()

        return types.void(inputs, weights, types.int64, types.int64, types.int32), generate


dot8, train8 = _of_width(8)
dot16, train16 = _of_width(16)
