"""Models of the engine `lm`: files that users bring, and what nzip keeps of them."""

from __future__ import annotations

import json
import os
import struct
from random import Random
from typing import Any

from nzip.errors import NzipError
from nzip.formats.container import Reader

from . import mutate
from .target import ANY, MEBI, Target, Wrong, cleared, own_folder


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
        from nzip.models.lm import loading
        from nzip.models.lm.readers import opening

        path = self.folder / "model.gguf"
        path.write_bytes(case)
        source = opening.open_source(path)
        _used(source.vocabulary)
        if _small(source.architecture):
            language = loading.open_path(path)
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
                    config[key] = mutate.odd(r)
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
        from nzip.models.lm import loading
        from nzip.models.lm.readers import opening

        reader = Reader(case)
        for name in self.FILES:
            part = reader.bytes(reader.u32())
            path = self.folder / name
            path.unlink(missing_ok=True)
            if part:
                path.write_bytes(part)
        try:
            source = opening.open_source(self.folder)
        except OSError as error:  # a name in the index that the system does not take
            raise NzipError(str(error)) from error
        _used(source.vocabulary)
        if _small(source.architecture):
            loading.open_path(self.folder).encode(b"the end")
        return ANY


class LmCacheTarget(Target):
    """What nzip keeps of language models: records and quantised weights."""

    name = "lmcache"
    share = 3.0
    limit = 64 * MEBI

    def prepare(self) -> None:
        from models.lm import model_files

        from nzip.models.lm import loading
        from nzip.models.lm.cache import local

        self.enter()
        path = model_files.write_gguf(self.folder / "tiny.gguf", model_files.CODABLE)
        local.add(path, name="tiny")
        language = loading.open_path(path)
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
        from nzip.models.lm.cache import records, verification
        from nzip.models.lm.network import weights

        if case[:1] == b"r":
            folder = self.folder / "tiny"
            folder.mkdir(exist_ok=True)
            (folder / "model.json").write_bytes(case[1:])
            try:
                found = records.find("tiny")
                _ = found.size, found.places, found.fault()
            finally:
                records.installed()
                verification.verify()
            return ANY
        place = self.folder / "tiny.bin"
        place.write_bytes(case[1:])
        try:
            weights.load(place)
        finally:
            place.unlink()
        return ANY


def _header_size(data: bytes) -> int:
    from nzip.models.lm.network import weights

    return int(weights.HEADER)


TARGETS = [GgufTarget, SafetensorsTarget, LmCacheTarget]
