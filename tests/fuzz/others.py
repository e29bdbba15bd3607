"""Token files, archives of directories, models of the engine `lm`, and journals of measures."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from nzip.codec import tokens
from nzip.codec.files import FileError, extract_tree
from nzip.errors import NzipError
from nzip.formats import container
from nzip.formats.container import Reader, check32, check64, uleb

from . import mutate, wire
from .lossless import solo, text
from .target import ANY, MEBI, RIGHT, Believed, Target, Wrong, cleared, own_folder, replaced


class TokenTarget(Target):
    """Token files of Equal-Info Windows, of all variants; with the check of the text believed, or true."""

    name = "tokens"
    share = 6.0
    limit = 64 * MEBI

    def prepare(self) -> None:
        self.seeds: list[tuple[list[Any], bytes, bytes]] = []
        self.texts = set()
        words = text(1, 160)
        for model in ("unigram", "adaptive", "text"):
            for bits, width in ((16, 16), (24, 8), (40, 16)):
                for variant in ("reserved", "delay", "lookahead"):
                    reset = {16: "window", 24: "second", 40: "never"}[bits]
                    tokenizer = tokens.EqualInfoTokenizer(model, bits, width, variant=variant, reset=reset)
                    data = tokenizer.pack(tokenizer.encode(words))
                    assert tokens.detokenize(data) == words
                    self.seeds.append(_token_fields(data))
        self.texts.add(words)

    def mutation(self, r: Random) -> bytes:
        fields, corrections, ids = r.choice(self.seeds)
        fields = list(fields)
        for _ in range(r.choice((1, 1, 2))):
            way = r.random()
            if way < 0.35:
                at = r.randrange(len(fields))
                value = fields[at]
                fields[at] = mutate.number(r, value) if isinstance(value, int) else mutate.octets(r, value, rounds=1)
            elif way < 0.55:
                corrections = b"".join(
                    uleb(mutate.number(r, r.randrange(4))) for _ in range(r.choice((1, 2, 2, 4, 40)))
                )
                fields[-2] = len(corrections)
                if r.random() < 0.7:
                    fields[2] = bytes((fields[2][0], 2, *fields[2][2:]))
            elif way < 0.9:
                ids = mutate.octets(r, ids)
                if r.random() < 0.6:  # as many windows as then fit
                    size = fields[6] if isinstance(fields[6], int) else 16
                    fields[8] = max(1, len(ids) * 8 // max(1, size))
                    ids = ids[: -(-fields[8] * size // 16) * 2]
            else:
                fields[7] = max(0, fields[7] + r.choice((-1, 1, 5, 1 << 20)))
        head = b"".join(uleb(f) if isinstance(f, int) else f for f in fields)
        head += struct.pack("<I", check32(head) ^ (r.random() < 0.02))
        body = head + corrections + ids
        data = body + struct.pack("<Q", check64(body) ^ (r.random() < 0.02))
        return bytes((r.random() < 0.7,)) + (data if r.random() < 0.95 else mutate.octets(r, data))

    def run(self, case: bytes) -> str:
        if not case[0]:
            if tokens.detokenize(case[1:], max_output_size=1 << 16) not in self.texts:
                raise Wrong("wrong text under its own check")
            return RIGHT
        with replaced(tokens, check64=lambda data: Believed()):
            got = tokens.detokenize(case[1:], max_output_size=1 << 16)
        if len(got) != tokens.read_header(case[1:]).length:
            raise Wrong("a text of another length than was stated")
        return ANY


def _token_fields(data: bytes) -> tuple[list[Any], bytes, bytes]:
    """Return the fields of a token file's header (varints as numbers), its corrections and its tokens."""
    reader = Reader(data)
    fields: list[Any] = [reader.bytes(3), reader.bytes(1), reader.bytes(3)]
    name = reader.bytes(reader.u8())
    fields += [bytes((len(name),)), name, reader.bytes(32), *(reader.uleb() for _ in range(4)), reader.bytes(8)]
    reader.bytes(4)
    corrections = reader.bytes(fields[-2])
    return fields, corrections, reader.bytes(reader.left() - 8)


# Archives.

BLOCK = 512
_NUMBERS = {
    "mode": (100, 8),
    "uid": (108, 8),
    "gid": (116, 8),
    "size": (124, 12),
    "mtime": (136, 12),
    "devmajor": (329, 8),
    "devminor": (337, 8),
}
_TEXTS = {"name": (0, 100), "linkname": (157, 100), "prefix": (345, 155)}
_PAX = (
    "path",
    "linkpath",
    "size",
    "mtime",
    "uid",
    "gid",
    "uname",
    "GNU.sparse.map",
    "GNU.sparse.major",
    "GNU.sparse.minor",
    "GNU.sparse.realsize",
    "GNU.sparse.size",
    "GNU.sparse.numblocks",
    "hdrcharset",
    "comment",
    "SCHILY.xattr.user.a",
)
_ODD_NAMES = (
    b"",
    b".",
    b"..",
    b"/",
    b"../x",
    b"top/../../x",
    b"/etc/x",
    b"top",
    b"top/",
    b"top//b",
    b"top/./a",
    b"other/x",
    b"top/a\0b",
    b"top/\xff\xfe",
    b"top/" + b"d/" * 60 + b"x",
    b"victim/key",
    b"top/link/x",
    b"C:\\x",
    b"top/a b\n",
)
_ODD_LINKS = (
    b"a.txt",
    b"../victim/key",
    b"../top/a.txt",
    b"/etc/passwd",
    b"..",
    b".",
    b"",
    b"link",
    b"top/a.txt",
    b"sub/../../x",
    b"../" * 9 + b"etc",
    b"sub",
    b"a.txt/x",
    b"\0",
    b"sub/link2",
)
_VALUES = (
    b"",
    b"0",
    b"-1",
    b"nan",
    b"inf",
    b"-inf",
    b"1e300",
    b"1e-300",
    b"-5.5",
    b"9" * 30,
    b"1" * 5000,
    b"\0",
    b"a\0b",
    b"\xff",
    b"../x",
    b"0,1,2",
    b"1,1," * 50,
    b"12345678901234567890",
    b"top/x",
)


class TarTarget(Target):
    """Archives of directories, through `extract_tree`: nothing may be written, or be led to, outside of the target."""

    name = "tar"
    share = 5.0
    limit = 100 * MEBI

    def prepare(self) -> None:
        self.seeds = [
            archive(tarfile.PAX_FORMAT),
            archive(tarfile.GNU_FORMAT),
            archive(tarfile.USTAR_FORMAT, rich=False),
        ]
        self.zeros = solo("zstd", bytes(1 << 20), level=1).chunks[0]
        self.enter()
        for seed in self.seeds:
            assert self.run(b"\0" + packed(b"".join(b"".join(entry) for entry in seed) + bytes(2 * BLOCK))) == ANY
        cleared(self.folder)
        self.folder.rmdir()

    def enter(self) -> None:
        self.folder = own_folder()

    def mutation(self, r: Random) -> bytes:
        entries = list(r.choice(self.seeds))
        for _ in range(r.choice((1, 1, 2, 3, 5))):
            at = r.randrange(len(entries))
            head, body = entries[at]
            way = r.randrange(12)
            if way < 5:
                entries[at] = (_repaired(_changed_head(r, head)), body)
            elif way == 5:
                entries[at] = (head, mutate.octets(r, body) if body else r.randbytes(BLOCK))
            elif way == 6:
                entries.insert(r.randrange(len(entries) + 1), pax_entry(r))
            elif way == 7:
                entries.insert(r.randrange(len(entries) + 1), _long_name(r))
            elif way == 8:
                entries.insert(r.randrange(len(entries) + 1), r.choice(r.choice(self.seeds)))
            elif way == 9 and len(entries) > 1:
                del entries[at]
            elif way == 10:
                other = r.randrange(len(entries))
                entries[at], entries[other] = entries[other], entries[at]
            else:
                entries[at:at] = [entries[at]] * r.choice((1, 3))
        data = b"".join(head + body for head, body in entries) + bytes(BLOCK * r.choice((0, 1, 2, 20)))
        if r.random() < 0.02:
            data = _deep(r.choice((30, 254, 257, 257, 300, 1600))) + data
        if r.random() < 0.005:
            return b"\0" + self.bomb(r, data)
        if r.random() < 0.05:
            data = mutate.octets(r, data)
        return bytes((r.randrange(8),)) + packed(data)

    def bomb(self, r: Random, data: bytes) -> bytes:
        """Return an archive that begins with an extended header of a great many zeros, which take few bytes."""
        size = r.choice((1 << 20, 1 << 21, 300 << 20))
        head, _ = _entry(r.choice((b"x", b"g", b"L", b"K")), b"%d comment=" % size)
        out = bytearray(head)
        out[124:136] = b"%011o\0" % size
        parts = [_repaired(bytes(out)) + (b"%d comment=" % size).ljust(BLOCK, b"\0"), data]
        zeros = [replace(self.zeros, raw=self.zeros.raw) for _ in range(size >> 20)]
        chunks = [solo("store", part).chunks[0] for part in parts]
        return wire.encode(
            [
                wire.Member(
                    flags=container.FIELDS,
                    fields=[(container.FIELD_KIND, b"\1")],
                    chunks=[chunks[0], *zeros, chunks[1]],
                )
            ]
        )

    def run(self, case: bytes) -> str:
        try:
            return self.extracted(case)
        finally:
            cleared(self.folder)

    def extracted(self, case: bytes) -> str:
        way, data = case[0], case[1:]
        room, victim = self.folder / "room", self.folder / "victim"
        for folder in (room, victim, room / "victim", room / "secret"):
            folder.mkdir()
            (folder / "key").write_bytes(b"a secret of " + folder.name.encode())
        source = self.folder / "archive.tar.nz"
        source.write_bytes(data)
        before = _tree(self.folder)
        target = room / "new" if way & 1 else None
        try:
            result = extract_tree(
                source,
                target,
                folder=None if target else room,
                max_memory=self.limit,
                threads=1,
                outside_links=bool(way == 6),
                force=bool(way & 4),
            )
        except (NzipError, OSError) as error:
            if isinstance(error, OSError) and not error.errno:
                raise
            after = _tree(self.folder)
            if after != before:
                left = sorted(set(after) - set(before)) or sorted(set(before) - set(after)) or ["changed files"]
                raise Wrong("a failed extraction left " + _plain(left[0])) from error
            if isinstance(error, OSError):  # a name that the system does not take, said by its own error
                raise FileError(source, str(error)) from error
            raise
        place = Path(result.target)
        if place.parent != room or (target and place != target):
            raise Wrong("the directory lies where it should not")
        if place.name in ("victim", "secret") and way & 4:
            return ANY  # an archive whose directory has that name, and -f: it was to be replaced
        after = _tree(self.folder)
        inside = f"room/{place.name}"
        beside = {name: what for name, what in after.items() if name != inside and not name.startswith(inside + "/")}
        if beside != {name: what for name, what in before.items() if name != inside}:
            raise Wrong("an extraction changed what lies outside")
        if way != 6:
            root = os.path.realpath(place)
            for name, what in after.items():
                if name.startswith(inside) and what[0] == "link":
                    leads = os.path.realpath(self.folder / name)
                    if leads != root and not leads.startswith(root + os.sep):
                        raise Wrong("a link leads outside of the directory")
        return ANY


def _plain(name: str) -> str:
    return re.sub(r"[0-9a-f]{8,}", "…", re.sub(r"/.*", "/…", name))


def _tree(folder: Path) -> dict[str, tuple[str, Any]]:
    """Return what lies in a folder: directories, files with their content, links."""
    found: dict[str, tuple[str, Any]] = {}
    waiting = [str(folder)]
    skip = len(waiting[0]) + 1
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                name = entry.path[skip:]
                if entry.is_symlink():
                    found[name] = ("link", os.readlink(entry.path))
                elif entry.is_dir():
                    found[name] = ("folder", None)
                    waiting.append(entry.path)
                elif entry.is_file():
                    with open(entry.path, "rb") as file:
                        found[name] = ("file", zlib.crc32(file.read(1 << 16)))
                else:
                    found[name] = ("other", None)
    return found


def packed(data: bytes) -> bytes:
    """Return an nzip file of an archive, stored."""
    member = solo("store", data)
    head = container.Header(solo=True, kind="tar").encode()
    return head + wire.encode_chunk(member.chunks[0])


def archive(form: int, rich: bool = True) -> list[tuple[bytes, bytes]]:
    """Return the entries of a small archive: header and content of each."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:

        def add(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data)
            info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o640
            info.mtime = 1_600_000_000 + (0.25 if form == tarfile.PAX_FORMAT else 0)
            tar.addfile(info, io.BytesIO(data))

        add("top", kind=tarfile.DIRTYPE)
        add("top/a.txt", text(1, 700))
        add("top/sub", kind=tarfile.DIRTYPE)
        add("top/sub/empty")
        add("top/link", kind=tarfile.SYMTYPE, link="a.txt")
        add("top/sub/link2", kind=tarfile.SYMTYPE, link="../sub/empty")
        add("top/hard", kind=tarfile.LNKTYPE, link="top/a.txt")
        if rich:
            add("top/" + "long/" * 30 + "name", b"x")
            add("top/größe", b"y" * 513)
            add("top/far", kind=tarfile.SYMTYPE, link="sub/" + "../sub/" * 30 + "empty")
    data = out.getvalue()
    entries, at = [], 0
    while data[at : at + BLOCK].strip(b"\0"):
        head = data[at : at + BLOCK]
        size = int(head[124:136].rstrip(b"\0 ") or b"0", 8)
        stop = at + BLOCK + -(-size // BLOCK) * BLOCK
        entries.append((head, data[at + BLOCK : stop]))
        at = stop
    return entries


def _repaired(head: bytes) -> bytes:
    """Return a header with the sum that it must have."""
    total = sum(head[:148]) + 8 * 32 + sum(head[156:BLOCK])
    return head[:148] + b"%06o\0 " % (total & 0o777777) + head[156:]


def _changed_head(r: Random, head: bytes) -> bytes:
    out = bytearray(head)
    way = r.randrange(8)
    if way == 0:
        out[156:157] = r.choice(
            (b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S", b"L", b"K", b"x", b"g", b"X", b"\0", b"V", b"D")
        )
    elif way < 3:
        at, size = _NUMBERS[r.choice([*_NUMBERS])]
        value = mutate.number(r, r.randrange(5000))
        field = r.choice(
            (
                b"%0*o\0" % (size - 1, value),
                b"\x80" + value.to_bytes(size - 1, "big") if value < 1 << 8 * size - 8 else b"\x80",
                b"-1",
                b"\xff" * size,
                b" " * size,
                r.randbytes(size),
            )
        )
        out[at : at + size] = field[:size].ljust(size, b"\0")
    elif way < 6:
        name = r.choice([*_TEXTS])
        at, size = _TEXTS[name]
        value = r.choice(_ODD_LINKS if name == "linkname" else _ODD_NAMES)
        out[at : at + size] = value[:size].ljust(size, b"\0")
        if name == "linkname" and r.random() < 0.5:
            out[156:157] = r.choice((b"1", b"2"))
    elif way == 6:
        at = r.randrange(BLOCK)
        out[at] = mutate.octet(r, out[at])
    else:  # a sparse file of GNU's old form
        out[156:157] = b"S"
        for place in range(386, 482, 12):
            out[place : place + 12] = b"%011o\0" % (mutate.number(r, 512, 8**11 - 1))
        out[482] = r.randrange(2)
        out[483:495] = b"%011o\0" % mutate.number(r, 1024, 8**11 - 1)
    return bytes(out)


def _entry(kind: bytes, body: bytes, name: bytes = b"././@PaxHeader") -> tuple[bytes, bytes]:
    info = tarfile.TarInfo("x")
    info.size = len(body)
    head = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    head[:100] = name[:100].ljust(100, b"\0")
    head[156:157] = kind
    return _repaired(bytes(head)), body + bytes(-len(body) % BLOCK)


def pax_entry(r: Random) -> tuple[bytes, bytes]:
    """Return an extended header with odd keys and values."""
    body = b""
    for _ in range(r.choice((1, 1, 2, 5))):
        key = r.choice(_PAX).encode() if r.random() < 0.9 else r.randbytes(5)
        value = r.choice(_VALUES) if r.random() < 0.6 else r.choice(_ODD_NAMES + _ODD_LINKS)
        record = b" " + key + b"=" + value + b"\n"
        size = len(record) + len(str(len(record)))
        size = len(record) + len(str(size))
        if r.random() < 0.1:
            size = mutate.number(r, size)
        body += b"%d" % size + record
    return _entry(r.choice((b"x", b"x", b"x", b"g", b"X")), body if r.random() < 0.9 else mutate.octets(r, body))


def _long_name(r: Random) -> tuple[bytes, bytes]:
    return _entry(r.choice((b"L", b"K")), r.choice(_ODD_NAMES + _ODD_LINKS) + r.choice((b"\0", b"")), b"././@LongLink")


def _deep(depth: int) -> bytes:
    head, body = _entry(b"L", b"top/" + b"d/" * depth + b"x\0", b"././@LongLink")
    info = tarfile.TarInfo("top")
    info.type = tarfile.DIRTYPE
    return info.tobuf(tarfile.USTAR_FORMAT) + head + body + tarfile.TarInfo("top/x").tobuf(tarfile.USTAR_FORMAT)


# Models of the engine lm.


class GgufTarget(Target):
    """GGUF files: metadata, tokens, places and types of tensors; then the vocabulary and the quantised weights."""

    name = "gguf"
    share = 2.0
    limit = 160 * MEBI

    def prepare(self) -> None:
        from models.lm import model_files

        shape = {
            **model_files.CODABLE,
            "num_hidden_layers": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "vocab_size": 269,
        }
        self.metadata = model_files.gguf_metadata(shape)
        tokens_, _, _ = model_files.byte_level_tokens()
        shape["vocab_size"] = len(tokens_)
        self.tensors = model_files.gguf_tensors(model_files.make_tensors(shape), shape)
        self.pieces = {
            **self.metadata,
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.tokens": [
                "<unk>",
                "<s>",
                *(f"<0x{n:02X}>" for n in range(256)),
                *["▁the"] * (len(tokens_) - 258),
            ],
            "tokenizer.ggml.scores": [0.0] * len(tokens_),
        }
        self.bytes_of = model_files.gguf_bytes
        self.enter()
        assert self.run(self.bytes_of(self.metadata, self.tensors)) == ANY
        cleared(self.folder)
        self.folder.rmdir()

    def enter(self) -> None:
        self.folder = own_folder()

    def mutation(self, r: Random) -> bytes:
        metadata = dict(self.metadata if r.random() < 0.6 else self.pieces)
        tensors = list(self.tensors)
        offsets = None
        for _ in range(r.choice((1, 1, 2, 3))):
            way = r.randrange(10)
            if way < 6:
                key = r.choice([k for k in metadata])
                value = metadata[key]
                what = r.randrange(5)
                if what == 0:
                    del metadata[key]
                elif what == 1:
                    metadata[key] = r.choice(
                        (0, 1, 7, 1 << 31, 0.0, float("nan"), 1e38, "", "x", True, [1, 2], ["a"], [0.5], [])
                    )
                elif isinstance(value, bool | str):
                    metadata[key] = r.choice(("gpt2", "llama", "bert", "smollm", "", "x" * 500, "llama3"))
                elif isinstance(value, int):
                    metadata[key] = mutate.number(r, value, (1 << 32) - 1)
                elif isinstance(value, float):
                    metadata[key] = r.choice((0.0, -1.0, value * 3, 1e38, float("inf"), float("nan"), 1e-38))
                else:
                    metadata[key] = _changed_list(r, value)
                if not metadata:
                    break
            elif way < 8:
                at = r.randrange(len(tensors))
                name, shape, type_, data = tensors[at]
                what = r.randrange(6)
                if what == 0:
                    type_ = r.choice((*range(0, 16), 30, 99))
                elif what == 1:
                    shape = tuple(mutate.number(r, n, 1 << 62) for n in shape) * r.choice((1, 1, 2))
                    shape = shape[:4]
                elif what == 2:
                    name = r.choice((name + "x", "token_embd.weight", "output.weight", "", "blk.9.attn_q.weight"))
                elif what == 3:
                    data = mutate.octets(r, data[:600], rounds=5) + data[600:]
                elif what == 4:
                    data = struct.pack("<f", r.choice((float("nan"), float("inf"), 1e38, -1e38, 1e-45))) * (
                        len(data) // 4
                    )
                else:
                    data = data[: r.randrange(len(data) + 1)]
                tensors[at] = (name, shape, type_, data)
            elif way == 8:
                offsets = [mutate.number(r, 32 * n) for n in range(len(tensors))]
            else:
                del tensors[r.randrange(len(tensors))]
                if not tensors:
                    tensors = list(self.tensors)
        align = r.choice((32, 32, 32, 1, 64))
        offsets = None if offsets is None else [n & (1 << 63) - 1 for n in offsets][: len(tensors)]
        data = self.bytes_of(metadata, tensors, align=align, offsets=offsets, version=r.choice((3, 3, 3, 2, 1)))
        if r.random() < 0.25:
            head = mutate.octets(r, data[:3000])
            data = head + data[3000:]
        return data

    def run(self, case: bytes) -> str:
        from nzip.models.lm import model, sources

        path = self.folder / "model.gguf"
        path.write_bytes(case)
        source = sources.open_source(path)
        _used(source.vocabulary)
        if _small(source.architecture):
            language = model.open_path(path)
            if language.encode(b"the end").dtype.kind != "i":
                raise Wrong("tokens that are no integers")
        return ANY


def _used(vocabulary: Any) -> None:
    for sample in (b"", b"the end of it", bytes(range(256)), "größer 漢字".encode()):
        ids = vocabulary.encode(sample)
        if vocabulary.decode(ids) != sample:
            raise Wrong("a text comes back from its tokens as another")


def _small(architecture: Any) -> bool:
    return architecture["num_hidden_layers"] <= 2 and architecture["hidden_size"] <= 256


def _changed_list(r: Random, value: list[Any]) -> list[Any]:
    value = list(value)
    way = r.randrange(6)
    if way == 0:
        return value[: r.randrange(len(value) + 1)]
    if way == 1:
        return value * 2
    if way == 2:
        return [value[0]] * len(value) if value else value
    for _ in range(r.choice((1, 3, 200))):
        if not value:
            break
        at = r.randrange(len(value))
        old = value[at]
        if isinstance(old, str):
            value[at] = r.choice(("", "a", "Ġ", "a b", "<0x41>", "\ufffd", "Ġ" * 99, old + old, "a b c", "\x00"))
        elif isinstance(old, float):
            value[at] = r.choice((0.0, -1e9, 1e9, float("nan"), float("inf")))
        else:
            value[at] = r.choice((0, 1, 2, 3, 4, 5, 6, 7, -1, 1 << 30))
    return value


class SafetensorsTarget(Target):
    """Folders in Hugging Face's layout: config, tokenizer, header and bytes of the tensors, index."""

    name = "safetensors"
    share = 2.0
    limit = 160 * MEBI
    FILES = ("config.json", "tokenizer.json", "model.safetensors", "model.safetensors.index.json")

    def prepare(self) -> None:
        from models.lm import model_files

        tokens_, _, _ = model_files.byte_level_tokens()
        shape = {
            **model_files.CODABLE,
            "num_hidden_layers": 1,
            "hidden_size": 32,
            "intermediate_size": 32,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "vocab_size": len(tokens_),
        }
        tensors = model_files.make_tensors(shape)
        data = model_files.safetensors_bytes(tensors)
        length = int.from_bytes(data[:8], "little")
        self.seed = (
            {"model_type": "llama", "hidden_act": "silu", **shape},
            model_files.tokenizer_json(),
            json.loads(data[8 : 8 + length]),
            data[8 + length :],
        )
        self.index = {"metadata": {}, "weight_map": dict.fromkeys(tensors, "model.safetensors")}
        self.enter()
        assert self.run(self.case(Random(0), *self.seed, None)) == ANY
        cleared(self.folder)
        self.folder.rmdir()

    def enter(self) -> None:
        self.folder = own_folder()

    @staticmethod
    def case(r: Random, config: Any, tokenizer: Any, header: Any, body: bytes, index: Any, length: int = -1) -> bytes:
        """Return the files in one piece, each with its length before it."""
        text_ = mutate.to_json(r, header)
        model = (len(text_) if length < 0 else length).to_bytes(8, "little") + text_ + body
        parts = [mutate.to_json(r, config), mutate.to_json(r, tokenizer), model]
        parts.append(b"" if index is None else mutate.to_json(r, index))
        return b"".join(struct.pack("<I", len(part)) + part for part in parts)

    def mutation(self, r: Random) -> bytes:
        config, tokenizer, header, body = self.seed
        index = None
        length = -1
        for _ in range(r.choice((1, 1, 2))):
            way = r.randrange(9)
            if way < 3:
                config = mutate.tree(r, config)
                if r.random() < 0.3 and isinstance(config, dict):
                    key = r.choice(
                        (
                            "rope_scaling",
                            "rope_parameters",
                            "sliding_window",
                            "attention_bias",
                            "rope_theta",
                            "partial_rotary_factor",
                            "tie_word_embeddings",
                            "max_position_embeddings",
                        )
                    )
                    config[key] = r.choice(mutate.ODD)
            elif way < 5:
                if r.random() < 0.5 and isinstance(tokenizer, dict):
                    small = {key: value for key, value in tokenizer.items() if key != "model"}
                    tokenizer = (
                        {**mutate.tree(r, small), "model": tokenizer.get("model")}
                        if isinstance(small := mutate.tree(r, small), dict)
                        else small
                    )
                else:
                    tokenizer = mutate.tree(r, tokenizer)
            elif way < 7:
                header = mutate.tree(r, header)
            elif way == 7:
                index = mutate.tree(r, self.index)
            elif r.random() < 0.5:
                body = mutate.octets(r, body[:500], rounds=3) + body[500:]
            else:
                length = mutate.number(r, 2000)
        return self.case(r, config, tokenizer, header, body, index, length)

    def run(self, case: bytes) -> str:
        from nzip.models.lm import model, sources

        reader = Reader(case)
        for name in self.FILES:
            part = reader.bytes(reader.u32())
            path = self.folder / name
            path.unlink(missing_ok=True)
            if part:
                path.write_bytes(part)
        source = sources.open_source(self.folder)
        _used(source.vocabulary)
        if _small(source.architecture):
            model.open_path(self.folder).encode(b"the end")
        return ANY


class LmCacheTarget(Target):
    """What nzip keeps of language models: records and quantised weights."""

    name = "lmcache"
    share = 3.0
    limit = 64 * MEBI

    def prepare(self) -> None:
        from models.lm import model_files

        from nzip.models.lm import cache, model

        self.enter()
        path = model_files.write_gguf(self.folder / "tiny.gguf", model_files.CODABLE)
        cache.add(path, name="tiny")
        language = model.open_path(path)
        place = self.folder / "tiny.bin"
        language.weights.save(place)
        data = place.read_bytes()
        length = int.from_bytes(data[8:12], "little")
        self.values, self.weights = json.loads(data[12 : 12 + length]), data
        self.record = json.loads((self.folder / "tiny" / "model.json").read_text())
        cleared(self.folder)
        self.folder.rmdir()

    def enter(self) -> None:
        self.folder = own_folder()
        os.environ["NZIP_MODELS"] = str(self.folder)

    def mutation(self, r: Random) -> bytes:
        if r.random() < 0.4:
            record = mutate.to_json(r, mutate.tree(r, self.record))
            return b"r" + (record if r.random() < 0.9 else mutate.octets(r, record))
        data = self.weights
        if r.random() < 0.7:
            text_ = json.dumps(mutate.tree(r, self.values), sort_keys=True, separators=(",", ":")).encode(
                "utf-8", "replace"
            )
            head = data[:8] + len(text_).to_bytes(4, "little") + text_
            data = head[:4096].ljust(len(data) - len(data[_header_size(data) :]), b"\0") + data[_header_size(data) :]
        elif r.random() < 0.5:
            size = _header_size(data)
            data = mutate.octets(r, data[:size]) + data[size:]
        else:
            at = r.randrange(len(data) - 400)
            data = (
                data[:at]
                + struct.pack("<f", r.choice((float("nan"), float("inf"), -1.0, 0.0, 1e38))) * 9
                + data[at + 36 :]
            )
        return b"w" + (data if r.random() < 0.9 else data[: r.randrange(len(data))])

    def run(self, case: bytes) -> str:
        from nzip.models.lm import cache, weights

        if case[:1] == b"r":
            folder = self.folder / "tiny"
            folder.mkdir(exist_ok=True)
            (folder / "model.json").write_bytes(case[1:])
            try:
                found = cache.find("tiny")
                _ = found.size, found.places, found.fault()
            finally:
                cache.installed()
                cache.verify()
            return ANY
        place = self.folder / "tiny.bin"
        place.write_bytes(case[1:])
        try:
            weights.load(place)
        finally:
            place.unlink()
        return ANY


def _header_size(data: bytes) -> int:
    from nzip.models.lm import weights

    return int(weights.HEADER)


class JournalTarget(Target):
    """Journals of measures: a line that was changed must not count, one with odd values must not stop a run."""

    name = "journal"
    share = 10.0
    limit = 64 * MEBI

    def prepare(self) -> None:
        self.enter()
        from nzip.evaluation.study import Journal, key_of

        path = self.folder / "seed"
        self.records: dict[str, Any] = {}
        with Journal(path) as journal:
            for number in range(6):
                record = {
                    "label": f"file {number}",
                    "bits": 8000.5 + number,
                    "scores": [1, 2.25, -3],
                    "none": None,
                    "inside": {"deep": {"deeper": [[1], [2]]}, "flag": True},
                    "text": "größer",
                }
                key = key_of("fuzz", number)
                self.records[key] = record
                journal.add(key, record)
        self.lines = path.read_bytes().splitlines(keepends=True)
        self.data = path.read_bytes()
        assert Journal(path).known == self.records
        cleared(self.folder)
        self.folder.rmdir()

    def enter(self) -> None:
        self.folder = own_folder()

    def mutation(self, r: Random) -> bytes:
        from nzip.evaluation.study import checked

        lines = list(self.lines)
        repair = r.random() < 0.4
        for _ in range(r.choice((1, 1, 2, 4))):
            at = r.randrange(len(lines))
            way = r.randrange(9)
            if repair:
                entry = r.choice([*self.records.items()])
                value = mutate.tree(r, {"key": entry[0], "record": entry[1]})
                text_ = mutate.to_json(r, value if r.random() < 0.9 else [value]).decode("utf-8", "replace")
                if text_.startswith("{") and "\n" not in text_:
                    lines[at] = checked(text_).encode() + b"\n"
            elif way < 3:
                lines[at] = mutate.octets(r, lines[at])
            elif way == 3:  # a digit
                digits = [n for n, value in enumerate(lines[at]) if 48 <= value <= 57]
                if digits:
                    place = r.choice(digits)
                    lines[at] = lines[at][:place] + b"%d" % r.randrange(10) + lines[at][place + 1 :]
            elif way == 4:
                try:
                    lines[at] = mutate.to_json(r, mutate.tree(r, json.loads(lines[at]))) + b"\n"
                except (ValueError, RecursionError):
                    continue
            elif way == 5:
                lines[at] = r.choice(_ODD_LINES)
            elif way == 6:
                del lines[at]
                if not lines:
                    lines = [b""]
            elif way == 7:
                lines.insert(at, lines[r.randrange(len(lines))])
            else:
                lines[at] = lines[at][: r.randrange(len(lines[at]) + 1)]
        return bytes((repair,)) + b"".join(lines)

    def run(self, case: bytes) -> str:
        from nzip.evaluation.study import Journal

        path = self.folder / "journal"
        path.write_bytes(case[1:])
        try:
            with Journal(path) as journal:
                for key, record in journal.known.items():
                    if not case[0] and self.records.get(key) != record:
                        raise Wrong("a line that was changed counts")
                    if not isinstance(key, str) or not isinstance(record, dict):
                        raise Wrong("a record that is none")
                journal.add("k" * 64, {"fine": 1})
            with Journal(path) as journal:
                if journal.known.get("k" * 64) != {"fine": 1}:
                    raise Wrong("a line behind a damaged one is lost")
        finally:
            path.unlink(missing_ok=True)
        return ANY if case[0] else RIGHT


_ODD_LINES = (
    b"[" * 100000, b'{"a":' * 50000, b"null\n", b"1\n", b'"x"\n', b"{}\n", b"[]\n", b"\xff\n", b"\r", b"\x85",
    b'{"key": [], "record": {}}\n', b'{"key": "k"}\n', b'{"check": "', "\u2028".encode(),
)  # fmt: skip


TARGETS = [TokenTarget, TarTarget, GgufTarget, SafetensorsTarget, LmCacheTarget, JournalTarget]
