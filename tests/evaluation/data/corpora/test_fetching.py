"""The manifest, fetching from a server and from a folder, verifying. Nothing here leaves 127.0.0.1."""

import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from nzip.errors import NzipError
from nzip.evaluation.data.corpora import copies, fetching, manifest

ONE = b"the first file\n" * 400
TWO = bytes(range(256)) * 64
THREE = b"no hash is known of this one"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a dictionary, with ranges; can break off and can ignore ranges."""

    files: ClassVar[dict[str, bytes]] = {}
    requests: ClassVar[list[tuple[str, str | None]]] = []
    cut: ClassVar[int | None] = None
    ranges: ClassVar[bool] = True

    def do_GET(self) -> None:
        self.requests.append((self.path, self.headers.get("Range")))
        data = self.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        wanted, status, start = self.headers.get("Range"), 200, 0
        if wanted and self.ranges:
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            if start >= len(data):
                self.send_error(416)
                return
        body = data[start:]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(body if self.cut is None else body[: self.cut])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.files, Handler.requests, Handler.cut, Handler.ranges = {}, [], None, True
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_address[1]}"
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


def use(monkeypatch: pytest.MonkeyPatch, *sources: dict[str, str], name: str = "toy") -> None:
    """Make the manifest know one corpus of three files."""
    files = [
        {"path": "one.txt", "bytes": len(ONE), "sha256": hashlib.sha256(ONE).hexdigest()},
        {"path": "inner/two", "bytes": len(TWO), "sha256": hashlib.sha256(TWO).hexdigest(), "remote": "TWO.bin"},
        {"path": "three", "bytes": len(THREE), "sha256": None},
    ]
    entry = {"title": "Toy", "home": "h", "description": "d", "terms": "t", "sources": list(sources), "files": files}
    parsed = manifest.parse_manifest(json.dumps({"schema": 1, "corpora": {name: entry}}))
    monkeypatch.setattr(manifest, "manifest", lambda: parsed)


def tar_of(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, data in members.items():
            bundle.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def assert_complete(folder: Path) -> None:
    assert (folder / "toy/one.txt").read_bytes() == ONE
    assert (folder / "toy/inner/two").read_bytes() == TWO
    assert (folder / "toy/three").read_bytes() == THREE
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["one.txt", "three", "two"]


def plain(server: str) -> dict[str, str]:
    Handler.files |= {"/one.txt": ONE, "/TWO.bin": TWO, "/three": THREE}
    return {"url": server + "/{remote}", "type": "plain"}


class TestManifest:
    def test_the_real_one_reads(self) -> None:
        listed = {entry["name"]: entry for entry in manifest.list_corpora()}
        assert listed["calgary"]["files"] == listed["calgary"]["hashed"] == 18
        assert listed["calgary"]["bytes"] == 3_251_493
        assert listed["canterbury"]["bytes"] == 2_810_784
        assert listed["silesia"]["bytes"] == 211_938_580
        assert {"large", "enwik8", "enwik9", "kodak", "loghub-2k", "artificial"} <= set(listed)
        assert all(entry["terms"] and entry["home"].startswith("https://") for entry in listed.values())
        json.dumps(listed)

    def test_each_file_has_a_name_of_its_own_and_every_hash_a_use(self) -> None:
        for corpus in manifest.manifest().values():
            paths = [file.path for file in corpus.files]
            assert len(set(paths)) == len(paths)
            assert corpus.sources
            hashes = [file.sha256 for file in corpus.files if file.sha256]
            assert len(set(hashes)) == len(hashes)

    @pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "c:x", "a\\b", ""])
    def test_unsafe_paths_are_refused(self, path: str) -> None:
        files = [{"path": path, "bytes": 1, "sha256": None}]
        entry = {"title": "", "home": "", "description": "", "terms": "", "sources": [], "files": files}
        with pytest.raises(NzipError, match="safe relative path"):
            manifest.parse_manifest(json.dumps({"schema": 1, "corpora": {"x": entry}}))

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"schema": 1}', '{"schema": 2}', '{"schema": 1, "corpora": {"a": {}}}']
    )
    def test_malformed_manifests_are_one_clear_line(self, text: str) -> None:
        with pytest.raises(NzipError, match="corpora manifest") as caught:
            manifest.parse_manifest(text)
        assert "\n" not in str(caught.value)

    def test_malformed_hashes_are_refused(self) -> None:
        files = [{"path": "a", "bytes": 1, "sha256": "abc"}]
        entry = {"title": "", "home": "", "description": "", "terms": "", "sources": [], "files": files}
        with pytest.raises(NzipError, match="malformed"):
            manifest.parse_manifest(json.dumps({"schema": 1, "corpora": {"x": entry}}))


class TestDownload:
    def test_plain_files(self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path) -> None:
        use(monkeypatch, plain(server))
        said: list[str] = []
        fetching.fetch(["toy"], tmp_path, echo=said.append)
        assert_complete(tmp_path)
        assert "1 checked by size only" in said[-1]

    def test_what_is_there_is_not_fetched_again(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        use(monkeypatch, plain(server))
        fetching.fetch(["toy"], tmp_path)
        Handler.requests.clear()
        fetching.fetch(["toy"], tmp_path)
        assert Handler.requests == []
        (tmp_path / "toy/one.txt").write_bytes(b"damaged")
        fetching.fetch(["toy"], tmp_path)
        assert [path for path, _ in Handler.requests] == ["/one.txt"]
        assert_complete(tmp_path)

    @pytest.mark.parametrize("kind", ["tar.gz", "zip"])
    @pytest.mark.parametrize("prefix", ["", "folder__"])
    def test_archives(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path, kind: str, prefix: str
    ) -> None:
        make = zip_of if kind == "zip" else tar_of
        members = {prefix + "one.txt": ONE, prefix + "TWO.bin": TWO, prefix + "three": THREE, prefix + "four": b"no"}
        Handler.files["/all." + kind] = make(**members)
        use(monkeypatch, {"url": f"{server}/all.{kind}", "type": kind})
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)
        assert len(Handler.requests) == 1

    def test_an_archive_for_each_file(self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path) -> None:
        Handler.files |= {
            "/one.txt.zip": zip_of(**{"one.txt": ONE}),
            "/TWO.bin.zip": zip_of(**{"TWO.bin": TWO}),
            "/three.zip": zip_of(three=THREE),
        }
        use(monkeypatch, {"url": server + "/{remote}.zip", "type": "zip"})
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)

    def test_the_next_source_gives_what_the_first_lacks(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        Handler.files["/some.tar.gz"] = tar_of(**{"one.txt": ONE})
        use(monkeypatch, {"url": server + "/some.tar.gz", "type": "tar.gz"}, plain(server))
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)
        assert [path for path, _ in Handler.requests] == ["/some.tar.gz", "/TWO.bin", "/three"]

    def test_a_missing_first_source_is_not_the_end(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        use(monkeypatch, {"url": server + "/gone.zip", "type": "zip"}, plain(server))
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)

    def test_a_broken_download_goes_on(self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path) -> None:
        use(monkeypatch, plain(server))
        Handler.cut = 1000
        with pytest.raises(NzipError, match="run the same command again"):
            fetching.fetch(["toy"], tmp_path)
        assert (tmp_path / "toy/.nzip-one.txt.part").stat().st_size == 1000
        assert not (tmp_path / "toy/one.txt").exists()
        Handler.cut = None
        Handler.requests.clear()
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)
        assert ("/one.txt", "bytes=1000-") in Handler.requests

    def test_a_server_without_ranges_starts_again(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        use(monkeypatch, plain(server))
        (tmp_path / "toy").mkdir()
        (tmp_path / "toy/.nzip-one.txt.part").write_bytes(ONE[:77])
        Handler.ranges = False
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)

    def test_a_part_file_of_the_user_stays(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        use(monkeypatch, plain(server))
        (tmp_path / "toy").mkdir()
        (tmp_path / "toy/one.txt.part").write_bytes(b"mine")
        fetching.fetch(["toy"], tmp_path)
        assert (tmp_path / "toy/one.txt.part").read_bytes() == b"mine"
        (tmp_path / "toy/one.txt.part").unlink()
        assert_complete(tmp_path)

    @pytest.mark.parametrize("left", [b"not the beginning", ONE, ONE + b"more"])
    def test_a_part_file_of_something_else_does_no_harm(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path, left: bytes
    ) -> None:
        use(monkeypatch, plain(server))
        (tmp_path / "toy").mkdir()
        (tmp_path / "toy/.nzip-one.txt.part").write_bytes(left)
        fetching.fetch(["toy"], tmp_path)
        assert_complete(tmp_path)

    def test_a_wrong_hash_names_file_reason_and_remedy(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        use(monkeypatch, plain(server))
        Handler.files["/one.txt"] = ONE[:-1] + b"!"
        with pytest.raises(NzipError, match=r"one\.txt: has SHA-256 .* in place of .*--source") as caught:
            fetching.fetch(["toy"], tmp_path)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "toy/one.txt").exists()
        assert not (tmp_path / "toy/.nzip-one.txt.part").exists()

    def test_a_wrong_member_is_refused(self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path) -> None:
        Handler.files["/all.zip"] = zip_of(**{"one.txt": ONE + b"!", "TWO.bin": TWO, "three": THREE})
        use(monkeypatch, {"url": server + "/all.zip", "type": "zip"})
        with pytest.raises(NzipError, match=r"one\.txt: has 6,001 bytes in place of 6,000"):
            fetching.fetch(["toy"], tmp_path)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    @pytest.mark.parametrize("kind", ["tar.gz", "zip"])
    def test_a_damaged_archive(self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path, kind: str) -> None:
        make = zip_of if kind == "zip" else tar_of
        whole = make(**{"one.txt": ONE, "TWO.bin": TWO, "three": THREE})
        for data in (b"", b"not an archive", whole[: len(whole) // 2]):
            Handler.files["/all." + kind] = data
            use(monkeypatch, {"url": f"{server}/all.{kind}", "type": kind})
            with pytest.raises(NzipError, match="damaged archive"):
                fetching.fetch(["toy"], tmp_path)
            assert not list(tmp_path.rglob("*.part"))

    def test_links_and_climbing_members_are_not_followed(
        self, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
    ) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            link = tarfile.TarInfo("one.txt")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
            climber = tarfile.TarInfo("../../TWO.bin")
            climber.size = len(TWO)
            tar.addfile(climber, io.BytesIO(TWO))
        Handler.files["/all.tar.gz"] = out.getvalue()
        use(monkeypatch, {"url": server + "/all.tar.gz", "type": "tar.gz"})
        with pytest.raises(NzipError, match=r"toy/one\.txt: none of its sources holds it"):
            fetching.fetch(["toy"], tmp_path / "in")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "in/toy/inner/two"]

    def test_no_network_is_one_clear_line(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as free:
            port = free.server_address[1]
        use(monkeypatch, {"url": f"http://127.0.0.1:{port}/{{remote}}", "type": "plain"})
        with pytest.raises(NzipError, match=r"cannot reach 127\.0\.0\.1 .*--source FOLDER") as caught:
            fetching.fetch(["toy"], tmp_path)
        assert "\n" not in str(caught.value)

    def test_names(self, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="no corpus is named 'nope'; there are calgary"):
            fetching.fetch(["nope"], tmp_path)
        with pytest.raises(NzipError, match="name the corpora"):
            fetching.fetch([], tmp_path)


class TestFromFolder:
    def test_files_anywhere_below(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        use(monkeypatch)
        source = tmp_path / "source"
        (source / "deep/er").mkdir(parents=True)
        (source / "one.txt").write_bytes(b"another file of that name")
        (source / "deep/one.txt").write_bytes(ONE)
        (source / "deep/er/two").write_bytes(TWO)
        (source / "three").write_bytes(THREE)
        fetching.fetch(["toy"], tmp_path / "out", source=source)
        assert_complete(tmp_path / "out")

    def test_archives_in_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        use(monkeypatch, {"url": "http://nowhere.invalid/x/all.tar.gz", "type": "tar.gz"})
        source = tmp_path / "source"
        source.mkdir()
        (source / "all.tar.gz").write_bytes(tar_of(**{"one.txt": ONE, "TWO.bin": TWO, "three": THREE}))
        fetching.fetch(["toy"], tmp_path / "out", source=source)
        assert_complete(tmp_path / "out")

    def test_what_it_lacks_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        use(monkeypatch)
        source = tmp_path / "source"
        source.mkdir()
        (source / "one.txt").write_bytes(ONE)
        with pytest.raises(NzipError, match=r"toy/inner/two: no intact copy in"):
            fetching.fetch(["toy"], tmp_path / "out", source=source)
        with pytest.raises(NzipError, match="no such folder"):
            fetching.fetch(["toy"], tmp_path / "out", source=tmp_path / "gone")

    def test_the_destination_cannot_be_made(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        use(monkeypatch)
        (tmp_path / "one.txt").write_bytes(ONE)
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(NzipError, match="file"):
            fetching.fetch(["toy"], tmp_path / "file", source=tmp_path)


class TestVerify:
    def test_every_status(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        use(monkeypatch)
        said: list[str] = []
        rows = copies.verify(["toy"], tmp_path, echo=said.append)
        assert [row["status"] for row in rows] == ["missing", "missing", "missing"]
        folder = tmp_path / "toy"
        (folder / "inner").mkdir(parents=True)
        (folder / "one.txt").write_bytes(ONE)
        (folder / "inner/two").write_bytes(TWO[:-1] + b"!")
        (folder / "three").write_bytes(THREE)
        said.clear()
        rows = copies.verify([], tmp_path, echo=said.append)
        assert [row["status"] for row in rows] == ["ok", "damaged", "unverified"]
        assert rows[0]["location"] == str(folder / "one.txt")
        assert said == [
            "toy/inner/two: damaged",
            "toy: 1 damaged, 1 ok, 1 unverified (unverified: the size is right, no hash is known)",
        ]
        json.dumps(rows)

    def test_a_good_copy_elsewhere_counts(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        use(monkeypatch)
        (tmp_path / "other").mkdir()
        (tmp_path / "other/one.txt").write_bytes(ONE)
        (tmp_path / "other/three").write_bytes(THREE)
        rows = copies.verify(["toy"], tmp_path)
        assert [row["status"] for row in rows] == ["ok", "missing", "missing"]

    def test_unknown_folder_or_name(self, tmp_path: Path) -> None:
        with pytest.raises(NzipError, match="no such folder"):
            copies.verify([], tmp_path / "gone")
        with pytest.raises(NzipError, match="no corpus is named"):
            copies.verify(["nope"], tmp_path)
