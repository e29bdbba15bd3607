"""What numba has no word for: products and sums in vector registers, and counters that threads share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic

from nzip.models.cm.components.vectors import CHECKED
from nzip.models.lm.network import arithmetic

intrinsic: Any = _intrinsic
_settings: Any = config

LIMIT = np.float32(arithmetic.RESIDUAL_LIMIT)
INT_LIMIT = int(arithmetic.RESIDUAL_LIMIT)


def _dot_instruction() -> bool:
    """Tell whether code for this CPU may use AVX-512 VNNI. Without, the same sums come from plain vector products."""
    if _settings.CPU_NAME or _settings.CPU_FEATURES or os.environ.get("NZIP_PORTABLE"):
        return False
    features = binding.get_host_cpu_features()
    if not (features.get("avx512vnni") and features.get("avx512bw") and features.get("avx512f")):
        return False
    binding.initialize_native_asmparser()  # numba sets up everything but this
    return True


_I8, _I16, _I32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_V16, _V32 = ir.VectorType(_I32, 16), ir.VectorType(_I32, 32)
_B64, _B32 = ir.VectorType(_I8, 64), ir.VectorType(_I8, 32)
_VNNI = _dot_instruction()


def _check(context: Any, builder: Any, signature: Any, args: Any, place: int, index: Any, count: Any) -> None:
    """With NUMBA_BOUNDSCHECK=1, check that argument `place`, an array, has `count` items from `index` on."""
    if CHECKED:
        from nzip.models.cm.components.vectors import check_inside

        check_inside(context, builder, signature.args[place], args[place], index, count)


def _const(values: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(_I32, len(values)), list(values))


def _pick(builder: Any, vector: Any, places: Sequence[int]) -> Any:
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), _const(places))


def _dot(builder: Any, total: Any, weights: Any, inputs: Any) -> Any:
    """Add to 16 sums (VNNI) or 32 half sums four products each: unsigned weights, signed inputs, <16 x i32> each."""
    if _VNNI:
        kind = ir.FunctionType(_V16, [_V16, _V16, _V16])
        code = ir.InlineAsm(kind, "vpdpbusd $3, $2, $0", "=v,0,v,v")
        return builder.call(code, [total, weights, inputs])
    w, x = builder.bitcast(weights, _B64), builder.bitcast(inputs, _B64)
    for half in range(2):  # products of even and of odd places: LLVM knows this as one multiply-add of pairs
        places = range(half, 64, 2)
        a = builder.zext(_pick(builder, w, places), _V32)
        b = builder.sext(_pick(builder, x, places), _V32)
        total = builder.add(total, builder.mul(a, b))
    return total


def _tile(rows: int, blocks: int) -> Any:
    """Return an intrinsic: sums of `blocks` * 16 outputs for `rows` rows, over k4 * 4 inputs.

    tile(weights, w, w_stride, inputs, x, x_stride, k4, out, o, o_stride): weights uint8 from index w, blocks
    w_stride apart; inputs int8 from x, rows x_stride apart; out int32 from o, rows o_stride apart.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pointer(place: int, index: Any) -> Any:
            data = context.make_array(signature.args[place])(context, builder, args[place]).data
            return builder.gep(data, [index])

        weights, inputs, out = pointer(0, args[1]), pointer(3, args[4]), pointer(7, args[8])
        w_stride, x_stride, k4, o_stride = args[2], args[5], args[6], args[9]
        for b in range(blocks if CHECKED else 0):
            at = builder.add(args[1], builder.mul(w_stride, w_stride.type(b)))
            _check(context, builder, signature, args, 0, at, builder.mul(k4, k4.type(64)))
        for r in range(rows if CHECKED else 0):
            at = builder.add(args[4], builder.mul(x_stride, x_stride.type(r)))
            _check(context, builder, signature, args, 3, at, builder.mul(k4, k4.type(4)))
            at = builder.add(args[8], builder.mul(o_stride, o_stride.type(r)))
            _check(context, builder, signature, args, 7, at, 16 * blocks)
        many = _V16 if _VNNI else _V32
        sums = [[cgutils.alloca_once(builder, many) for _ in range(blocks)] for _ in range(rows)]
        for line in sums:
            for place in line:
                builder.store(ir.Constant(many, [0] * many.count), place)
        size = k4.type
        with cgutils.for_range(builder, k4) as loop:
            lanes = []
            for b in range(blocks):
                at = builder.add(builder.mul(loop.index, size(64)), builder.mul(w_stride, size(b)))
                load = builder.load(builder.bitcast(builder.gep(weights, [at]), _V16.as_pointer()))
                load.align = 1
                lanes.append(load)
            for r in range(rows):
                at = builder.add(builder.mul(loop.index, size(4)), builder.mul(x_stride, size(r)))
                four = builder.load(builder.bitcast(builder.gep(inputs, [at]), _I32.as_pointer()))
                four.align = 1
                first = builder.insert_element(ir.Constant(_V16, ir.Undefined), four, _I32(0))
                same = _pick(builder, first, [0] * 16)
                for b in range(blocks):
                    builder.store(_dot(builder, builder.load(sums[r][b]), lanes[b], same), sums[r][b])
        for r in range(rows):
            for b in range(blocks):
                total = builder.load(sums[r][b])
                if not _VNNI:
                    total = builder.add(_pick(builder, total, range(0, 32, 2)), _pick(builder, total, range(1, 32, 2)))
                at = builder.add(builder.mul(o_stride, size(r)), size(16 * b))
                builder.store(total, builder.bitcast(builder.gep(out, [at]), _V16.as_pointer())).align = 4
        return context.get_dummy_value()

    @intrinsic
    def tile(
        typing_context: Any,
        weights: Any,
        w: Any,
        w_stride: Any,
        inputs: Any,
        x: Any,
        x_stride: Any,
        k4: Any,
        out: Any,
        o: Any,
        o_stride: Any,
    ) -> Any:
        i = types.int64
        return types.void(weights, i, i, inputs, i, i, i, out, i, i), generate

    return tile


tile1x2, tile2x2, tile4x2, tile8x2 = _tile(1, 2), _tile(2, 2), _tile(4, 2), _tile(8, 2)
tile1x1, tile2x1, tile3x1, tile4x1 = _tile(1, 1), _tile(2, 1), _tile(3, 1), _tile(4, 1)


def _mix(rows: int, blocks: int) -> Any:
    """Return an intrinsic: weighted sums of `blocks` * 16 channels for `rows` heads, over `places` tokens.

    mix(weights, w_stride, values, v, v_stride, places, out, o, o_stride): weights float32 that are integers, heads
    w_stride apart; values int8 from v, tokens v_stride apart; out float32 from o. Sums stay exact integers.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def pointer(place: int) -> Any:
            return context.make_array(signature.args[place])(context, builder, args[place]).data

        weights, values, out = pointer(0), pointer(2), pointer(6)
        w_stride, v, v_stride, places, o, o_stride = args[1], args[3], args[4], args[5], args[7], args[8]
        if CHECKED:
            span = builder.mul(builder.sub(places, places.type(1)), v_stride)
            _check(context, builder, signature, args, 2, v, builder.add(span, span.type(16 * blocks)))
        for r in range(rows if CHECKED else 0):
            _check(context, builder, signature, args, 0, builder.mul(w_stride, w_stride.type(r)), places)
            at = builder.add(o, builder.mul(o_stride, o_stride.type(r)))
            _check(context, builder, signature, args, 6, at, 16 * blocks)
        real = ir.FloatType()
        many = ir.VectorType(real, 16)
        sums = [[cgutils.alloca_once(builder, many) for _ in range(blocks)] for _ in range(rows)]
        for line in sums:
            for place in line:
                builder.store(ir.Constant(many, [0.0] * 16), place)
        size = places.type
        with cgutils.for_range(builder, places) as loop:
            lanes = []
            for b in range(blocks):
                at = builder.add(builder.mul(loop.index, v_stride), builder.add(v, size(16 * b)))
                kind = ir.VectorType(_I8, 16)
                load = builder.load(builder.bitcast(builder.gep(values, [at]), kind.as_pointer()))
                load.align = 1
                lanes.append(builder.sitofp(builder.sext(load, _V16), many))
            for r in range(rows):
                at = builder.add(loop.index, builder.mul(w_stride, size(r)))
                weight = builder.load(builder.gep(weights, [at]))
                same = builder.insert_element(ir.Constant(many, ir.Undefined), weight, _I32(0))
                same = _pick(builder, same, [0] * 16)
                for b in range(blocks):
                    total = builder.fadd(builder.load(sums[r][b]), builder.fmul(same, lanes[b]))
                    builder.store(total, sums[r][b])
        for r in range(rows):
            for b in range(blocks):
                at = builder.add(builder.mul(o_stride, size(r)), builder.add(o, size(16 * b)))
                place = builder.bitcast(builder.gep(out, [at]), many.as_pointer())
                builder.store(builder.load(sums[r][b]), place).align = 4
        return context.get_dummy_value()

    @intrinsic
    def mix(
        typing_context: Any,
        weights: Any,
        w_stride: Any,
        values: Any,
        v: Any,
        v_stride: Any,
        places: Any,
        out: Any,
        o: Any,
        o_stride: Any,
    ) -> Any:
        i = types.int64
        return types.void(weights, i, values, i, i, i, out, i, i), generate

    return mix


mix1x1, mix1x4, mix2x4, mix3x4 = _mix(1, 1), _mix(1, 4), _mix(2, 4), _mix(3, 4)


def _finish(wide: bool, adding: bool, blocks: int = 2, columns_first: bool = False) -> Any:
    """Return an intrinsic: what becomes of the `blocks` * 16 sums of a row, in registers.

    finish(acc, a, low, bias, scale, columns, c, out, o): sums int32 from acc[a] (high halves, if wide) and acc[low];
    bias int32; the row's scale; the outputs' scales, float32 from columns[c]; out float32, or the residual stream, from
    index o. The row's scale comes before the outputs', or after.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = ir.FloatType()
        many = ir.VectorType(real, 16)

        def load(place: int, index: Any, kind: Any) -> tuple[Any, Any]:
            _check(context, builder, signature, args, place, index, 16)
            data = context.make_array(signature.args[place])(context, builder, args[place]).data
            at = builder.bitcast(builder.gep(data, [index]), kind.as_pointer())
            value = builder.load(at)
            value.align = 4
            return at, value

        def same(value: Any, kind: Any) -> Any:
            first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _I32(0))
            return _pick(builder, first, [0] * 16)

        def within(value: Any, bound: float, kind: Any) -> Any:
            compare = builder.icmp_signed if kind is _V16 else builder.fcmp_ordered
            low, high = ir.Constant(kind, [-bound] * 16), ir.Constant(kind, [bound] * 16)
            value = builder.select(compare(">", value, low), value, low)
            return builder.select(compare("<", value, high), value, high)

        _, a, low, bias, scale, _, c, _, o = args
        size = a.type
        for b in range(blocks):
            _, total = load(0, builder.add(a, size(16 * b)), _V16)
            if wide:
                seven = ir.Constant(_V16, [7] * 16)
                total = builder.add(builder.shl(total, seven), load(0, builder.add(low, size(16 * b)), _V16)[1])
            value = builder.sitofp(builder.sub(total, same(bias, _V16)), many)
            factors = [same(scale, many), load(5, builder.add(c, size(16 * b)), many)[1]]
            for factor in reversed(factors) if columns_first else factors:
                value = builder.fmul(value, factor)
            at, before = load(7, builder.add(o, size(16 * b)), _V16 if adding else many)
            if adding:
                value = within(value, float(LIMIT), many)
                kind = ir.FunctionType(many, [many])
                function = cgutils.get_or_insert_function(builder.module, kind, "llvm.rint.v16f32")
                value = builder.add(before, builder.fptosi(builder.call(function, [value]), _V16))
                value = within(value, INT_LIMIT, _V16)
            builder.store(value, at).align = 4
        return context.get_dummy_value()

    @intrinsic
    def finish(
        typing_context: Any, acc: Any, a: Any, low: Any, bias: Any, scale: Any, columns: Any, c: Any, out: Any, o: Any
    ) -> Any:
        i = types.int64
        return types.void(acc, i, i, types.int32, types.float32, columns, i, out, i), generate

    return finish


store_narrow, store_wide, add_narrow, add_wide = (
    _finish(False, False), _finish(True, False), _finish(False, True), _finish(True, True),
)  # fmt: skip
store_scores = _finish(False, False, 1, True)


@intrinsic
def fetch_add(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Add to array[index], seen by all threads at once; return what was there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _check(context, builder, signature, args, 0, args[1], 1)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int32(array, types.int64, types.int32), generate


@intrinsic
def fetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Return array[index] as other threads see it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _check(context, builder, signature, args, 0, args[1], 1)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "seq_cst", 4)

    return types.int32(array, types.int64), generate


@intrinsic
def rint(typing_context: Any, x: Any) -> Any:
    """Round float32 to the nearest integer, ties to even, by an instruction: numpy's is a call that stops vectors."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = ir.FloatType()
        function = builder.module.declare_intrinsic("llvm.rint", [real], ir.FunctionType(real, [real]))
        return builder.call(function, [args[0]])

    return types.float32(types.float32), generate


@intrinsic
def let_others(typing_context: Any) -> Any:
    """Let another thread have this processor."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if os.name == "posix":
            kind = ir.FunctionType(_I32, [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate
