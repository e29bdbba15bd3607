"""Corpora from files, and models by name or path."""

import gzip
import json
from pathlib import Path

import pytest

from nzip.errors import NzipError
from nzip.evaluation.compressors.language_models import load_model
from nzip.evaluation.data.texts import characters, first_characters, read_corpora

TEXT = "aé€😀b"  # 1 + 2 + 3 + 4 + 1 bytes


def test_characters() -> None:
    data = TEXT.encode()
    assert (len(data), characters(data)) == (11, 5)
    assert characters(data[2:]) == 3  # é's second byte begins none
    assert characters(b"") == 0


def test_first_characters() -> None:
    data = TEXT.encode()
    assert [first_characters(data, n).decode() for n in range(7)] == ["", "a", "aé", "aé€", "aé€😀", TEXT, TEXT]


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"first")
    (tmp_path / "set" / "in").mkdir(parents=True)
    (tmp_path / "set" / "z").write_bytes(b"last")
    (tmp_path / "set" / "in" / "b").write_bytes(b"middle")
    (tmp_path / "set" / "empty").write_bytes(b"")
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"packed"))
    corpora, notes = read_corpora(
        [tmp_path / "a.txt", tmp_path / "set", f"one={tmp_path / 'c.txt.gz'}", f"one={tmp_path / 'a.txt'}"]
    )
    assert notes == []
    assert [(corpus.name, corpus.documents) for corpus in corpora] == [
        ("a.txt", [b"first"]),
        ("set", [b"middle", b"last"]),
        ("one", [b"packed", b"first"]),
    ]
    about = corpora[1].about()
    assert (about["documents"], about["bytes"], about["characters"]) == (2, 10, 10)


def test_json_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"body": "é1"}), "{", json.dumps({"text": "x"}), "", json.dumps({"body": "€2"})]
    (tmp_path / "set.jsonl").write_text("\n".join(lines), "utf-8")
    corpora, notes = read_corpora([tmp_path / "set.jsonl"], text_field="body")
    assert corpora[0].documents == ["é1".encode(), "€2".encode()]
    assert len(notes) == 3
    assert "line 2: is not JSON" in notes[0]
    assert 'line 3: has no field "body"' in notes[1]
    assert "2 of 4 lines left out" in notes[2]


def test_limit(tmp_path: Path) -> None:
    (tmp_path / "set.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in ("aé€", "éé", "x")), "utf-8")
    corpora, _ = read_corpora([tmp_path / "set.jsonl"], limit=4)
    assert [document.decode() for document in corpora[0].documents] == ["aé€", "é"]


def test_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"text" * 100)[:-12])
    with pytest.raises(NzipError, match=r"a\.gz: cannot read it"):
        read_corpora([tmp_path / "a.gz"])


def test_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(NzipError, match="no such file or folder"):
        read_corpora([tmp_path / "none"])
    with pytest.raises(NzipError, match="empty: has no text"):
        read_corpora([tmp_path / "empty"])


def test_models_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path / "models"))
    with pytest.raises(NzipError, match="get it with: nzip models pull smollm2-135m"):
        load_model("smollm2-135m")
    with pytest.raises(NzipError, match=r"None\.gguf: no such model.*nzip models pull"):
        load_model(str(tmp_path / "None.gguf"))
    (tmp_path / "text").write_bytes(b"no model")
    with pytest.raises(NzipError, match="is no GGUF file"):
        load_model(str(tmp_path / "text"))
