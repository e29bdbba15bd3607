"""Files of weights that tests make, in the formats that the package itself never writes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence

Tensor = tuple[str, tuple[int, ...], bytes]


def varint(value: int) -> bytes:
    return bytes((value,)) if value < 128 else bytes((value & 127 | 128,)) + varint(value >> 7)


def field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def onnx(tensors: Sequence[tuple[str, tuple[int, ...], bytes, int]]) -> bytes:
    """A model with tensors as initialisers, the last one as a node's constant; their types are ONNX's."""
    made = [
        b"".join(field(1, size) for size in shape) + field(2, kind) + field(8, name.encode()) + field(9, data)
        for name, shape, data, kind in tensors
    ]
    node = field(4, b"Constant") + field(5, field(1, b"value") + field(5, made[-1]) + field(20, 4))
    graph = field(1, node) + field(2, b"net") + b"".join(field(5, each) for each in made[:-1])
    return field(1, 8) + field(2, b"maker") + field(7, graph) + field(8, field(2, 17))


def gguf(tensors: Sequence[tuple[str, tuple[int, ...], bytes, int]], words: int = 20) -> bytes:
    """A file of version 3 with a list of words; types of tensors are ggml's."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = text("general.name") + struct.pack("<I", 8) + text("net")
    pairs += text("words") + struct.pack("<IIQ", 9, 8, words) + b"".join(text(f"w{n}") for n in range(words))
    pairs += text("general.alignment") + struct.pack("<II", 4, 64)
    head, data = b"", b""
    for name, shape, values, kind in tensors:
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", kind, len(data))
        data += values + bytes(-len(values) % 64)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 3) + pairs + head
    return head + bytes(-len(head) % 64) + data


def tflite(tensors: Sequence[tuple[str, tuple[int, ...], bytes, int]]) -> bytes:
    """A model with one subgraph; types are TensorFlow Lite's. Tables are laid out behind each other, none is shared."""
    out = bytearray(b"\0\0\0\0TFL3")

    def table(fields: Sequence[tuple[int, bytes]], count: int) -> int:
        """Add a table of `count` fields, those given with their 4 bytes; return where it begins."""
        places = [0] * count
        for order, (number, _) in enumerate(fields):
            places[number] = 4 + 4 * order
        index = len(out)
        out.extend(struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * len(fields), *places))
        out.extend(bytes(-len(out) % 4))
        at = len(out)
        out.extend(struct.pack("<i", at - index) + b"".join(data for _, data in fields))
        return at

    def point(at: int, to: int) -> None:
        out[at : at + 4] = struct.pack("<I", to - at)

    def vector(items: Sequence[int]) -> int:
        """Add a vector of tables that are there already: they lie before it, which readers of 32 bits allow."""
        at = len(out)
        out.extend(struct.pack("<I", len(items)))
        for item in items:
            out.extend(struct.pack("<I", item - len(out) & 0xFFFFFFFF))
        return at

    # What is pointed at comes behind what points: room is kept for all, and filled in from the end.
    model = table([(2, bytes(4)), (4, bytes(4))], 5)
    out[:4] = struct.pack("<I", model)

    def slots(at: int, count: int) -> list[int]:
        point(at, len(out))
        out.extend(struct.pack("<I", count) + bytes(4 * count))
        return [len(out) - 4 * count + 4 * k for k in range(count)]

    (graph_slot,) = slots(model + 4, 1)
    buffer_slots = slots(model + 8, len(tensors) + 1)
    graph = table([(0, bytes(4))], 4)
    point(graph_slot, graph)
    tensor_slots = slots(graph + 4, len(tensors))
    for number, (_, shape, _, kind) in enumerate(tensors):
        at = table([(0, bytes(4)), (1, struct.pack("<I", kind)), (2, struct.pack("<I", number + 1))], 4)
        point(tensor_slots[number], at)
        point(at + 4, len(out))
        out.extend(struct.pack(f"<I{len(shape)}I", len(shape), *shape))
    point(buffer_slots[0], table([], 1))
    for number, (*_, data, _) in enumerate(tensors, 1):
        at = table([(0, bytes(4))], 1)
        point(buffer_slots[number], at)
        out.extend(bytes(-(len(out) + 4) % 16))
        point(at + 4, len(out))
        out.extend(struct.pack("<I", len(data)) + data + bytes(-len(data) % 4))
    return bytes(out)


def npy(shape: tuple[int, ...], data: bytes, kind: str) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape!r}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data


def pickled(tensors: Sequence[tuple[str, tuple[int, ...], bytes, str]]) -> bytes:
    """The pickle of a state dict, as `torch.save` writes it, opcode by opcode."""

    def word(text: str) -> bytes:
        return b"X" + struct.pack("<I", len(text)) + text.encode()

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    out = b"\x80\2}q\0("
    for key, (name, shape, data, storage) in enumerate(tensors):
        sizes = b"(" + b"".join(map(number, shape)) + b"t"
        out += word(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        out += word("storage") + b"ctorch\n" + storage.encode() + b"\n" + word(str(key)) + word("cpu")
        out += number(len(data)) + b"tQ" + number(0) + sizes + sizes + b"\x89ccollections\nOrderedDict\n)RtR"
    return out + b"u."


def pytorch(tensors: Sequence[tuple[str, tuple[int, ...], bytes, str]], pickle: bytes | None = None) -> bytes:
    """An archive of a state dict."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("net/data.pkl", pickled(tensors) if pickle is None else pickle)
        for key, (_, _, data, _) in enumerate(tensors):
            archive.writestr(f"net/data/{key}", data)
        archive.writestr("net/version", "3\n")
    return made.getvalue()
