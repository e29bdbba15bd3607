"""The model of `exact` without torch: int8 products with the CPU's dot-product instructions, on threads.

A row is one token of one stream. `step` feeds one row a stream; `prefill` feeds many rows of one stream at once, which
an encoder may do because it knows them. Both run the same kernel, so they give the same integers; how rows are
grouped, and which thread takes which piece of work, is visible in no result, because every sum is a sum of integers.

How it works:
* Weights lie in blocks of 16 outputs by 4 inputs, one vector register, as unsigned bytes (weight + 128); a row's four
  inputs are spread over the register. The product is corrected by 128 times the row's sum. Keys lie the same way: a
  register has 16 tokens by 4 channels.
* One call of the kernel runs on every thread at once. Threads take pieces of a phase from a shared counter and wait for
  each other between phases.
* A ring holds a stream's window, and its first tokens stand before the ring. Order means nothing to integer sums.

Tables are arguments and never globals, which would become part of the machine code.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic as _intrinsic
from numpy.typing import NDArray

from nzip.entropy import jit
from nzip.errors import LimitError
from nzip.models.cm.components.vectors import CHECKED
from nzip.models.lm import exact
from nzip.models.lm.config import SINKS
from nzip.models.lm.weights import LmWeights
from nzip.process import lock

Array = Any
Number = Any  # of a kernel: numba has its own idea of its type
intrinsic: Any = _intrinsic
kernel: Any = jit.kernel  # numba types what it decorates in its own way
_settings: Any = config

LANES = 16  # outputs, or tokens, of one register
PAIR = 2 * LANES  # outputs of a tile
ROWS = 64  # that one call of the kernel takes at most
FIRST_PLACES = 256  # that a new state has room for
NEVER = -3.0e38  # the score of a place that is not seen: its weight is 0

F127, TINY = np.float32(exact.LEVELS), np.float32(exact.TINY)
LIMIT = np.float32(exact.RESIDUAL_LIMIT)
INT_LIMIT = int(exact.RESIDUAL_LIMIT)
EXP_LAST = np.float32(exact.EXP_SIZE - 1)
GATE_STEP, GATE_LAST = np.float32(exact.GATE_STEP), np.float32(exact.GATE_SIZE)
STEP = np.float32(exact.STEP)
UNIT24 = np.float32(2.0**-24)
SHARE_ONE = np.float32(1 << exact.SHARE_BITS)
VALUE_ONE = float(1 << exact.VALUE_BITS)
SHARE_VALUE = 2.0 ** (exact.SHARE_BITS + exact.VALUE_BITS)
SQUARE_SHIFT = exact.SQUARE_SHIFT
SQUARE_HALF = 1 << exact.SQUARE_SHIFT >> 1
SQUARE_UNIT = 2.0 ** (2 * exact.SQUARE_SHIFT - 2 * exact.RESIDUAL_BITS)
RESIDUAL_UNIT = 2.0**-exact.RESIDUAL_BITS
TOTAL, SPREAD_BITS = exact.TOTAL, exact.SPREAD_BITS
Z = np.float32(0.0)


# ---- what numba has no word for --------------------------------------------------------------------------------------


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


# A phase is a number of pieces of work. Its counters, a cache line apart: pieces taken, pieces done.
TAKEN, DONE, COUNTERS = 0, 16, 32


@kernel
def take(sync: Array, phase: int) -> Number:
    """Return the number of a piece of the phase that is now this thread's; there may be no such piece."""
    return np.int64(fetch_add(sync, phase * COUNTERS + TAKEN, 1))


@kernel
def over(sync: Array, phase: int, pieces: int) -> bool:
    """Tell whether all pieces of the phase are done."""
    return fetch(sync, phase * COUNTERS + DONE) >= pieces


@kernel
def wait(sync: Array, phase: int, pieces: int) -> None:
    """Return when all pieces of the phase are done. Only a thread that holds one is waited for, so a thread that the
    system does not run, or that comes late, holds up nobody.
    """
    spins = 0
    while fetch(sync, phase * COUNTERS + DONE) < pieces:
        spins += 1
        if spins > 500:
            let_others()


# ---- phases ----------------------------------------------------------------------------------------------------------


@kernel
def absmax(x: Array, size: int) -> np.float32:
    """Return the largest magnitude of x[:size]; size is a multiple of 16."""
    top = np.zeros(16, np.float32)
    for i in range(0, size, 16):
        for j in range(16):
            v = abs(x[i + j])
            top[j] = v if v > top[j] else top[j]
    out = top[0]
    for j in range(1, 16):
        out = top[j] if top[j] > out else out
    return out


@kernel
def quantise(
    x: Array, size: int, levels: np.float32, high: Array, low: Array, sums: Array, row: int, rows: int
) -> np.float32:
    """Write a row as int8, or as two halves when there are more than 127 levels; return its scale."""
    top = absmax(x, size)
    top = top if top > TINY else TINY
    factor = levels / top
    if levels <= F127:
        total = np.int32(0)
        for i in range(size):
            q = np.int32(rint(x[i] * factor))
            high[i] = np.int8(q)
            total += q
        sums[row] = total
    else:
        above, below = np.int32(0), np.int32(0)
        for i in range(size):
            q = np.int32(rint(x[i] * factor))
            h = (q + np.int32(64)) >> np.int32(7)
            r = q - (h << np.int32(7))
            high[i] = np.int8(h)
            low[i] = np.int8(r)
            above += h
            below += r
        sums[row] = above
        sums[rows + row] = below
    return top / levels


@kernel
def normalise(residual: Array, gain: Array, eps: float, width: int, values: Array) -> np.float32:
    """Write the row times the gain to `values`; return the inverse root mean square."""
    squares = np.int64(0)
    for i in range(width):
        coarse = np.int64((residual[i] + np.int32(SQUARE_HALF)) >> np.int32(SQUARE_SHIFT))
        squares += coarse * coarse
        values[i] = np.float32(residual[i]) * gain[i]
    mean = np.float64(squares) / np.float64(width) * SQUARE_UNIT
    return np.float32(RESIDUAL_UNIT / math.sqrt(mean + eps))


# What a product does with its results.
STORE, ADD = range(2)


@kernel
def sums_of_tile(w: Array, at: int, k: int, x: Array, stride: int, rows: int, acc: Array) -> None:
    """Fill acc (rows, 32) with the raw sums of two blocks of outputs that start at w[at]."""
    k4 = k // 4
    r = 0
    while rows - r >= 8:
        tile8x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)
        r += 8
    if rows - r >= 4:
        tile4x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)
        r += 4
    if rows - r >= 2:
        tile2x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)
        r += 2
    if rows - r >= 1:
        tile1x2(w, at, k * 16, x, r * stride, stride, k4, acc, r * PAIR, PAIR)


@kernel
def product(
    kind: int, w: Array, scales: Array, n: int, k: int, rows: int, wide: bool, x: Array, sums: Array, row_scale: Array,
    out: Array, residual: Array, sync: Array, phase: int, acc: Array,
) -> None:  # fmt: skip
    """Multiply rows by a matrix, taking pairs of blocks of outputs from the shared counter until none is left.

    Returns when all are done.
    """
    stride = x.shape[1]
    flat = x.reshape(-1)
    flat_acc, flat_out, flat_residual = acc.reshape(-1), out.reshape(-1), residual.reshape(-1)
    many = 2 * rows if wide else rows
    pairs = (n + PAIR - 1) // PAIR
    line, column = np.empty(PAIR, np.float32), np.empty(PAIR, np.float32)
    while True:
        pair = take(sync, phase)
        if pair >= pairs:
            break
        sums_of_tile(w, pair * PAIR * k, k, flat, stride, many, flat_acc)
        first = pair * PAIR
        count = min(PAIR, n - first)
        for j in range(PAIR):
            column[j] = scales[first + j]
        if count == PAIR:
            for r in range(rows):
                if wide:
                    bias = np.int32((sums[r] << np.int32(14)) + (sums[rows + r] << np.int32(7)))
                    if kind == ADD:
                        add_wide(flat_acc, r * PAIR, (rows + r) * PAIR, bias, row_scale[r], column, 0, flat_residual,
                                 r * residual.shape[1] + first)  # fmt: skip
                    else:
                        store_wide(flat_acc, r * PAIR, (rows + r) * PAIR, bias, row_scale[r], column, 0, flat_out,
                                   r * out.shape[1] + first)  # fmt: skip
                else:
                    bias = np.int32(sums[r] << np.int32(7))
                    if kind == ADD:
                        add_narrow(flat_acc, r * PAIR, 0, bias, row_scale[r], column, 0, flat_residual,
                                   r * residual.shape[1] + first)  # fmt: skip
                    else:
                        store_narrow(flat_acc, r * PAIR, 0, bias, row_scale[r], column, 0, flat_out,
                                     r * out.shape[1] + first)  # fmt: skip
            fetch_add(sync, phase * COUNTERS + DONE, 1)
            continue
        for r in range(rows):
            scale = row_scale[r]
            if wide:
                bias = (sums[r] << np.int32(14)) + (sums[rows + r] << np.int32(7))
                for j in range(PAIR):
                    total = (acc[r, j] << np.int32(7)) + acc[rows + r, j] - bias
                    line[j] = np.float32(np.int32(total)) * scale * column[j]
            else:
                bias = sums[r] << np.int32(7)
                for j in range(PAIR):
                    line[j] = np.float32(np.int32(acc[r, j] - bias)) * scale * column[j]
            if kind == ADD:
                to = residual[r, first : first + PAIR]
                for j in range(count):
                    v = line[j]
                    v = v if v > -LIMIT else -LIMIT
                    v = v if v < LIMIT else LIMIT
                    t = to[j] + np.int32(rint(v))
                    to[j] = min(max(t, np.int32(-INT_LIMIT)), np.int32(INT_LIMIT))
            else:
                put = out[r, first : first + PAIR]
                for j in range(count):
                    put[j] = line[j]
        fetch_add(sync, phase * COUNTERS + DONE, 1)
    wait(sync, phase, pairs)


@kernel
def gate(gates: Array, ups: Array, size: int, table: Array, out: Array) -> None:
    """Write SiLU(gates) * ups."""
    for i in range(size):
        t = gates[i] * GATE_STEP
        t = t if t > -GATE_LAST else -GATE_LAST
        t = t if t < GATE_LAST else GATE_LAST
        logistic = np.float32(table[np.uint32(np.int32(rint(t)) + np.int32(GATE_LAST))]) * UNIT24
        out[i] = gates[i] * logistic * ups[i]


@kernel
def rotate(x: Array, cos: Array, sin: Array, half: int, out: Array) -> None:
    """Turn a head."""
    for i in range(half):
        a, b = x[i], x[half + i]
        ac = a * cos[i]
        bs = b * sin[i]
        bc = b * cos[i]
        as_ = a * sin[i]
        out[i] = ac - bs
        out[half + i] = bc + as_


@kernel
def slot(position: int, ring: int) -> int:
    """Return where a token's key and value stand."""
    return position if position < SINKS else SINKS + (position - SINKS) % ring


@kernel
def keep(
    keys: Array, key_scale: Array, values: Array, value_scale: Array, place: int,
    key: Array, value: Array, high: Array, none: Array, total: Array,
) -> None:  # fmt: skip
    """Store one head's key (turned) and value, at one place of one stream and layer."""
    dim = key.shape[0]
    key_scale[place] = quantise(key, dim, F127, high, none, total, 0, 1)
    block, lane = place // LANES, place % LANES
    for i in range(dim):
        keys[block, i // 4, lane, i % 4] = np.uint8(np.int32(high[i]) + np.int32(128))
    value_scale[place] = quantise(value, dim, F127, high, none, total, 0, 1)
    for i in range(dim):
        values[place, i] = high[i]


@kernel
def score(keys: Array, key_scale: Array, first: int, last: int, dim: int, q: Array, totals: Array, scales: Array,
          group: int, dots: Array, scores: Array) -> None:  # fmt: skip
    """Write scores (group, place), in table steps, of the blocks of places first..last-1."""
    flat, flat_q, flat_dots = keys.reshape(-1), q.reshape(-1), dots.reshape(-1)
    flat_scores, stride = scores.reshape(-1), scores.shape[1]
    for block in range(first, last):
        at = block * LANES * dim
        g = 0
        while group - g >= 4:
            tile4x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
            g += 4
        if group - g == 3:
            tile3x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
        elif group - g == 2:
            tile2x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
        elif group - g == 1:
            tile1x1(flat, at, 0, flat_q, g * dim, dim, dim // 4, flat_dots, g * LANES, LANES)
        place = block * LANES
        for g in range(group):
            bias = np.int32(totals[g] << np.int32(7))
            store_scores(flat_dots, g * LANES, 0, bias, scales[g], key_scale, place, flat_scores, g * stride + place)


@kernel
def shares(scores: Array, value_scale: Array, size: int, table: Array) -> np.float32:
    """Turn scores of `size` places (a multiple of 16) to integer weights, in place; return the output's scale."""
    out = scores
    tops = np.empty(16, np.float32)
    for j in range(16):
        tops[j] = scores[j]
    for i in range(16, size, 16):
        for j in range(16):
            v = scores[i + j]
            tops[j] = v if v > tops[j] else tops[j]
    top = tops[0]
    for j in range(1, 16):
        top = tops[j] if tops[j] > top else top
    whole = np.int64(0)
    for i in range(size):
        d = top - scores[i]
        d = d if d < EXP_LAST else EXP_LAST
        weight = table[np.uint32(np.int32(rint(d)))]
        whole += np.int64(weight)
        out[i] = np.float32(weight) * value_scale[i]
    most = absmax(out, size)
    most = most if most > TINY else TINY
    factor = SHARE_ONE / most
    total = np.int64(0)
    for i in range(size):
        share = rint(out[i] * factor)
        total += np.int64(np.int32(share))
        out[i] = share
    total = total if total > 1 else np.int64(1)
    factor = np.float32(VALUE_ONE / np.float64(total))
    for i in range(size):
        out[i] = rint(out[i] * factor)
    return np.float32(np.float64(most) * np.float64(total) / (np.float64(whole) * SHARE_VALUE))


@kernel
def weigh(weights: Array, values: Array, places: int, group: int, dim: int, total: Array) -> None:
    """Add up values (places, dim) by the weights (group, places) of heads: total (group, dim).

    All partial sums are integers below 2^24, so float32 holds them exactly in any order.
    """
    flat_w, flat_v, flat_t, stride = weights.reshape(-1), values.reshape(-1), total.reshape(-1), weights.shape[1]
    g = 0
    while g < group:
        many = min(3, group - g) if dim % 64 == 0 else 1
        w, t = flat_w[g * stride :], flat_t[g * dim :]
        if dim % 64:
            for i in range(0, dim, 16):
                mix1x1(w, stride, flat_v, i, dim, places, t, i, dim)
        else:
            for i in range(0, dim, 64):
                if many == 3:
                    mix3x4(w, stride, flat_v, i, dim, places, t, i, dim)
                elif many == 2:
                    mix2x4(w, stride, flat_v, i, dim, places, t, i, dim)
                else:
                    mix1x4(w, stride, flat_v, i, dim, places, t, i, dim)
        g += many


@kernel
def spread(row: Array, size: int, table: Array) -> None:
    """Turn logits in table steps to frequencies, in place: the same memory is float32, then int32."""
    ints = row.view(np.int32)
    top = row[0]
    for i in range(1, size):
        top = row[i] if row[i] > top else top
    first = 0
    while row[first] != top:
        first += 1
    whole = np.int64(0)
    for i in range(size):
        d = top - row[i]
        d = d if d < EXP_LAST else EXP_LAST
        weight = table[np.uint32(np.int32(rint(d)))]
        whole += np.int64(weight)
        ints[i] = weight
    factor = (np.int64(TOTAL - size) << np.int64(SPREAD_BITS)) // whole
    given = np.int64(0)
    for i in range(size):
        f = np.int64(1) + ((np.int64(ints[i]) * factor) >> np.int64(SPREAD_BITS))
        given += f
        ints[i] = np.int32(f)
    ints[first] += np.int32(TOTAL - given)


# ---- the whole step --------------------------------------------------------------------------------------------------

PHASES_PER_LAYER = 10

# Places in `sizes`.
(
    S_LAYERS, S_WIDTH, S_HEADS, S_KV, S_DIM, S_FFN, S_VOCAB, S_WINDOW, S_RING, S_ROWS, S_LOGITS,
) = range(11)  # fmt: skip


@kernel
def forward(
    thread: int, sizes: Array, eps: float, levels: Array, step: np.float32,
    attention_gain: Array, qkv_w: Array, qkv_s: Array, out_w: Array, out_s: Array,
    ffn_gain: Array, gate_up_w: Array, gate_up_s: Array, down_w: Array, down_s: Array,
    final_gain: Array, head_w: Array, head_s: Array, embedding: Array, embedding_s: Array,
    exp_table: Array, gate_table: Array, rope_table: Array,
    keys: Array, key_scale: Array, values: Array, value_scale: Array,
    tokens: Array, streams: Array, positions: Array,
    residual: Array, inputs: Array, totals: Array, row_scale: Array, wide_rows: Array, heads_out: Array,
    accs: Array, scores: Array, sync: Array, result: Array, hidden: Array,
) -> None:  # fmt: skip
    """Run all layers for a batch of rows, as one of several threads.

    Args:
        thread: which one.
        levels: of the inputs of qkv, out, gate_up, down and head, float32 (5,).
        step: table steps per unit of a score.
        tokens, streams, positions: of the rows, int32; rows of one stream have positions that follow each other.
        inputs, totals, row_scale: quantised rows, by thread: (threads, 2 ROWS, K), (threads, 2 ROWS), (threads, ROWS).
        wide_rows: float32 (ROWS, widest), what a product wrote.
        heads_out: float32 (ROWS, query width).
        accs, scores: workspace by thread.
        sync: counters of the phases, zeros at the start.
        result: float32 (rows, vocab), which the frequencies replace, unless S_LOGITS is 2; not used when it is 0.
        hidden: int16 (rows, width), filled with what the head is multiplied by, or without rows.
    """
    width, dim, ffn, rows = sizes[S_WIDTH], sizes[S_DIM], sizes[S_FFN], sizes[S_ROWS]
    heads, kv = sizes[S_HEADS], sizes[S_KV]
    group, query, kv_width = heads // kv, heads * dim, kv * dim
    ring, window = sizes[S_RING], sizes[S_WINDOW]
    half = dim // 2
    own = rows <= 2  # few rows: every thread prepares all of them for itself, and none waits
    mine = thread if own else 0
    x, sums, scale = inputs[mine], totals[mine], row_scale[mine]
    acc = accs[thread]
    r: Number
    newest: Number
    size: Number
    sinks: Number
    oldest: Number
    line = np.empty(max(width, query, ffn), np.float32)
    cos, sin = np.empty((2, half), np.float32), np.empty((2, half), np.float32)
    turned = np.empty(dim, np.float32)
    high, none = np.empty(dim, np.int8), np.empty(1, np.int8)
    q_near, q_far = np.empty((group, dim), np.int8), np.empty((group, dim), np.int8)
    sum_near, sum_far = np.empty(group, np.int32), np.empty(group, np.int32)
    scale_near, scale_far = np.empty(group, np.float32), np.empty(group, np.float32)
    dots = np.empty((group, LANES), np.int32)
    mix, factors, one = np.empty((group, dim), np.float32), np.empty(group, np.float32), np.empty(1, np.int32)

    while True:
        r = take(sync, 0)
        if r >= rows:
            break
        token = tokens[r]
        for i in range(width):
            v = rint(np.float32(embedding[token, i]) * embedding_s[token])
            v = v if v > -LIMIT else -LIMIT
            v = v if v < LIMIT else LIMIT
            residual[r, i] = np.int32(v)
        fetch_add(sync, DONE, 1)
    wait(sync, 0, rows)
    for layer in range(sizes[S_LAYERS] + 1):
        phase = 1 + layer * PHASES_PER_LAYER
        last = layer == sizes[S_LAYERS]
        if last and sizes[S_LOGITS] == 0:
            break
        if not last and over(sync, phase + PHASES_PER_LAYER - 1, (width + PAIR - 1) // PAIR):
            continue  # this thread is late
        # Normalise, for attention or for the head. A thread that prepares rows for itself alone may be late and read
        # what others already replace; then it gets no piece of the product that follows either.
        level = levels[4] if last else levels[0]
        gain = final_gain if last else attention_gain[layer]
        r = np.int64(-1)
        while True:
            r = r + 1 if own else take(sync, phase)
            if r >= rows:
                break
            inverse = normalise(residual[r], gain, eps, width, line)
            s = quantise(line, width, level, x[r], x[rows + r], sums, r, rows) * inverse
            scale[r] = s * STEP if last else s
            if not own:
                fetch_add(sync, phase * COUNTERS + DONE, 1)
        if not own:
            wait(sync, phase, rows)
        phase += 1
        if last:
            product(STORE, head_w, head_s, sizes[S_VOCAB], width, rows, level > F127, x, sums, scale, result,
                    residual, sync, phase, acc)  # fmt: skip
            phase += 1
            while True:
                r = take(sync, phase)
                if r >= rows:
                    break
                if sizes[S_LOGITS] == 1:
                    spread(result[r], sizes[S_VOCAB], exp_table)
                # Here and not where it is made: who has a piece of a phase cannot be late.
                if hidden.shape[0] > 0:
                    for i in range(width):
                        if level > F127:
                            hidden[r, i] = np.int16((np.int32(x[r, i]) << np.int32(7)) + np.int32(x[rows + r, i]))
                        else:
                            hidden[r, i] = np.int16(x[r, i])
                fetch_add(sync, phase * COUNTERS + DONE, 1)
            wait(sync, phase, rows)
            break
        product(STORE, qkv_w[layer], qkv_s[layer], query + 2 * kv_width, width, rows, level > F127, x, sums, scale,
                wide_rows, residual, sync, phase, acc)  # fmt: skip
        phase += 1

        # Keep keys and values, all of them before anyone looks.
        while True:
            item = take(sync, phase)
            if item >= rows:
                break
            place = slot(positions[item], ring)
            angle(rope_table, positions[item], half, cos[0], sin[0])
            for g in range(kv):
                at = query + g * dim
                rotate(wide_rows[item, at : at + dim], cos[0], sin[0], half, turned)
                at += kv_width
                keep(keys[streams[item], layer, g], key_scale[streams[item], layer, g],
                     values[streams[item], layer, g], value_scale[streams[item], layer, g], place,
                     turned, wide_rows[item, at : at + dim], high, none, one)  # fmt: skip
            fetch_add(sync, phase * COUNTERS + DONE, 1)
        wait(sync, phase, rows)
        phase += 1

        # Attention, one key head of one row at a time.
        while True:
            item = take(sync, phase)
            if item >= rows * kv:
                break
            r, g = item // kv, item % kv
            stream, position = streams[r], np.int64(positions[r])
            sinks = min(position + 1, SINKS)
            far = position >= window
            angle(rope_table, position, half, cos[0], sin[0])
            if far:
                angle(rope_table, window - 1, half, cos[1], sin[1])
            for h in range(group):
                at = (g * group + h) * dim
                rotate(wide_rows[r, at : at + dim], cos[0], sin[0], half, turned)
                scale_near[h] = quantise(turned, dim, F127, q_near[h], none, sum_near, h, 1) * step
                if far:
                    rotate(wide_rows[r, at : at + dim], cos[1], sin[1], half, turned)
                    scale_far[h] = quantise(turned, dim, F127, q_far[h], none, sum_far, h, 1) * step
            k, ks, v, vs = (
                keys[stream, layer, g], key_scale[stream, layer, g], values[stream, layer, g],
                value_scale[stream, layer, g],
            )  # fmt: skip
            newest = position - SINKS  # in the ring, if it were endless
            used = 1 + (min(newest + 1, ring) + LANES - 1) // LANES if newest >= 0 else 1  # blocks
            points = scores[thread]
            if far:
                score(k, ks, 0, 1, dim, q_far, sum_far, scale_far, group, dots, points)
            else:
                score(k, ks, 0, 1, dim, q_near, sum_near, scale_near, group, dots, points)
            score(k, ks, 1, used, dim, q_near, sum_near, scale_near, group, dots, points)
            size = used * LANES
            for h in range(group):
                for i in range(sinks, SINKS):
                    points[h, i] = NEVER
                if newest >= 0:
                    if newest < ring:
                        oldest = max(np.int64(0), newest - (window - SINKS) + 1)
                        for i in range(oldest):
                            points[h, SINKS + i] = NEVER
                        for i in range(newest + 1, size - SINKS):
                            points[h, SINKS + i] = NEVER
                    else:
                        for i in range(ring - (window - SINKS)):
                            points[h, SINKS + (newest + 1 + i) % ring] = NEVER
                factors[h] = shares(points[h], vs, size, exp_table)
            weigh(points, v, size, group, dim, mix)
            for h in range(group):
                at = (g * group + h) * dim
                for i in range(dim):
                    heads_out[r, at + i] = mix[h, i] * factors[h]
            fetch_add(sync, phase * COUNTERS + DONE, 1)
        wait(sync, phase, rows * kv)
        phase += 1

        # Bring the heads together.
        r = np.int64(-1)
        while True:
            r = r + 1 if own else take(sync, phase)
            if r >= rows:
                break
            scale[r] = quantise(heads_out[r], query, levels[1], x[r], x[rows + r], sums, r, rows)
            if not own:
                fetch_add(sync, phase * COUNTERS + DONE, 1)
        if not own:
            wait(sync, phase, rows)
        phase += 1
        product(ADD, out_w[layer], out_s[layer], width, query, rows, levels[1] > F127, x, sums, scale, wide_rows,
                residual, sync, phase, acc)  # fmt: skip
        phase += 1

        # Feed-forward.
        r = np.int64(-1)
        while True:
            r = r + 1 if own else take(sync, phase)
            if r >= rows:
                break
            inverse = normalise(residual[r], ffn_gain[layer], eps, width, line)
            scale[r] = quantise(line, width, levels[2], x[r], x[rows + r], sums, r, rows) * inverse
            if not own:
                fetch_add(sync, phase * COUNTERS + DONE, 1)
        if not own:
            wait(sync, phase, rows)
        phase += 1
        product(STORE, gate_up_w[layer], gate_up_s[layer], 2 * ffn, width, rows, levels[2] > F127, x, sums, scale,
                wide_rows, residual, sync, phase, acc)  # fmt: skip
        phase += 1
        r = np.int64(-1)
        while True:
            r = r + 1 if own else take(sync, phase)
            if r >= rows:
                break
            gate(wide_rows[r], wide_rows[r, ffn:], ffn, gate_table, line)
            scale[r] = quantise(line, ffn, levels[3], x[r], x[rows + r], sums, r, rows)
            if not own:
                fetch_add(sync, phase * COUNTERS + DONE, 1)
        if not own:
            wait(sync, phase, rows)
        phase += 1
        product(ADD, down_w[layer], down_s[layer], width, ffn, rows, levels[3] > F127, x, sums, scale, wide_rows,
                residual, sync, phase, acc)  # fmt: skip


@kernel
def angle(table: Array, position: int, half: int, cos: Array, sin: Array) -> None:
    """Write cosines and sines of a position."""
    high, middle, low = position >> 16, (position >> 8) & 255, position & 255
    for i in range(half):
        c, s = table[2, high, 0, i], table[2, high, 1, i]
        c1, s1 = table[1, middle, 0, i], table[1, middle, 1, i]
        cc, ss, sc, cs = c * c1, s * s1, s * c1, c * s1
        c, s = cc - ss, sc + cs
        c1, s1 = table[0, low, 0, i], table[0, low, 1, i]
        cc, ss, sc, cs = c * c1, s * s1, s * c1, c * s1
        cos[i] = np.float32(cc - ss)
        sin[i] = np.float32(sc + cs)


def _blocks(matrix: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return weights (..., N, K) in blocks of 16 outputs by 4 inputs, flat (..., N * K), N up to a multiple of 32."""
    *front, n, k = matrix.shape
    out = np.empty((*front, -(-n // PAIR) * PAIR * k), np.uint8)
    for index in np.ndindex(*front):
        whole = np.full((-(-n // PAIR) * PAIR, k), 128, np.uint8)
        whole[:n] = matrix[index].view(np.uint8) ^ np.uint8(128)
        out[index] = whole.reshape(-1, LANES, k // 4, 4).transpose(0, 2, 1, 3).reshape(-1)
    return out


def _padded(scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scales (..., N) with zeros up to a multiple of 32."""
    n = scales.shape[-1]
    out = np.zeros((*scales.shape[:-1], -(-n // PAIR) * PAIR), np.float32)
    out[..., :n] = scales
    return out


class _Helper:
    """One more thread. What it is given it does in order, so its workspace has one user at a time."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._pool = ThreadPoolExecutor(1, "nzip-lm")
        self._work: list[Future[None]] = []

    def start(self, run: Callable[..., None], args: tuple[Any, ...]) -> None:
        """Take part in a call, unless two earlier ones still wait for the system to run this thread."""
        self._work = [work for work in self._work if not work.done()]
        if len(self._work) < 2:
            self._work.append(self._pool.submit(run, self.thread, *args))


@dataclass
class NumbaState:
    """What attention keeps of S streams, and how many tokens each has seen.

    A place is a token of the first 16, or of the ring behind them; P places, G key heads, L layers, d channels.
    """

    keys: NDArray[np.uint8]  # (S, L, G, P / 16, d / 4, 16, 4), key + 128
    key_scale: NDArray[np.float32]  # (S, L, G, P)
    values: NDArray[np.int8]  # (S, L, G, P, d)
    value_scale: NDArray[np.float32]  # (S, L, G, P)
    positions: NDArray[np.int32]  # (S,)
    window: int  # tokens that attention sees
    ring: int  # places behind the first 16, when all are there
    lookahead: int

    def reset(self, stream: int) -> None:
        """Make one stream new. Old keys stay where they are: nothing sees them."""
        self.positions[stream] = 0

    def grow(self, tokens: int) -> None:
        """Make room for streams of `tokens` tokens: memory follows need, for many streams are short."""
        have, most = self.key_scale.shape[3], SINKS + self.ring
        if min(tokens, most) > have:
            # While one array is copied both are there: small steps keep the peak low.
            places = min(most, -(-max(tokens, have + have // 4) // LANES) * LANES)
            for name, axis in (
                ("keys", places // LANES),
                ("key_scale", places),
                ("values", places),
                ("value_scale", places),
            ):
                old = getattr(self, name)
                new = np.zeros((*old.shape[:3], axis, *old.shape[4:]), old.dtype)
                new[:, :, :, : old.shape[3]] = old
                setattr(self, name, new)


class NumbaModel:
    """`TokenModel` on the CPU without torch.

    One object may be shared: calls wait for each other. Results of `step` and `feed` are views of memory that the
    next call overwrites.
    """

    def __init__(self, weights: LmWeights, threads: int | None = None) -> None:
        """Derive the layout in memory from `weights`; the result is exact for any number of threads (1..64)."""
        c = self.config = weights.config
        self.threads = max(1, min(64, threads if threads is not None else int(_settings.NUMBA_NUM_THREADS)))
        w = weights
        head = _blocks(np.asarray(w.head))
        self._weights = (
            np.array(w.attention_gain), _blocks(np.asarray(w.qkv)), _padded(w.qkv_scale),
            _blocks(np.asarray(w.out)), _padded(w.out_scale),
            np.array(w.ffn_gain), _blocks(np.asarray(w.gate_up)), _padded(w.gate_up_scale),
            _blocks(np.asarray(w.down)), _padded(w.down_scale),
            np.array(w.final_gain), head, _padded(w.head_scale),
            np.array(w.embedding), np.array(w.embedding_scale),
            np.array(exact.exp_table()), np.array(exact.gate_table()),
            np.array(exact.rope_table(c.rope_theta, c.head_dim)),
        )  # fmt: skip
        self._levels = np.array(exact.input_levels(c), np.float32)
        self._step = np.float32(exact.STEP / math.sqrt(c.head_dim))
        inputs = max(c.width, c.query_width, c.ffn)
        self._residual = np.zeros((ROWS, c.width), np.int32)
        self._inputs = np.zeros((self.threads, 2 * ROWS, inputs), np.int8)
        self._totals = np.zeros((self.threads, 2 * ROWS), np.int32)
        self._scale = np.zeros((self.threads, ROWS), np.float32)
        self._wide = np.zeros((ROWS, max(c.query_width + 2 * c.kv_width, 2 * c.ffn)), np.float32)
        self._heads = np.zeros((ROWS, c.query_width), np.float32)
        self._accs = np.zeros((self.threads, 2 * ROWS, PAIR), np.int32)
        self._counters = COUNTERS * (1 + PHASES_PER_LAYER * (c.layers + 1))
        self._result = np.zeros((0, c.vocab), np.float32)
        self._scores = np.zeros((self.threads, c.group, 0), np.float32)
        self._lock = lock()
        self._helpers = [_Helper(thread) for thread in range(1, self.threads)]

    def begin(self, streams: int, lookahead: int = 1, window: int | None = None) -> NumbaState:
        """Return the state of new streams.

        Args:
            streams: how many, 1 or more.
            lookahead: rows of one stream that one call of `feed` may have, 1..64. No result depends on it.
            window: tokens that attention sees, a multiple of 16 from 32 to the model's `max_context` (the default).
        """
        c = self.config
        window = exact.checked_window(c, window)
        if streams < 1 or not 1 <= lookahead <= ROWS:
            raise ValueError("streams is less than 1, or lookahead not in 1..64")
        ring = window - SINKS + -(-(lookahead - 1) // LANES) * LANES
        places = min(SINKS + ring, FIRST_PLACES)
        shape = (streams, c.layers, c.kv_heads, places)
        return NumbaState(
            keys=np.zeros((*shape[:3], places // LANES, c.head_dim // 4, LANES, 4), np.uint8),
            key_scale=np.zeros(shape, np.float32),
            values=np.zeros((*shape, c.head_dim), np.int8),
            value_scale=np.zeros(shape, np.float32),
            positions=np.zeros(streams, np.int32),
            window=window,
            ring=ring,
            lookahead=lookahead,
        )

    def state_bytes(self, streams: int, tokens: int) -> int:
        """Return the memory that `streams` streams of at most `tokens` tokens touch."""
        c = self.config
        places = min(c.max_context + ROWS, tokens)
        return streams * places * c.layers * c.kv_heads * (2 * c.head_dim + 8)

    def step(
        self,
        state: NumbaState,
        tokens: NDArray[np.int32],
        active: NDArray[np.bool_] | None = None,
        hidden: NDArray[np.int16] | None = None,
    ) -> NDArray[np.uint32]:
        """Feed one token to each active stream; return the frequencies of what follows, uint32 (S, V).

        Each active row sums up to 2^24 and has no zero; the others are zeros.

        Args:
            state: of the streams.
            tokens: of each stream, (S,).
            active: which streams take part, all where left out.
            hidden: (S, width), filled with the integers that the head is multiplied by, for active rows.
        """
        streams = len(state.positions)
        which = np.arange(streams) if active is None else np.flatnonzero(active)
        rows = self._room(streams)
        if len(which) < streams:
            rows[:streams] = 0
        for at in range(0, len(which), ROWS):
            part = which[at : at + ROWS]
            inside = None if hidden is None else np.empty((len(part), self.config.width), np.int16)
            if len(which) == streams:
                self._run(state, part, tokens[part], rows[at : at + len(part)], inside)
            else:
                small = np.zeros((len(part), self.config.vocab), np.float32)
                self._run(state, part, tokens[part], small, inside)
                rows[part] = small
            if hidden is not None and inside is not None:
                hidden[part] = inside
        return rows[:streams].view(np.uint32)

    def feed(
        self,
        state: NumbaState,
        streams: NDArray[np.int64],
        tokens: NDArray[np.int32],
        predict: bool = True,
        hidden: NDArray[np.int16] | None = None,
        logits: bool = False,
    ) -> NDArray[Any]:
        """Feed any rows, those of one stream in their order; return frequencies of what follows each, uint32 (R, V).

        Args:
            state: of the streams.
            streams: of each row, (R,); no stream more often than the state's `lookahead`.
            tokens: of each row, (R,).
            predict: without, nothing is predicted and the result has no rows.
            hidden: (R, width), filled with the integers that the head is multiplied by; only with `predict`.
            logits: return in place of frequencies what they are made of, float32 (R, V), in units of 1/256 nat.
        """
        out = self._room(len(tokens) if predict else 0)
        for at in range(0, len(tokens), ROWS):
            stop = min(at + ROWS, len(tokens))
            if int(np.bincount(streams[at:stop]).max()) > state.lookahead:
                raise ValueError("a stream has more rows than the state looks ahead")
            inside = None if hidden is None else hidden[at:stop]
            self._run(state, streams[at:stop], tokens[at:stop], out[at:stop] if predict else None, inside, logits)
        rows = out[: len(tokens) if predict else 0]
        return rows if logits else rows.view(np.uint32)

    def _room(self, rows: int) -> NDArray[np.float32]:
        if len(self._result) < rows:
            self._result = np.zeros((rows, self.config.vocab), np.float32)
        return self._result

    def _run(
        self,
        state: NumbaState,
        streams: NDArray[Any],
        tokens: NDArray[Any],
        result: NDArray[np.float32] | None,
        hidden: NDArray[np.int16] | None = None,
        logits: bool = False,
    ) -> None:
        c, rows = self.config, len(tokens)
        streams = np.asarray(streams, np.int32)
        tokens = np.asarray(tokens, np.int32)
        if tokens.min() < 0 or tokens.max() >= c.vocab:
            raise ValueError("a token is not in the vocabulary")
        if streams.min() < 0 or streams.max() >= len(state.positions):
            raise ValueError("there is no such stream")
        # The n-th row of a stream in this call comes n places behind its position.
        order = np.argsort(streams, kind="stable")
        ordered = streams[order]
        nth = np.empty(rows, np.int32)
        nth[order] = np.arange(rows) - np.searchsorted(ordered, ordered)
        positions = (state.positions[streams] + nth).astype(np.int32)
        if positions.max() >= exact.MAX_POSITION:
            raise LimitError(f"a stream of a language model has more than {exact.MAX_POSITION} tokens")
        sizes = np.array(
            (c.layers, c.width, c.heads, c.kv_heads, c.head_dim, c.ffn, c.vocab, state.window, state.ring, rows,
             0 if result is None else 1 + logits), np.int64,
        )  # fmt: skip
        with self._lock:
            state.grow(int(positions.max()) + 1)
            if self._scores.shape[2] < state.ring + SINKS:
                self._scores = np.zeros((self.threads, c.group, state.ring + SINKS), np.float32)
            args = (
                sizes, c.rms_eps, self._levels, self._step, *self._weights,
                state.keys, state.key_scale, state.values, state.value_scale,
                tokens, streams, positions,
                self._residual, self._inputs, self._totals, self._scale, self._wide, self._heads,
                self._accs, self._scores, np.zeros(self._counters, np.int32),
                self._wide[:0] if result is None else result,
                np.empty((0, c.width), np.int16) if hidden is None else hidden,
            )  # fmt: skip
            run: Callable[..., None] = forward
            for helper in self._helpers:
                helper.start(run, args)
            run(0, *args)  # returns when all is done; threads that come late find nothing to do
        np.maximum.at(state.positions, streams, positions + 1)
