"""Token files, and journals of measures."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

from nzip.codec.tokens import tokenizer as tokens
from nzip.formats.container.wire import Reader, check32, check64

from . import mutate
from .mutate import uleb
from .samples import text
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
            for bits, width in ((16, 16), (24, 8), (40, 16))[: 1 if model == "text" else 3]:
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
                    fields[2] = fields[2][:1] + b"\2" + fields[2][2:]
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


class JournalTarget(Target):
    """Journals of measures: a line that was changed must not count, one with odd values must not stop a run."""

    name = "journal"
    share = 10.0
    limit = 64 * MEBI

    def prepare(self) -> None:
        self.enter()
        from nzip.evaluation.harness.journal import Journal, key_of

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
        from nzip.evaluation.harness.journal import checked

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
        from nzip.evaluation.harness.journal import Journal

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


TARGETS = [TokenTarget, JournalTarget]
