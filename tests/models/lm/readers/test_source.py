"""Models in GGUF files and Hugging Face's folders: what is read, and what is refused."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from models.lm.model_files import (
    ARCHITECTURE,
    GGUF_NAMES,
    gguf_bytes,
    gguf_metadata,
    gguf_name,
    gguf_order,
    gguf_tensors,
    make_tensors,
    rotary_neighbours,
    safetensors_bytes,
    tokenizer_json,
    write_folder,
    write_gguf,
)

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.lm.readers import quants
from nzip.models.lm.readers.opening import open_source
from nzip.models.lm.readers.source import ModelSource, expected_shapes, rotary_halves

UNTIED = {**ARCHITECTURE, "tie_word_embeddings": False}


def same_tensors(source: ModelSource, expected: dict[str, np.ndarray]) -> None:
    assert sorted(source.tensors) == sorted(expected)
    for name, array in expected.items():
        found = source.tensors[name]
        assert found.dtype == np.float32
        assert found.shape == array.shape == source.tensors.shape(name)
        assert np.array_equal(found, array), name


class TestRotaryOrder:
    @pytest.mark.parametrize(("heads", "head"), [(1, 2), (1, 8), (3, 4), (4, 64)])
    def test_undoes_the_reference(self, heads: int, head: int) -> None:
        array = np.arange(heads * head * 3, dtype=np.float32).reshape(heads * head, 3)
        assert np.array_equal(rotary_halves(rotary_neighbours(array, heads), heads), array)


class TestGguf:
    @pytest.mark.parametrize("architecture", [ARCHITECTURE, UNTIED], ids=["tied", "untied"])
    def test_all_of_it(self, tmp_path: Path, architecture: dict[str, Any]) -> None:
        source = open_source(write_gguf(tmp_path / "tiny.gguf", architecture))
        assert source.kind == "gguf"
        assert source.architecture == architecture
        assert source.files == [tmp_path / "tiny.gguf"]
        same_tensors(source, make_tensors(architecture))
        assert source.weight_bytes == sum(4 * array.size for array in make_tensors(architecture).values())
        vocabulary = source.vocabulary
        assert vocabulary.size == 300
        assert (vocabulary.bos_id, vocabulary.eos_id, vocabulary.start_id) == (1, 0, 0)
        assert vocabulary.decode(vocabulary.encode(b"the \x04 end")) == b"the \x04 end"

    def test_versions(self, tmp_path: Path) -> None:
        data = gguf_bytes(gguf_metadata(), gguf_tensors(make_tensors()), version=2)
        (tmp_path / "a").write_bytes(data)
        assert open_source(tmp_path / "a").architecture == ARCHITECTURE

    def test_alignment(self, tmp_path: Path) -> None:
        metadata = {**gguf_metadata(), "general.alignment": 64}
        (tmp_path / "a").write_bytes(gguf_bytes(metadata, gguf_tensors(make_tensors()), align=64))
        same_tensors(open_source(tmp_path / "a"), make_tensors())

    def test_defaults(self, tmp_path: Path) -> None:
        metadata = gguf_metadata({**ARCHITECTURE, "num_key_value_heads": 4})
        for key in ("llama.attention.head_count_kv", "llama.rope.freq_base", "llama.rope.dimension_count"):
            del metadata[key]
        architecture = {**ARCHITECTURE, "num_key_value_heads": 4}
        tensors = gguf_tensors(make_tensors(architecture), architecture)
        (tmp_path / "a").write_bytes(gguf_bytes(metadata, tensors))
        assert open_source(tmp_path / "a").architecture == architecture

    def test_more_rows_than_tokens(self, tmp_path: Path) -> None:
        source = open_source(write_gguf(tmp_path / "a"))
        named = len(gguf_metadata()["tokenizer.ggml.tokens"])
        assert named < 300
        assert source.vocabulary.pieces[named:] == [b""] * (300 - named)

    @pytest.mark.parametrize(
        "type_", [number for number in quants.TYPES if number], ids=lambda number: quants.TYPES[number][0]
    )
    def test_every_type(self, tmp_path: Path, type_: int) -> None:
        """The package writes the file; values are those of its own dequantiser."""
        gguf = pytest.importorskip("gguf")
        architecture = {**ARCHITECTURE, "hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 4,
                        "num_key_value_heads": 2, "head_dim": 64}  # fmt: skip
        kind = gguf.GGMLQuantizationType(type_)
        writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
        writer.add_block_count(2)
        writer.add_context_length(256)
        writer.add_embedding_length(256)
        writer.add_feed_forward_length(256)
        writer.add_head_count(4)
        writer.add_head_count_kv(2)
        writer.add_rope_freq_base(10000.0)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        metadata = gguf_metadata()
        writer.add_token_list(metadata["tokenizer.ggml.tokens"])
        writer.add_token_types(metadata["tokenizer.ggml.token_type"])
        writer.add_token_merges(metadata["tokenizer.ggml.merges"])
        expected = {}
        random = np.random.default_rng(type_)
        for name, array in make_tensors(architecture).items():
            if array.ndim == 1:
                writer.add_tensor(gguf_name(name), array)
                expected[name] = array
                continue
            ordered = gguf_order(name, array, architecture)
            try:
                data = gguf.quants.quantize(ordered, kind)
            except NotImplementedError:  # the package reads these types and does not write them
                _, weights, size = quants.block_of(type_)
                data = random.integers(0, 60, (len(ordered), ordered.shape[1] // weights * size), dtype=np.uint8)
            if kind.name in ("F32", "F16"):
                writer.add_tensor(gguf_name(name), data)
            else:
                writer.add_tensor(gguf_name(name), data.view(np.uint8), raw_dtype=kind)
            values = gguf.quants.dequantize(data, kind)
            heads = {"q": 4, "k": 2}.get(name.split(".")[-2][0], 0) if "self_attn" in name else 0
            expected[name] = rotary_halves(values, heads) if heads else values
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        source = open_source(tmp_path / "a.gguf")
        assert source.architecture == architecture
        same_tensors(source, expected)


class TestFolder:
    @pytest.mark.parametrize("architecture", [ARCHITECTURE, UNTIED], ids=["tied", "untied"])
    @pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
    @pytest.mark.parametrize("shards", [1, 3])
    def test_all_of_it(self, tmp_path: Path, architecture: dict[str, Any], dtype: str, shards: int) -> None:
        folder = write_folder(tmp_path / "model", architecture, dtype=dtype, shards=shards)
        source = open_source(folder)
        assert source.kind == "safetensors"
        assert source.architecture == architecture
        same_tensors(source, make_tensors(architecture))
        assert source.vocabulary.size == 300
        assert sorted(path.name for path in source.files) == sorted(path.name for path in folder.iterdir())

    def test_the_package(self, tmp_path: Path) -> None:
        numpy_files = pytest.importorskip("safetensors.numpy")
        folder = write_folder(tmp_path / "model")
        numpy_files.save_file(make_tensors(), folder / "model.safetensors")
        same_tensors(open_source(folder), make_tensors())

    def test_equals_gguf(self, tmp_path: Path) -> None:
        one = open_source(write_gguf(tmp_path / "a.gguf"))
        two = open_source(write_folder(tmp_path / "b"))
        assert one.architecture == two.architecture
        same_tensors(one, dict(two.tensors))
        assert one.vocabulary.digest() == two.vocabulary.digest()
        text = b"the other thing and a number 1234, in the end"
        assert one.vocabulary.encode(text).tolist() == two.vocabulary.encode(text).tolist()

    def test_what_is_left_out(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "model")
        tensors = make_tensors()
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(4, np.float32)
        (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
        same_tensors(open_source(folder), make_tensors())

    def test_newer_config(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "model")
        config = json.loads((folder / "config.json").read_text())
        del config["rope_theta"], config["head_dim"]
        config["rope_parameters"] = {"rope_theta": 5e5, "rope_type": "default"}
        (folder / "config.json").write_text(json.dumps(config))
        assert open_source(folder).architecture == {**ARCHITECTURE, "rope_theta": 5e5}

    def test_other_file_name(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "model")
        (folder / "model.safetensors").rename(folder / "weights.safetensors")
        same_tensors(open_source(folder), make_tensors())


def read_all(path: Path) -> None:
    source = open_source(path)
    assert source.vocabulary
    assert dict(source.tensors)


class TestRefusedGguf:
    def check(self, tmp_path: Path, data: bytes, error: type[Exception], match: str) -> None:
        path = tmp_path / "a.gguf"
        path.write_bytes(data)
        with pytest.raises(error, match=match) as caught:
            read_all(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("key", "value", "error", "match"),
        [
            ("general.architecture", "qwen2", UnsupportedError, "'qwen2'"),
            ("general.architecture", 3, UnsupportedError, "architecture 3"),
            ("llama.expert_count", 8, UnsupportedError, "mixture of experts"),
            ("split.count", 3, UnsupportedError, "one part of a split"),
            ("llama.rope.scaling.type", "yarn", UnsupportedError, "rotary"),
            ("llama.rope.dimension_count", 4, UnsupportedError, "rotates a part"),
            ("llama.attention.key_length", 7, UnsupportedError, "rotates a part"),
            ("llama.attention.head_count", [4, 4], UnsupportedError, "layer to layer"),
            ("llama.attention.head_count_kv", 3, CorruptError, "heads do not go together"),
            ("llama.block_count", 1 << 30, CorruptError, "num_hidden_layers is 1073741824"),
            ("llama.block_count", 3, CorruptError, "lacks the tensor model.layers.2"),
            ("llama.block_count", 1, UnsupportedError, "model.layers.1"),
            ("llama.embedding_length", 0, CorruptError, "hidden_size is 0"),
            ("llama.embedding_length", 64, UnsupportedError, "rotates a part"),
            ("llama.embedding_length", None, CorruptError, "hidden_size is None"),
            ("llama.feed_forward_length", "64", CorruptError, "intermediate_size is '64'"),
            ("llama.context_length", True, CorruptError, "max_position_embeddings is True"),
            ("llama.attention.layer_norm_rms_epsilon", float("nan"), CorruptError, "rms_norm_eps is nan"),
            ("llama.rope.freq_base", -1.0, CorruptError, "rope_theta is -1"),
            ("general.alignment", 0, CorruptError, "alignment is 0"),
            ("tokenizer.ggml.model", "bert", UnsupportedError, "kind 'bert'"),
            ("tokenizer.ggml.model", ["a"], UnsupportedError, "kind"),
            ("tokenizer.ggml.tokens", None, CorruptError, "no list of tokens"),
            ("tokenizer.ggml.tokens", [1, 2], CorruptError, "no list of tokens"),
            ("tokenizer.ggml.tokens", ["a"] * 301, CorruptError, "301 tokens"),
            ("tokenizer.ggml.token_type", [1, 2], CorruptError, "token_type"),
            ("tokenizer.ggml.merges", None, CorruptError, "no list of merges"),
            ("tokenizer.ggml.merges", ["ab"], CorruptError, "merge 0"),
            ("tokenizer.ggml.merges", ["a \u4e00"], CorruptError, "merge 0"),
        ],
    )
    def test_metadata(self, tmp_path: Path, key: str, value: Any, error: type[Exception], match: str) -> None:
        metadata = gguf_metadata()
        metadata[key] = value
        if value is None:
            del metadata[key]
        if key == "llama.rope.scaling.type":
            metadata["llama.rope.scaling.factor"] = 4.0
        self.check(tmp_path, gguf_bytes(metadata, gguf_tensors(make_tensors())), error, match)

    def test_tensors(self, tmp_path: Path) -> None:
        def data(change: Callable[[list[Any]], None]) -> bytes:
            tensors = gguf_tensors(make_tensors())
            change(tensors)
            return gguf_bytes(gguf_metadata(), tensors)

        bias = ("blk.0.attn_q.bias", (32,), 0, bytes(128))
        self.check(tmp_path, data(lambda t: t.append(bias)), UnsupportedError, "attn_q.bias")
        ropes = ("rope_freqs.weight", (4,), 0, bytes(16))
        self.check(tmp_path, data(lambda t: t.append(ropes)), UnsupportedError, "rotary")
        self.check(tmp_path, data(lambda t: t.pop(1)), CorruptError, "lacks the tensor")
        self.check(tmp_path, data(lambda t: t.pop(0)), CorruptError, "lacks the tensor token_embd")
        self.check(tmp_path, data(lambda t: t.append(t[1])), CorruptError, "damaged")

        def entry(number: int, **changes: Any) -> Callable[[list[Any]], None]:
            def work(tensors: list[Any]) -> None:
                name, shape, type_, content = tensors[number]
                values = {"name": name, "shape": shape, "type_": type_, "content": content, **changes}
                tensors[number] = tuple(values.values())

            return work

        self.check(tmp_path, data(entry(1, shape=(1 << 63,))), CorruptError, "ends behind")
        self.check(tmp_path, data(entry(1, shape=(1 << 40, 1 << 40, 1 << 40, 1 << 40))), CorruptError, "ends behind")
        self.check(tmp_path, data(entry(1, shape=(0,))), CorruptError, "damaged")
        self.check(tmp_path, data(entry(1, shape=(16,))), CorruptError, "shape")
        self.check(tmp_path, data(entry(1, shape=(1, 1, 1, 1, 32))), CorruptError, "5 dimensions")
        self.check(tmp_path, data(entry(2, shape=(8, 128))), CorruptError, "shape")
        self.check(tmp_path, data(entry(1, type_=99)), UnsupportedError, "type 99")
        self.check(tmp_path, data(entry(1, type_=14)), CorruptError, "damaged")
        not_finite = np.full(32, np.inf, "<f4").tobytes()
        self.check(tmp_path, data(entry(1, content=not_finite)), CorruptError, "not finite")

    def test_offsets(self, tmp_path: Path) -> None:
        tensors = gguf_tensors(make_tensors())
        for offsets, match in (([0] * len(tensors), "share bytes"), ([3] * len(tensors), "damaged")):
            self.check(tmp_path, gguf_bytes(gguf_metadata(), tensors, offsets=offsets), CorruptError, match)

    def test_header(self, tmp_path: Path) -> None:
        good = gguf_bytes(gguf_metadata(), gguf_tensors(make_tensors()))
        swapped = good[:4] + struct.pack(">I", 3) + good[8:]
        self.check(tmp_path, swapped, UnsupportedError, "big-endian")
        self.check(tmp_path, good[:4] + struct.pack("<I", 9) + good[8:], UnsupportedError, "version 9")
        for at in (8, 16):
            for count in (1 << 20, 1 << 63):
                data = good[:at] + struct.pack("<Q", count) + good[at + 8 :]
                self.check(tmp_path, data, CorruptError, "out of range")
        self.check(tmp_path, good[:24] + struct.pack("<Q", 1 << 62) + good[32:], CorruptError, "behind its end")
        for value in (
            struct.pack("<IIQ", 9, 8, 1 << 60),
            struct.pack("<IIQ", 9, 4, 1 << 60),
            struct.pack("<I", 77),
            struct.pack("<IQ", 8, 1 << 40),
        ):
            head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + value
            self.check(tmp_path, head, CorruptError, "header")
        head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<IIQ", 9, 9, 1)
        self.check(tmp_path, head, UnsupportedError, "list of lists")
        two = struct.pack("<Q", 1) + b"k" + struct.pack("<II", 4, 0)
        self.check(tmp_path, b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + two + two, CorruptError, "twice")

    def test_other_files(self, tmp_path: Path) -> None:
        self.check(tmp_path, b"PK\x03\x04 and so on", UnsupportedError, "no GGUF file")
        self.check(tmp_path, b"", UnsupportedError, "no GGUF file")
        with pytest.raises(FileNotFoundError):
            open_source(tmp_path / "nothing")
        folder = write_folder(tmp_path / "model")
        for name in ("config.json", "model.safetensors"):
            with pytest.raises(UnsupportedError, match="name its folder"):
                open_source(folder / name)

    def test_every_truncation(self, tmp_path: Path) -> None:
        good = gguf_bytes(gguf_metadata(), gguf_tensors(make_tensors()))
        path = tmp_path / "a.gguf"
        for end in [*range(0, 400), *range(400, len(good), 997), len(good) - 1]:
            path.write_bytes(good[:end])
            with pytest.raises((CorruptError, UnsupportedError)):
                open_source(path)

    def test_shortened_later(self, tmp_path: Path) -> None:
        source = open_source(write_gguf(tmp_path / "a.gguf"))
        with open(tmp_path / "a.gguf", "r+b") as file:
            file.truncate(9000)
        with pytest.raises(CorruptError, match="cut short"):
            source.tensors["model.norm.weight"]


@given(st.data())
def test_damaged_header(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    good = bytearray(gguf_bytes(gguf_metadata(), gguf_tensors(make_tensors())))
    header = good.index(b"output_norm.weight") + 60
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, header))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.gguf"
    path.write_bytes(good)
    try:
        vocabulary = open_source(path).vocabulary
    except (CorruptError, UnsupportedError):
        return
    assert vocabulary.decode(vocabulary.encode(b"the end")) == b"the end"


class TestRefusedFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_folder(tmp_path / "model")

    def check(self, folder: Path, error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match) as caught:
            read_all(folder)
        assert str(caught.value).startswith(str(folder))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "error", "match"),
        [
            ({"model_type": "gpt2"}, UnsupportedError, "'gpt2'"),
            ({"model_type": ["llama"]}, UnsupportedError, "type"),
            ({"rope_scaling": {"rope_type": "llama3", "factor": 32}}, UnsupportedError, "rotary"),
            ({"rope_scaling": "x"}, CorruptError, "rotary"),
            ({"rope_parameters": {"rope_type": ["x"]}}, UnsupportedError, "rotary"),
            ({"hidden_act": "gelu"}, UnsupportedError, "'gelu'"),
            ({"attention_bias": True}, UnsupportedError, "biases"),
            ({"model_type": "mistral", "sliding_window": 4}, UnsupportedError, "sliding"),
            ({"hidden_size": 2.5}, CorruptError, "hidden_size is 2.5"),
            ({"hidden_size": 10**30}, CorruptError, "hidden_size"),
            ({"rms_norm_eps": 1e-300}, CorruptError, "rms_norm_eps is zero"),
            ({"rope_theta": "x"}, CorruptError, "rope_theta is 'x'"),
            ({"num_hidden_layers": 5}, CorruptError, "lacks the tensor"),
            ({"head_dim": 3}, CorruptError, "heads do not go together"),
            ({"head_dim": 16}, CorruptError, "shape"),
        ],
    )
    def test_config(self, folder: Path, changes: dict[str, Any], error: type[Exception], match: str) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        self.check(folder, error, match)

    @pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 100000, b" " * (1 << 21)])
    def test_config_that_is_none(self, folder: Path, text: bytes) -> None:
        (folder / "config.json").write_bytes(text)
        self.check(folder, CorruptError, "get it again")

    def test_missing(self, folder: Path) -> None:
        (folder / "tokenizer.json").rename(folder / "x")
        self.check(folder, UnsupportedError, "tokenizer.json")
        (folder / "model.safetensors").rename(folder / "model.bin")
        self.check(folder, UnsupportedError, "no safetensors")
        (folder / "config.json").unlink()
        self.check(folder, UnsupportedError, "no config.json")

    def test_index(self, folder: Path) -> None:
        index = folder / "model.safetensors.index.json"
        for text, match in (
            ('{"weight_map": {"a": "../x.safetensors"}}', "none of the folder's"),
            ('{"weight_map": {"a": "b.safetensors"}}', "lacks b.safetensors"),
            ('{"weight_map": []}', "names no files"),
            ("{}", "names no files"),
        ):
            index.write_text(text)
            self.check(folder, CorruptError, match)
        index.unlink()
        (folder / "b.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        self.check(folder, CorruptError, "no index")
        index.write_text('{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}')
        self.check(folder, CorruptError, "another file has too")

    @pytest.mark.parametrize(
        ("entry", "error", "match"),
        [
            ({"dtype": "I64"}, UnsupportedError, "'I64'"),
            ({"dtype": "F16"}, CorruptError, "does not fit"),
            ({"shape": [33]}, CorruptError, "does not fit"),
            ({"shape": [-32, -1]}, CorruptError, "damaged"),
            ({"shape": "ab"}, CorruptError, "damaged"),
            ({"shape": None}, CorruptError, "damaged"),
            ({"data_offsets": [1 << 60, (1 << 60) + 128]}, CorruptError, "does not fit"),
            ({"data_offsets": [128, 0]}, CorruptError, "does not fit"),
            ({"data_offsets": [0]}, CorruptError, "damaged"),
            ({"data_offsets": [0, 128]}, CorruptError, "share bytes"),
        ],
    )
    def test_entries(self, folder: Path, entry: dict[str, Any], error: type[Exception], match: str) -> None:
        data = (folder / "model.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        header["model.norm.weight"].update(entry)
        text = json.dumps(header).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
        self.check(folder, error, match)

    def test_header(self, folder: Path) -> None:
        data = (folder / "model.safetensors").read_bytes()
        for damaged in (struct.pack("<Q", 1 << 62) + data[8:], struct.pack("<Q", len(data)) + data[8:], data[:5],
                        data[:300], data[:-1], struct.pack("<Q", 2) + b"[]", b""):  # fmt: skip
            (folder / "model.safetensors").write_bytes(damaged)
            self.check(folder, CorruptError, "model.safetensors")

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("", CorruptError),
            ("{}", CorruptError),
            ("[]", CorruptError),
            ('{"model": []}', CorruptError),
            ('{"model": {"type": "Unigram", "vocab": []}}', UnsupportedError),
            ('{"model": {"type": "BPE", "vocab": {}, "merges": []}}', UnsupportedError),
        ],
    )
    def test_tokenizer(self, folder: Path, text: str, error: type[Exception]) -> None:
        (folder / "tokenizer.json").write_text(text)
        self.check(folder, error, "tokenizer.json")

    @pytest.mark.parametrize("seed", range(3))
    def test_tokenizer_of_other_types(self, folder: Path, seed: int) -> None:
        """Every value in turn becomes something else: it is read, or refused by one of two errors."""
        whole = tokenizer_json()
        whole["added_tokens"].append({"id": 299, "content": "\ud800", "special": False})
        other = [None, -1, ["x", {"type": 3}]][seed]

        def places(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
            items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
            found = [path] if path else []
            for key, inner in list(items)[:6]:
                found += places(inner, (*path, key))
            return found

        for path in places(whole, ()):
            changed = json.loads(json.dumps(whole))
            at = changed
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = other
            (folder / "tokenizer.json").write_text(json.dumps(changed))
            try:
                vocabulary = open_source(folder).vocabulary
            except (CorruptError, UnsupportedError):
                continue
            assert vocabulary.decode(vocabulary.encode(b"the \xff\x04 end")) == b"the \xff\x04 end"


def test_names_are_complete() -> None:
    names = {name.removesuffix(".weight").split(".", 3)[-1] for name in expected_shapes(UNTIED)}
    assert {name.removeprefix("model.") for name in GGUF_NAMES} == {name.removeprefix("model.") for name in names}
