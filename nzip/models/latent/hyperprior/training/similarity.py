"""MS-SSIM of pictures as torch's gradients need it (Wang, Simoncelli and Bovik, 2003)."""

from __future__ import annotations

from typing import Any

Tensor = Any  # torch.Tensor: the package may be absent where types are checked

# Of values in 0..1.
TINY = 1e-9
WINDOW, SIGMA, LUMINANCE, STRUCTURE = 11, 1.5, 0.01**2, 0.03**2
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LUMA = (0.299, 0.587, 0.114)


def _blurred(x: Tensor) -> Tensor:
    """Return planes (N, C, H, W) under the Gaussian window of SSIM, where it fits."""
    import torch
    from torch.nn.functional import conv2d

    places = torch.arange(WINDOW, device=x.device) - (WINDOW - 1) / 2
    taps = torch.softmax(-places.square() / (2 * SIGMA**2), 0).to(x.dtype)
    count = x.shape[1]
    x = conv2d(x, taps.reshape(1, 1, -1, 1).repeat(count, 1, 1, 1), groups=count)
    return conv2d(x, taps.reshape(1, 1, 1, -1).repeat(count, 1, 1, 1), groups=count)


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Return the multi-scale structural similarity of the luma of pictures (N, 3, H, W) in -1/2..1/2, (N,).

    As `evaluation.distortion.ms_ssim` measures it, for sides that are multiples of 16 from 176 on.
    """
    import torch
    from torch.nn.functional import avg_pool2d

    weights = torch.tensor(LUMA, device=one.device, dtype=one.dtype).reshape(1, 3, 1, 1)
    one, other = (((x + 0.5) * weights).sum(dim=1, keepdim=True) for x in (one, other))
    total = torch.ones(len(one), device=one.device)
    for number, share in enumerate(SCALES):
        both = torch.cat([one, other, one * one + other * other, one * other], dim=1)
        first, second, squares, product = _blurred(both).unbind(dim=1)
        cross, powers = first * second, first**2 + second**2
        value = (2 * (product - cross) + STRUCTURE) / (squares - powers + STRUCTURE)
        if number == len(SCALES) - 1:
            value = value * (2 * cross + LUMINANCE) / (powers + LUMINANCE)
        total = total * value.mean(dim=(1, 2)).clamp(min=TINY) ** share
        one, other = avg_pool2d(one, 2), avg_pool2d(other, 2)
    return total
