"""Finder of tensors in the archives of PyTorch: ZIP files whose members are stored, each a tensor's values.

What a member's values are stands in the first one, a pickle. Nothing in it is run: its opcodes are read one by one, and
what they would make is followed only as far as the mention of a storage (`torch.serialization`'s persistent ids) goes.
"""

from __future__ import annotations

import pickletools
from io import BytesIO
from typing import Any

from nzip.formats.content.containers.streams import STEP, Budget
from nzip.formats.content.containers.tensors.tensor import BF16, F16, F32, F64, I8, Tensor
from nzip.formats.openers.zip import entries

PICKLE = b"/data.pkl"
MOST_MEMBERS = 1 << 16
LARGEST = 16 << 20  # bytes of a pickle
TYPES = {
    "FloatStorage": F32, "DoubleStorage": F64, "HalfStorage": F16, "BFloat16Storage": BF16, "CharStorage": I8,
}  # fmt: skip
REBUILD = "torch._utils _rebuild_tensor_v2"


def begins(data: bytes, at: int) -> bool:
    """Return whether a file may begin at `at`: an archive, first in it the pickle."""
    if not data.startswith(entries.LOCAL, at):
        return False
    size = int.from_bytes(data[at + 26 : at + 28], "little")
    return data[at + 30 : at + 30 + size].endswith(PICKLE)


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the tensors of floats, and of small integers, in the file that begins at `at`, as far as it is here."""
    storages: dict[str, tuple[tuple[int, int], int]] | None = None
    found = list[Tensor]()
    for _ in budget.steps(MOST_MEMBERS):
        try:
            local = entries.local(data, at)
        except ValueError:
            break
        size = local.size
        if local.method != entries.STORED or local.flags & entries.ENCRYPTED:
            break
        if local.flags & entries.LATER and not size:
            size = _stated(data, local.data, storages or {}, local.name)
        if storages is None:
            if size > LARGEST or local.data + size > len(data) or not budget.walk(16 * size):
                break
            storages = _storages(data[local.data : local.data + size], budget)
        else:
            form, row = storages.get(local.name.rpartition(b"/")[2].decode("ascii", "replace"), (None, 0))
            if form is not None and b"/data/" in local.name:
                found.append(Tensor(local.data, local.data + size, *form, row))
        at = local.data + size
        if local.flags & entries.LATER:
            following = (at + length for length in entries.DESCRIPTORS)
            at = next((place for place in following if data[place : place + 4] == entries.LOCAL), len(data))
    return found


def _stated(data: bytes, at: int, storages: dict[str, Any], name: bytes) -> int:
    """Return the bytes of a member whose size stands behind it."""
    end = data.find(entries.DESCRIPTOR, at)
    return end - at if end >= 0 else 0


def _storages(text: bytes, budget: Budget) -> dict[str, tuple[tuple[int, int], int]]:
    """Return of the storages that a pickle mentions, by their members' names, what their values are, and the values of
    a row of the tensor that was made of one."""
    found: dict[str, tuple[tuple[int, int], int]] = {}
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    mark = object()

    def taken() -> tuple[Any, ...]:
        """Take what lies above the last mark off the stack."""
        at = len(stack)
        while at and stack[at - 1] is not mark:
            at -= 1
        items = tuple(stack[at:])
        del stack[max(0, at - 1) :]
        return items

    try:
        argument: Any
        for opcode, argument, _ in pickletools.genops(BytesIO(text)):
            if not budget.walk(STEP):
                break
            name = opcode.name
            if name == "MARK":
                stack.append(mark)
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name == "TUPLE":
                stack.append(taken())
            elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
                count = int(name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            elif name == "EMPTY_TUPLE":
                stack.append(())
            elif name == "STACK_GLOBAL":
                stack[-2:] = [f"{stack[-2]} {stack[-1]}"]
            elif name == "BINPERSID":
                stack.append(_storage(stack.pop(), found))
            elif name == "REDUCE":
                arguments = stack.pop()
                if stack[-1] == REBUILD and len(arguments) > 2:
                    _shaped(arguments, found)
                stack[-1] = None
            elif name in ("SETITEMS", "APPENDS", "ADDITEMS"):
                taken()
            elif name == "SETITEM":
                del stack[-2:]
            elif name in ("APPEND", "BUILD"):
                del stack[-1:]
            elif name in ("DICT", "LIST"):
                taken()
                stack.append(None)
            elif name == "POP":
                stack.pop()
            elif name not in ("PROTO", "FRAME", "STOP"):
                stack.append(argument if isinstance(argument, (str, int)) else None)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        pass  # what was found up to there is as good as any
    return found


def _storage(item: Any, found: dict[str, tuple[tuple[int, int], int]]) -> Any:
    """Note a storage: the word, its type, its member's name, where it was, values."""
    if isinstance(item, tuple) and len(item) >= 5 and item[0] == "storage" and isinstance(item[2], str):
        form = TYPES.get(str(item[1]).rpartition(" ")[2])
        if form is not None:
            found.setdefault(item[2], (form, 0))
        return "storage", item[2]
    return None


def _shaped(arguments: Any, found: dict[str, tuple[tuple[int, int], int]]) -> None:
    """Note the rows of the tensor that is made of a storage: offset, sizes and strides follow it."""
    storage, sizes = arguments[0], arguments[2]
    if isinstance(storage, tuple) and storage[0] == "storage" and storage[1] in found and isinstance(sizes, tuple):
        row = 1
        for size in sizes[1:]:
            row *= size if isinstance(size, int) and 0 <= size < 1 << 31 else 0
        if len(sizes) > 1 and 0 < row < 1 << 40:
            found[storage[1]] = found[storage[1]][0], row
