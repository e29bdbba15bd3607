"""A block in runs: of text, which the language model codes, and of binary data, which is left to another engine."""

from __future__ import annotations

PAGE = 4096  # bytes that are text or binary together
BINARY_SHARE = 32  # a page is binary if one byte in so many is a control character or no part of UTF-8
_CONTROL = bytes(value for value in range(32) if value not in (9, 10, 12, 13, 27)) + b"\x7f"


def classify(block: bytes) -> list[int]:
    """Return the lengths of the block's runs, of text and of binary data by turns, text first (it may be empty).

    A page of 4,096 bytes is binary if one byte in 32 is a control character that no text has, or no part of UTF-8.
    """
    kinds = [_is_binary(block[at : at + PAGE]) for at in range(0, len(block), PAGE)]
    runs: list[int] = []
    last = False
    if kinds and kinds[0]:
        runs.append(0)
    for number, kind in enumerate(kinds):
        size = min(PAGE, len(block) - number * PAGE)
        if runs and kind == last and number:
            runs[-1] += size
        else:
            runs.append(size)
        last = kind
    return runs


def _is_binary(page: bytes) -> bool:
    control = len(page) - len(page.translate(None, _CONTROL))
    wrong = page.decode("utf-8", "replace").count("\ufffd")
    # What a page cuts off at its ends, 6 bytes at most, is no fault of the page.
    return (control + max(0, wrong - 6)) * BINARY_SHARE > len(page)


def apart(block: bytes, runs: list[int]) -> tuple[bytes, bytes]:
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    at = 0
    for number, size in enumerate(runs):
        parts[number % 2].append(block[at : at + size])
        at += size
    return b"".join(parts[0]), b"".join(parts[1])


def together(text: bytes, binary: bytes, runs: list[int]) -> bytes:
    out: list[bytes] = []
    places = [0, 0]
    for number, size in enumerate(runs):
        source = binary if number % 2 else text
        out.append(source[places[number % 2] : places[number % 2] + size])
        places[number % 2] += size
    return b"".join(out)
