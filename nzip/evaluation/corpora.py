"""The public corpora: what they hold, how to get them, and whether a copy is intact.

The manifest (`corpora/manifest.json` in the source tree, `corpora_manifest.json` beside this module once installed)
states every file's size and SHA-256, its home and its terms. No corpus is part of nzip. Where the manifest knows no
hash, only the size is checked, and the result says so.

Invariants: a file appears under its name only when it has been checked; nothing is written outside the folder asked
for; only members that the manifest names are taken out of an archive.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import IO, Any

from nzip import outputs
from nzip.errors import NzipError

Echo = Callable[[str], None]

ARCHIVES = ("zip", "tar.gz")
CHUNK = 1 << 20
TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class CorpusFile:
    """A file of a corpus.

    Attributes:
        path: where it lies in the corpus' folder.
        size: bytes.
        sha256: in hexadecimal; None where nobody has verified one.
        remote: what its sources call it.
    """

    path: str
    size: int
    sha256: str | None
    remote: str


@dataclass(frozen=True)
class Source:
    """Where files come from.

    Attributes:
        url: `{path}` and `{remote}` stand for the file's names; without them it is one archive for all.
        type: `"plain"`, `"zip"` or `"tar.gz"`.
    """

    url: str
    type: str

    @property
    def single(self) -> bool:
        """Whether one download holds every file."""
        return "{" not in self.url

    def url_of(self, file: CorpusFile) -> str:
        """Return where `file` is."""
        path, remote = urllib.parse.quote(file.path), urllib.parse.quote(file.remote)
        return self.url.replace("{path}", path).replace("{remote}", remote)


@dataclass(frozen=True)
class Corpus:
    """A named set of files.

    Attributes:
        date: when it was published, as far as that is known: `1997`, `2006-03` or `2006-03-03`; None where it is not.
    """

    name: str
    title: str
    home: str
    description: str
    terms: str
    sources: tuple[Source, ...]
    files: tuple[CorpusFile, ...]
    date: str | None = None


def list_corpora() -> list[dict[str, Any]]:
    """Return what is known of every corpus: name, title, home, description, terms, files, bytes, hashed."""
    return [
        {
            "name": corpus.name,
            "title": corpus.title,
            "home": corpus.home,
            "description": corpus.description,
            "terms": corpus.terms,
            "files": len(corpus.files),
            "bytes": sum(file.size for file in corpus.files),
            "hashed": sum(file.sha256 is not None for file in corpus.files),
        }
        for corpus in manifest().values()
    ]


def fetch(
    names: Sequence[str],
    dest: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    echo: Echo | None = None,
) -> None:
    """Bring the corpora `names` to `dest/NAME/…`, checked; files that are there and intact are left alone.

    A download that breaks off is taken up where it ended at the next call.

    Args:
        names: of corpora, as `list_corpora` gives them.
        dest: a folder; made if missing.
        source: a folder that holds the files (anywhere below it) or the corpora's archives; nothing is downloaded.
        echo: prints one line of what happens.

    Raises:
        NzipError: a name is unknown, there is no network, a file is not what the manifest says, or the disk is full.
    """
    if not names:
        raise NzipError(f"name the corpora to fetch; there are {', '.join(manifest())}")
    corpora = [_corpus(name) for name in names]
    say = echo or _silent
    if source is not None and not Path(source).is_dir():
        raise NzipError(f"{source}: no such folder to take the files from")
    try:
        for corpus in corpora:
            folder = Path(dest, corpus.name)
            missing = [file for file in corpus.files if _state(folder / file.path, file) not in ("ok", "unverified")]
            if not missing:
                say(f"{corpus.name}: all {len(corpus.files)} files are there")
                continue
            if source is None:
                _download(corpus, missing, folder, say)
            else:
                _take(corpus, missing, Path(source), folder, say)
            unhashed = sum(file.sha256 is None for file in corpus.files)
            note = f" ({unhashed} checked by size only: no hash is known)" if unhashed else ""
            say(f"{corpus.name}: {len(corpus.files)} files in {folder}{note}")
    except OSError as error:
        raise NzipError(f"{error.filename or dest}: {error.strerror or error}") from None


def verify(names: Sequence[str], folder: str | os.PathLike[str], *, echo: Echo | None = None) -> list[dict[str, Any]]:
    """Check the corpora `names` (all where empty) below `folder` and return a row for each file.

    A file is looked for as `folder/NAME/path`, then anywhere below `folder` by its name, where a copy with the right
    bytes wins.

    Returns:
        Rows of `corpus`, `path`, `location` (None where missing), `bytes` (expected), `status`: `"ok"`, `"missing"`,
        `"damaged"`, or `"unverified"` (the size is right, no hash is known).

    Raises:
        NzipError: a name is unknown, or the folder does not exist.
    """
    corpora = [_corpus(name) for name in names] if names else list(manifest().values())
    root = Path(folder)
    if not root.is_dir():
        raise NzipError(f"{folder}: no such folder")
    say = echo or _silent
    below = _Below(root)
    rows = []
    for corpus in corpora:
        counts: dict[str, int] = {}
        for file in corpus.files:
            location, status = below.find(corpus, file)
            counts[status] = counts.get(status, 0) + 1
            if status in ("damaged", "missing"):
                say(f"{corpus.name}/{file.path}: {status}")
            rows.append(
                {
                    "corpus": corpus.name,
                    "path": file.path,
                    "location": None if location is None else str(location),
                    "bytes": file.size,
                    "status": status,
                }
            )
        words = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        note = " (unverified: the size is right, no hash is known)" if "unverified" in counts else ""
        say(f"{corpus.name}: {words}{note}")
    return rows


@cache
def manifest() -> dict[str, Corpus]:
    """Return the corpora by name, in the manifest's order.

    Raises:
        NzipError: the manifest is missing or malformed.
    """
    installed: Traversable = resources.files("nzip.evaluation") / "corpora_manifest.json"
    checkout = Path(__file__).resolve().parents[2] / "corpora" / "manifest.json"
    place = installed if installed.is_file() else checkout
    if not place.is_file():
        raise NzipError("corpora_manifest.json is missing from the installation; install nzip again")
    return parse_manifest(place.read_text(encoding="utf-8"))


def parse_manifest(text: str) -> dict[str, Corpus]:
    """Read and check a manifest.

    Raises:
        NzipError: something in it is not as it must be.
    """
    try:
        data = json.loads(text)
        if data["schema"] != 1:
            raise NzipError(f"corpora manifest: schema {data['schema']} is not known; install a later nzip")
        corpora = {}
        for name, entry in data["corpora"].items():
            files = tuple(
                CorpusFile(item["path"], item["bytes"], item["sha256"], item.get("remote", item["path"]))
                for item in entry["files"]
            )
            sources = tuple(Source(item["url"], item["type"]) for item in entry["sources"])
            corpora[name] = Corpus(
                name,
                entry["title"],
                entry["home"],
                entry["description"],
                entry["terms"],
                sources,
                files,
                entry.get("date"),
            )
    except (KeyError, TypeError, ValueError) as error:
        raise NzipError(f"corpora manifest: malformed ({error!r})") from None
    for corpus in corpora.values():
        _check_names(corpus)
    return corpora


def _check_names(corpus: Corpus) -> None:
    for name in (corpus.name, *(file.path for file in corpus.files)):
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or re.search(r'[\\:*?"<>|\x00-\x1f]', name):
            raise NzipError(f"corpora manifest: {name!r} is not a safe relative path")
    if corpus.date is not None and not re.fullmatch(r"\d{4}(-\d\d){0,2}", str(corpus.date)):
        raise NzipError(f"corpora manifest: the date of {corpus.name} is malformed")
    for file in corpus.files:
        if file.size < 0 or (file.sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", file.sha256)):
            raise NzipError(f"corpora manifest: the size or hash of {corpus.name}/{file.path} is malformed")
    for source in corpus.sources:
        if source.type not in ("plain", *ARCHIVES) or (source.type == "plain" and source.single):
            raise NzipError(f"corpora manifest: {corpus.name} has a source that makes no sense: {source.url}")


def _corpus(name: str) -> Corpus:
    known = manifest()
    if name not in known:
        raise NzipError(f"no corpus is named {name!r}; there are {', '.join(known)}")
    return known[name]


def _silent(line: str) -> None:
    return None


def _fault(size: int, digest: str, file: CorpusFile) -> str | None:
    """Return what is wrong with bytes of `size` and `digest`, or None."""
    if size != file.size:
        return f"has {size:,} bytes in place of {file.size:,}"
    if file.sha256 is not None and digest != file.sha256:
        return f"has SHA-256 {digest[:16]}… in place of {file.sha256[:16]}…"
    return None


def _state(location: Path, file: CorpusFile) -> str:
    """Return `ok`, `unverified`, `damaged` or `missing`."""
    if not location.is_file():
        return "missing"
    if location.stat().st_size != file.size:
        return "damaged"
    if file.sha256 is None:
        return "unverified"
    with open(location, "rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return "ok" if digest == file.sha256 else "damaged"


class _Below:
    """Finds files below a folder by their names; walks it once, and only when it has to."""

    def __init__(self, root: Path):
        self._root = root
        self._names: dict[str, list[Path]] | None = None

    def named(self, name: str) -> list[Path]:
        """Return all files with this base name, in order."""
        if self._names is None:
            self._names = {}
            for folder, folders, names in os.walk(self._root):
                folders.sort()
                for inner in sorted(names):
                    self._names.setdefault(inner, []).append(Path(folder, inner))
        return self._names.get(name, [])

    def find(self, corpus: Corpus, file: CorpusFile) -> tuple[Path | None, str]:
        """Return the best copy of `file` and its state.

        A file of the right name elsewhere is only taken for a copy when its size is right, and for one without a
        known hash never: too many files are called alike.
        """
        proper = self._root / corpus.name / file.path
        status = _state(proper, file)
        if status in ("ok", "unverified"):
            return proper, status
        if file.sha256 is not None:
            for location in self.named(PurePosixPath(file.path).name):
                if location.stat().st_size == file.size and _state(location, file) == "ok":
                    return location, "ok"
        return (None, "missing") if status == "missing" else (proper, "damaged")


# Writing: through a part file, checked, then renamed.


def _part_of(location: Path) -> Path:
    """Return where a download is kept until it is whole: no name of the user's, and found again by the next try."""
    return location.with_name(f".nzip-{location.name}.part")


def _store(stream: IO[bytes], location: Path, file: CorpusFile, what: str) -> None:
    """Copy `stream` to `location` if it is `file`, byte for byte.

    Raises:
        NzipError: it is not; nothing is left behind.
    """
    location.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with outputs.replacing(location) as out:
        while size <= file.size and (chunk := stream.read(CHUNK)):
            size += len(chunk)
            digest.update(chunk)
            out.write(chunk)
        fault = _fault(size, digest.hexdigest(), file)
        if fault is not None:
            raise NzipError(f"{what}: {fault}; the copy is damaged or another version, get it from elsewhere")


def _take(corpus: Corpus, files: Sequence[CorpusFile], source: Path, folder: Path, say: Echo) -> None:
    """Bring `files` from a folder that holds them, or archives of them."""
    below = _Below(source)
    left = []
    for file in files:
        location, status = below.find(corpus, file)
        if location is None or status == "damaged":
            alike = below.named(PurePosixPath(file.path).name)
            likely = [other for other in alike if _state(other, file) == "unverified"]
            location = likely[0] if len(likely) == 1 else None
        if location is None:
            left.append(file)
            continue
        with open(location, "rb") as stream:
            _store(stream, folder / file.path, file, str(location))
        say(f"{corpus.name}/{file.path}: copied")
    for origin in corpus.sources:
        if left and origin.type in ARCHIVES:
            for url in {origin.url_of(file): None for file in left}:
                for archive in below.named(_base_name(url)):
                    left = _unpack(corpus, left, archive, origin.type, folder, say)
    if left:
        raise NzipError(
            f"{corpus.name}/{left[0].path}: no intact copy in {source}; name another folder, or none to download"
        )


def _base_name(url: str) -> str:
    return PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name


def _unpack(
    corpus: Corpus, files: Sequence[CorpusFile], archive: Path, kind: str, folder: Path, say: Echo
) -> list[CorpusFile]:
    """Take `files` out of `archive` and return those that it does not hold.

    Raises:
        NzipError: the archive is damaged, or holds something else under a file's name.
    """
    left = []
    try:
        with _members(archive, kind) as (names, open_member):
            for file in files:
                name = _member_of(file, names)
                if name is None:
                    left.append(file)
                    continue
                with open_member(name) as stream:
                    _store(stream, folder / file.path, file, f"{archive.name}, {name}")
                say(f"{corpus.name}/{file.path}: unpacked")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        raise NzipError(f"{archive}: damaged archive ({error}); delete it and fetch again") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise NzipError(f"{archive}: damaged archive ({error}); delete it and fetch again") from None
    return left


@contextmanager
def _members(archive: Path, kind: str) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """Open an archive: the names of its plain files, and a way to read one."""
    if kind == "zip":
        with zipfile.ZipFile(archive) as bundle:
            yield [item.filename for item in bundle.infolist() if not item.is_dir()], bundle.open
        return
    with tarfile.open(archive, "r:gz") as tar:

        def open_member(name: str) -> IO[bytes]:
            stream = tar.extractfile(name)
            if stream is None:
                raise tarfile.ReadError(f"{name} is no plain file")
            return stream

        yield [item.name for item in tar.getmembers() if item.isreg()], open_member


def _member_of(file: CorpusFile, names: Sequence[str]) -> str | None:
    """Return the member that is `file`: by its whole name, else the only one whose last part is the same."""
    for name in names:
        if PurePosixPath(name) == PurePosixPath(file.remote):
            return name
    alike = [name for name in names if PurePosixPath(name).name == PurePosixPath(file.remote).name]
    return alike[0] if len(alike) == 1 else None


# The network.


def _download(corpus: Corpus, files: Sequence[CorpusFile], folder: Path, say: Echo) -> None:
    """Bring `files` from the corpus' sources; what one does not have, or cannot give, the next one is asked for."""
    left, trouble = list(files), None
    for source in corpus.sources:
        for url in {source.url_of(file): None for file in left}:
            wanted = [file for file in left if source.url_of(file) == url]
            if not wanted:
                continue
            try:
                got = _from_url(corpus, wanted, url, source.type, folder, say)
            except NzipError as error:
                trouble = trouble or error
                say(str(error))
                if source.single or isinstance(error, _NoNetworkError):
                    break
                continue
            left = [file for file in left if file not in got]
        if not left:
            return
    if trouble is not None:
        raise trouble
    raise NzipError(f"{corpus.name}/{left[0].path}: none of its sources holds it; see {corpus.home}")


def _from_url(
    corpus: Corpus, files: Sequence[CorpusFile], url: str, kind: str, folder: Path, say: Echo
) -> list[CorpusFile]:
    """Download `url`, check it, and return the files that it gave."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "plain":
        (file,) = files
        location = folder / file.path
        location.parent.mkdir(parents=True, exist_ok=True)
        part = _part_of(location)
        for attempt in range(2):
            resumed = _retrieve(url, part, say)
            with open(part, "rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            fault = _fault(part.stat().st_size, digest, file)
            if fault is None:
                os.replace(part, location)
                say(f"{corpus.name}/{file.path}: downloaded")
                return [file]
            part.unlink()
            if not resumed or attempt:
                break
        raise NzipError(f"{url}: {fault}; the source has changed, use --source with a folder that holds the file")
    archive = folder / _base_name(url)
    for attempt in range(2):
        resumed = _retrieve(url, _part_of(archive), say)
        os.replace(_part_of(archive), archive)
        try:
            left = _unpack(corpus, files, archive, kind, folder, say)
            return [file for file in files if file not in left]
        except NzipError:
            if not resumed or attempt:
                raise
        finally:
            archive.unlink(missing_ok=True)
    raise AssertionError("unreachable")


class _NoNetworkError(NzipError):
    """The host cannot be reached: asking it for another file is of no use."""


def _retrieve(url: str, part: Path, say: Echo) -> bool:
    """Download `url` to `part`, from where an earlier try ended; return whether it took one up.

    Raises:
        NzipError: the host cannot be reached, refuses, or breaks off. What came stays in `part` for the next try.
    """
    start = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "nzip"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    say(f"{url}: from byte {start:,}" if start else url)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if start and answer.status == 206 and not resumed:
                raise NzipError(f"{url}: the server sent another part than was asked for; try again later")
            with open(part, "ab" if resumed else "wb") as out:
                shutil.copyfileobj(answer, out, CHUNK)
            length = answer.headers.get("Content-Length")
            received = part.stat().st_size - (start if resumed else 0)
            if length is not None and received < int(length):
                raise NzipError(
                    f"{url}: broke off after {part.stat().st_size:,} bytes; run the same command again to go on"
                )
            return bool(resumed)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:  # nothing beyond what is there: complete, or not the same file
                return True
        raise NzipError(f"{url}: the server says {error.code} {error.reason}; see the corpus' home page") from None
    except urllib.error.URLError as error:
        host = urllib.parse.urlsplit(url).hostname
        raise _NoNetworkError(
            f"{url}: cannot reach {host} ({error.reason}); try again with a network, or use --source FOLDER"
        ) from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise NzipError(
            f"{url}: broke off ({error or type(error).__name__}); run the same command again to go on"
        ) from None
