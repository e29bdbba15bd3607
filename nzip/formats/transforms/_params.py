"""What the transforms share: their parameters are small integers, stored one byte each in a fixed order."""

from __future__ import annotations

from nzip.errors import CorruptError
from nzip.formats.transforms.base import Params

Ranges = dict[str, tuple[int, int, int]]  # name: (lowest, highest, default), in the order of the stored bytes


def checked(name: str, ranges: Ranges, params: Params) -> dict[str, int]:
    """Return `params` with defaults filled in.

    Raises:
        ValueError: a parameter is unknown or out of range.
    """
    unknown = sorted(set(params) - set(ranges))
    if unknown:
        raise ValueError(f"transform {name} does not know the parameter {unknown[0]!r}")
    full = {key: params.get(key, default) for key, (_, _, default) in ranges.items()}
    for key, (low, high, _) in ranges.items():
        if not low <= full[key] <= high:
            raise ValueError(f"{name} {key} {full[key]} is not in {low}..{high}")
    return full


def unpacked(name: str, ranges: Ranges, packed: bytes) -> dict[str, int]:
    """Return the parameters that stand in `packed`, one byte each.

    Raises:
        CorruptError: there are more or fewer bytes than parameters, or one is out of range.
    """
    if len(packed) != len(ranges):
        raise CorruptError(f"the parameters of a {name} transform are malformed")
    try:
        return checked(name, ranges, dict(zip(ranges, packed, strict=True)))
    except ValueError as error:
        raise CorruptError(f"the parameters of a {name} transform are out of range: {error}") from None


def expect_size(name: str, coded: bytes, size: int) -> None:
    """Check that a transform which keeps the length was given as many bytes as it shall return.

    Raises:
        CorruptError: it was not.
    """
    if len(coded) != size:
        raise CorruptError(f"a {name} transform has {len(coded):,} bytes where {size:,} belong")
