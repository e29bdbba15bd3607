"""Bringing corpora here: from the network, or from a folder of files and archives.

Invariants: a file appears under its name only when it has been checked; nothing is written outside the folder asked
for; only members that the manifest names are taken out of an archive.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from nzip import outputs
from nzip.errors import NzipError
from nzip.evaluation.data.corpora.copies import CHUNK, Below, fault, silent, state
from nzip.evaluation.data.corpora.manifest import ARCHIVES, Corpus, CorpusFile, corpora_named, manifest
from nzip.evaluation.harness.findings import Echo

TIMEOUT = 60  # seconds without a byte


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
    corpora = corpora_named(names)
    say = echo or silent
    if source is not None and not Path(source).is_dir():
        raise NzipError(f"{source}: no such folder to take the files from")
    try:
        for corpus in corpora:
            folder = Path(dest, corpus.name)
            missing = [file for file in corpus.files if state(folder / file.path, file) not in ("ok", "unverified")]
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
        wrong = fault(size, digest.hexdigest(), file)
        if wrong is not None:
            raise NzipError(f"{what}: {wrong}; the copy is damaged or another version, get it from elsewhere")


def _take(corpus: Corpus, files: Sequence[CorpusFile], source: Path, folder: Path, say: Echo) -> None:
    """Bring `files` from a folder that holds them, or archives of them."""
    below = Below(source)
    left = []
    for file in files:
        location, status = below.find(corpus, file)
        if location is None or status == "damaged":
            alike = below.named(PurePosixPath(file.path).name)
            likely = [other for other in alike if state(other, file) == "unverified"]
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
            wrong = fault(part.stat().st_size, digest, file)
            if wrong is None:
                os.replace(part, location)
                say(f"{corpus.name}/{file.path}: downloaded")
                return [file]
            part.unlink()
            if not resumed or attempt:
                break
        raise NzipError(f"{url}: {wrong}; the source has changed, use --source with a folder that holds the file")
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
