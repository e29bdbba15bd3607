"""The layers of the latent codecs' networks, written once and run by numpy or by torch.

A network is a function of `ops` (one of the two below), a mapping of weights by name, and arrays; shapes are torch's:
(N, C, H, W) or (N, C, T), kernels (out, in, k, k) or (out, in, k). `NumpyOps` needs nothing but numpy, so that every
codec works with the base install; `TorchOps` is faster, learns (its arrays carry gradients) and runs on GPUs.

The two agree to rounding and no closer, so nothing that the entropy coder needs may come from here.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = Any  # of numpy or torch
Weights = Mapping[str, Array]
Pads = int | tuple[int, int]


class Ops(Protocol):
    """What networks are made of."""

    def array(self, x: NDArray[Any]) -> Array:
        """Return x where the layers work, float32."""

    def numpy(self, x: Array) -> NDArray[np.float32]:
        """Return x as numpy has it, without gradients."""

    def conv(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, pad: Pads = 0, mode: str = "zero",
        dilation: int = 1,
    ) -> Array:  # fmt: skip
        """Return the correlation of x (N, C, ...) with a kernel (M, C, k, ...), plus bias (M,).

        Args:
            x, kernel, bias: as above.
            stride: along every axis.
            pad: samples put before and behind every axis; a pair where the two differ.
            mode: "zero" or "edge" (the last sample repeated).
            dilation: distance of the kernel's taps.
        """

    def conv_up(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int, pad: int = 0, more: int = 0
    ) -> Array:
        """Return the transposed correlation, kernel (C, M, k, ...): (n - 1) stride - 2 pad + k + more an axis."""

    def silu(self, x: Array) -> Array:
        """Return x sigmoid(x)."""

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        """Return x where it is positive, slope x elsewhere."""

    def sigmoid(self, x: Array) -> Array:
        """Return 1 / (1 + exp(-x))."""

    def tanh(self, x: Array) -> Array:
        """Return the hyperbolic tangent."""

    def sin(self, x: Array) -> Array:
        """Return the sine."""

    def sqrt(self, x: Array) -> Array:
        """Return the square root."""

    def softmax(self, x: Array) -> Array:
        """Return exp(x) over its sum along the last axis."""

    def norm(self, x: Array, gain: Array, bias: Array, *, groups: int = 1, epsilon: float = 1e-6) -> Array:
        """Return x (N, C, ...) less its mean and over its deviation in each of `groups` groups of channels."""

    def repeat(self, x: Array, times: int) -> Array:
        """Return x with every sample of every axis of space repeated (nearest neighbour)."""

    def concat(self, parts: list[Array], axis: int = 1) -> Array:
        """Return the parts one behind the other."""


def _silent(x: NDArray[np.float32]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.exp(x)


class NumpyOps:
    """`Ops` by numpy: each tap of a kernel is one matrix product."""

    def array(self, x: NDArray[Any]) -> Array:
        return np.asarray(x, np.float32)

    def numpy(self, x: Array) -> NDArray[np.float32]:
        return np.asarray(x, np.float32)

    def conv(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, pad: Pads = 0, mode: str = "zero",
        dilation: int = 1,
    ) -> Array:  # fmt: skip
        axes = x.ndim - 2
        sides = (pad, pad) if isinstance(pad, int) else pad
        if any(sides):
            x = np.pad(x, [(0, 0), (0, 0)] + [sides] * axes, mode="constant" if mode == "zero" else "edge")
        reach = [dilation * (k - 1) for k in kernel.shape[2:]]
        space = [(n - r - 1) // stride + 1 for n, r in zip(x.shape[2:], reach, strict=True)]
        out = np.zeros((x.shape[0], kernel.shape[0], math.prod(space)), np.float32)
        for tap in np.ndindex(*kernel.shape[2:]):
            starts = [dilation * k for k in tap]
            cut = tuple(slice(at, at + stride * (n - 1) + 1, stride) for at, n in zip(starts, space, strict=True))
            part = np.ascontiguousarray(x[(slice(None), slice(None), *cut)]).reshape(*x.shape[:2], -1)
            out += np.ascontiguousarray(kernel[(slice(None), slice(None), *tap)]) @ part
        if bias is not None:
            out += bias[:, None]
        return out.reshape(*out.shape[:2], *space)

    def conv_up(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int, pad: int = 0, more: int = 0
    ) -> Array:
        space = x.shape[2:]
        whole = [(n - 1) * stride + k + more for n, k in zip(space, kernel.shape[2:], strict=True)]
        out = np.zeros((x.shape[0], kernel.shape[1], *whole), np.float32)
        flat = x.reshape(*x.shape[:2], -1)
        for tap in np.ndindex(*kernel.shape[2:]):
            part = np.ascontiguousarray(kernel[(slice(None), slice(None), *tap)].T) @ flat
            cut = tuple(slice(k, k + stride * (n - 1) + 1, stride) for k, n in zip(tap, space, strict=True))
            out[(slice(None), slice(None), *cut)] += part.reshape(*part.shape[:2], *space)
        out = out[(slice(None), slice(None), *(slice(pad, n - pad) for n in whole))]
        return out if bias is None else out + bias.reshape(-1, *[1] * len(space))

    def silu(self, x: Array) -> Array:
        return x / (1 + _silent(-x))

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        return np.where(x > 0, x, np.float32(slope) * x)

    def sigmoid(self, x: Array) -> Array:
        return 1 / (1 + _silent(-x))

    def tanh(self, x: Array) -> Array:
        return np.tanh(x)

    def sin(self, x: Array) -> Array:
        return np.sin(x)

    def sqrt(self, x: Array) -> Array:
        return np.sqrt(x)

    def softmax(self, x: Array) -> Array:
        shares = np.exp(x - x.max(axis=-1, keepdims=True))
        return shares / shares.sum(axis=-1, keepdims=True)

    def norm(self, x: Array, gain: Array, bias: Array, *, groups: int = 1, epsilon: float = 1e-6) -> Array:
        grouped = x.reshape(x.shape[0], groups, -1)
        centred = grouped - grouped.mean(axis=2, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=2, keepdims=True) + np.float32(epsilon))
        ones = [1] * (x.ndim - 2)
        return (centred / spread).reshape(x.shape) * gain.reshape(-1, *ones) + bias.reshape(-1, *ones)

    def repeat(self, x: Array, times: int) -> Array:
        for axis in range(2, x.ndim):
            x = np.repeat(x, times, axis=axis)
        return x

    def concat(self, parts: list[Array], axis: int = 1) -> Array:
        return np.concatenate(parts, axis=axis)


class TorchOps:
    """`Ops` by torch.

    Args:
        device: torch's name of where arrays go.
    """

    def __init__(self, device: str = "cpu") -> None:
        import torch

        self._torch: Any = torch
        self._f: Any = torch.nn.functional
        self.device = device

    def array(self, x: NDArray[Any]) -> Array:
        whole = np.ascontiguousarray(x, np.float32)
        # torch takes no arrays that may not be written.
        return self._torch.from_numpy(whole if whole.flags.writeable else whole.copy()).to(self.device)

    def numpy(self, x: Array) -> NDArray[np.float32]:
        array: NDArray[np.float32] = x.detach().float().cpu().numpy()
        return array

    def conv(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, pad: Pads = 0, mode: str = "zero",
        dilation: int = 1,
    ) -> Array:  # fmt: skip
        axes = x.dim() - 2
        layer = self._f.conv2d if axes == 2 else self._f.conv1d
        if mode == "zero" and isinstance(pad, int):
            return layer(x, kernel, bias, stride=stride, padding=pad, dilation=dilation)
        sides = (pad, pad) if isinstance(pad, int) else pad
        if any(sides):
            x = self._f.pad(x, sides * axes, mode="constant" if mode == "zero" else "replicate")
        return layer(x, kernel, bias, stride=stride, dilation=dilation)

    def conv_up(
        self, x: Array, kernel: Array, bias: Array | None = None, *, stride: int, pad: int = 0, more: int = 0
    ) -> Array:
        layer = self._f.conv_transpose2d if x.dim() == 4 else self._f.conv_transpose1d
        return layer(x, kernel, bias, stride=stride, padding=pad, output_padding=more)

    def silu(self, x: Array) -> Array:
        return self._f.silu(x)

    def relu(self, x: Array, slope: float = 0.0) -> Array:
        return self._f.leaky_relu(x, slope)

    def sigmoid(self, x: Array) -> Array:
        return self._torch.sigmoid(x)

    def tanh(self, x: Array) -> Array:
        return self._torch.tanh(x)

    def sin(self, x: Array) -> Array:
        return self._torch.sin(x)

    def sqrt(self, x: Array) -> Array:
        return self._torch.sqrt(x)

    def softmax(self, x: Array) -> Array:
        return self._torch.softmax(x, dim=-1)

    def norm(self, x: Array, gain: Array, bias: Array, *, groups: int = 1, epsilon: float = 1e-6) -> Array:
        return self._f.group_norm(x, groups, gain, bias, epsilon)

    def repeat(self, x: Array, times: int) -> Array:
        return self._f.interpolate(x, scale_factor=times, mode="nearest")

    def concat(self, parts: list[Array], axis: int = 1) -> Array:
        return self._torch.cat(parts, dim=axis)


def best_ops() -> NumpyOps | TorchOps:
    """Return torch's layers where it is installed, on its GPU if it has one, and numpy's elsewhere."""
    if importlib.util.find_spec("torch") is None:
        return NumpyOps()
    import torch

    return TorchOps("cuda" if torch.cuda.is_available() else "cpu")


def widest(weights: Mapping[str, Array]) -> int:
    """Return the most channels that a layer of these weights has on both sides together: what its memory goes by."""
    kernels = [w for name, w in weights.items() if name.endswith("kernel") and len(w.shape) > 2]
    return max((sum(w.shape[:2]) for w in kernels), default=1)


def place(weights: Mapping[str, NDArray[Any]], ops: Ops) -> dict[str, Array]:
    """Return weights where the layers work."""
    return {name: ops.array(value) for name, value in weights.items()}


def new_conv(
    random: np.random.Generator, name: str, out: int, into: int, *taps: int, scale: float = 1.0, up: bool = False
) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a layer that is to learn, `name.kernel` and `name.bias`.

    The kernel is drawn so that what comes out varies as what goes in does, times `scale`; the bias is zero. `up` is
    for `conv_up`, whose kernels begin with the channels that go in.
    """
    spread = scale / math.sqrt(into * math.prod(taps))
    shape = (into, out, *taps) if up else (out, into, *taps)
    return {
        f"{name}.kernel": (spread * random.standard_normal(shape)).astype(np.float32),
        f"{name}.bias": np.zeros(out, np.float32),
    }
