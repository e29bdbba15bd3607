"""Layers in integers, for networks that steer an entropy coder: the same numbers by numpy, torch and any GPU.

Networks of this package are functions of `layers.Ops`; these are the few of its layers that such a network needs, in
fixed point. A number x is the integer 4096 x, held in float64; a kernel is integers of 16 bits over a power of two. A
sum of products is exact, in any order and with or without fused operations, while it stays below 2^53, which is
checked when kernels are made; after it comes a division by a power of two, rounded down, and a limit. Balle, Johnston
and Minnen, "Integer Networks for Data Compression with Latent-Variable Models" (2019), say why: where two machines
disagree in the last digit of a scale, everything behind it is lost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nzip.errors import CorruptError
from nzip.models.latent.layers import Array, Pads

FRACTION = 12
ONE = 1 << FRACTION
LIMIT = 1 << 24  # of what comes out of a layer
_SUMMED = 4  # outputs of layers that may be added before the next
_EXACT = 1 << 53
_SLOPE_BITS = 16
_KERNEL_BITS = 15


class BasicOps(Protocol):
    """The part of `layers.Ops` that networks of integers are made of; a function of these runs either way."""

    def array(self, x: NDArray[Any]) -> Array:
        """Return small numbers, such as constants, as the layers take them."""

    def conv(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, pad: Pads = 0, mode: str = "zero",
        dilation: int = 1,
    ) -> Array:  # fmt: skip
        """See `layers.Ops`."""

    def conv_up(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int, pad: int = 0, more: int = 0
    ) -> Array:
        """See `layers.Ops`."""

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        """See `layers.Ops`."""

    def sqrt(self, x: Array) -> Array:
        """See `layers.Ops`."""

    def concat(self, parts: list[Array], axis: int = 1) -> Array:
        """See `layers.Ops`."""


class Kernel:
    """The integers of a kernel.

    Args:
        values: int16, as `layers` says, or what holds such.
        shift: the kernel is values / 2^shift.
        where: for what the layers work with; numpy's arrays where it is None, else a device of torch.

    Raises:
        CorruptError: sums could become too large to be exact.
    """

    def __init__(self, values: NDArray[np.int16], shift: int, where: str | None = None) -> None:
        if values.dtype != np.int16 or values.ndim not in (3, 4) or not 0 <= shift <= 30:
            raise CorruptError("the model's integer kernels are damaged; get its file again")
        sums = np.abs(values.astype(np.int64)).sum(axis=tuple(range(1, values.ndim)))
        across = np.abs(values.astype(np.int64)).sum(axis=(0, *range(2, values.ndim)))
        if max(int(sums.max(initial=0)), int(across.max(initial=0))) * LIMIT * _SUMMED + (1 << 30) >= _EXACT:
            raise CorruptError("the model's integer kernels are too large to be exact; get its file again")
        self.shape = values.shape
        self.shift = shift
        self.taps: Array = np.ascontiguousarray(np.moveaxis(values, (0, 1), (-2, -1))).astype(np.float64)
        if where is not None:
            self.taps = _to_torch(self.taps, where)


def _to_torch(x: NDArray[np.float64], where: str) -> Array:
    import torch

    return torch.from_numpy(x).to(where)


class IntegerOps:
    """The layers of `layers.Ops` that integer networks are made of; kernels are `Kernel`, biases integers.

    Args:
        device: None for numpy, else torch's name of where arrays are.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device
        self._m: Any = np
        if device is not None:
            import torch

            self._m = torch

    def put(self, x: NDArray[Any]) -> Array:
        """Return integers (already times 4096) as the layers take them."""
        whole = np.ascontiguousarray(x, np.float64)
        return whole if self.device is None else _to_torch(whole, self.device)

    def take(self, x: Array) -> NDArray[np.int64]:
        """Return what layers gave as integers."""
        found: NDArray[np.int64] = (x if self.device is None else x.cpu().numpy()).astype(np.int64)
        return found

    def array(self, x: NDArray[Any]) -> Array:
        """Return small numbers, such as constants, in fixed point."""
        return self.put(np.rint(np.asarray(x, np.float64) * ONE))

    def place(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, Array]:
        """Return a network's weights as the layers take them, from what `quantise` gave.

        Raises:
            CorruptError: they are not such.
        """
        out: dict[str, Array] = {}
        for name, value in tensors.items():
            if name.endswith(".shift"):
                continue
            if name.endswith(".bias"):
                if value.dtype != np.int32 or value.ndim != 1 or np.abs(value.astype(np.int64)).max(initial=0) > LIMIT:
                    raise CorruptError("the model's integer biases are damaged; get its file again")
                out[name] = self.put(value)
            else:
                shift = tensors.get(f"{name}.shift")
                if shift is None or shift.size != 1 or shift.dtype.kind not in "iu":
                    raise CorruptError("the model's integer kernels are damaged; get its file again")
                out[name] = Kernel(value, int(shift.reshape(-1)[0]), self.device)
        return out

    def _zeros(self, shape: tuple[int, ...]) -> Array:
        return self._m.zeros(shape, dtype=self._m.float64, **({} if self.device is None else {"device": self.device}))

    def _settle(self, sums: Array, shift: int, bias: Array | None) -> Array:
        out = self._m.floor((sums + float(1 << shift >> 1)) * 2.0**-shift)
        if bias is not None:
            out = out + bias.reshape(-1, *[1] * (out.ndim - 2))
        return self._m.clip(out, -float(LIMIT), float(LIMIT))

    def conv(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, pad: Pads = 0, mode: str = "zero",
        dilation: int = 1,
    ) -> Array:  # fmt: skip
        """As `layers.Ops.conv`, for pictures, with zeros around them and without dilation."""
        before, behind = (pad, pad) if isinstance(pad, int) else pad
        n, c, height, width = x.shape
        if before or behind:
            whole = self._zeros((n, c, height + before + behind, width + before + behind))
            whole[:, :, before : before + height, before : before + width] = x
            x = whole
        rows, columns = ((x.shape[k] - kernel.shape[k]) // stride + 1 for k in (2, 3))
        sums = self._zeros((n, kernel.shape[0], rows * columns))
        for i, j in np.ndindex(*kernel.shape[2:]):
            part = x[:, :, i : i + stride * (rows - 1) + 1 : stride, j : j + stride * (columns - 1) + 1 : stride]
            sums += kernel.taps[i, j] @ part.reshape(n, c, -1)
        return self._settle(sums.reshape(n, -1, rows, columns), kernel.shift, bias)

    def conv_up(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int, pad: int = 0, more: int = 0
    ) -> Array:
        """As `layers.Ops.conv_up`, for pictures."""
        n, c, height, width = x.shape
        rows, columns = ((x.shape[k] - 1) * stride + kernel.shape[k] + more for k in (2, 3))
        sums = self._zeros((n, kernel.shape[1], rows, columns))
        for i, j in np.ndindex(*kernel.shape[2:]):
            part = (kernel.taps[i, j].T @ x.reshape(n, c, -1)).reshape(n, -1, height, width)
            sums[:, :, i : i + stride * (height - 1) + 1 : stride, j : j + stride * (width - 1) + 1 : stride] += part
        return self._settle(sums[:, :, pad : rows - pad, pad : columns - pad], kernel.shift, bias)

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        """Return x where it is positive, slope x (the slope in steps of 2^-16) elsewhere, rounded down."""
        share = float(round(slope * (1 << _SLOPE_BITS)))
        return self._m.where(x > 0, x, self._m.floor(x * share * 2.0**-_SLOPE_BITS))

    def sqrt(self, x: Array) -> Array:
        """Return the square root, rounded down: the processor's is correctly rounded, so the integer is exact."""
        return self._m.floor(self._m.sqrt(x * float(ONE)))

    def concat(self, parts: list[Array], axis: int = 1) -> Array:
        """Return the parts one behind the other."""
        return self._m.concatenate(parts, axis=axis)


def quantise(weights: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return a float network's weights as integers, for `IntegerOps.place`.

    Kernels become int16 over the largest power of two that fits, with an int8 `<name>.shift` beside them; biases (by
    their names' end) become int32 in fixed point.

    Raises:
        ValueError: a weight is too large.
    """
    out: dict[str, NDArray[Any]] = {}
    for name, value in weights.items():
        values = np.asarray(value, np.float64)
        if name.endswith(".bias"):
            if np.abs(values).max(initial=0) * ONE > LIMIT:
                raise ValueError(f"{name}: a bias is too large for integers")
            out[name] = np.rint(values * ONE).astype(np.int32)
            continue
        peak = float(np.abs(values).max(initial=0))
        shift = min(24, _KERNEL_BITS - math.frexp(peak)[1]) if peak else 0
        if shift < 0:
            raise ValueError(f"{name}: a kernel is too large for integers")
        top = (1 << _KERNEL_BITS) - 1
        out[name] = np.clip(np.rint(values * 2.0**shift), -top, top).astype(np.int16)
        out[f"{name}.shift"] = np.array([shift], np.int8)
    return out
