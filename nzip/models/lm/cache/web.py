"""A model's files from an address; what breaks off is taken up where it ended."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from nzip.models.lm.cache.known_models import KnownModel, ModelFile, WebOrigin
from nzip.models.lm.cache.receiving import (
    OriginError,
    Progress,
    accept,
    counter,
    digest_of,
    fault_of,
    need_space,
    receive,
)
from nzip.models.lm.cache.records import Echo

TIMEOUT = 30  # seconds without a byte


def from_web(known: KnownModel, origin: WebOrigin, folder: Path, say: Echo, progress: Progress | None) -> None:
    """Download the files that are not here yet."""
    tick = counter(progress, known.size)
    for file in known.files:
        target = folder / file.name
        # A pull that did not come to its end may have brought some files; with a record, one of them is damaged.
        left = target.is_file() and not (folder / "model.json").is_file()
        if left and fault_of(file, target.stat().st_size, digest_of(target)) is None:
            tick(target.stat().st_size)
            continue
        part = folder / (file.name + ".part")
        url = f"{origin.base}/{urllib.parse.quote(file.name)}"
        for _ in range(2):
            resumed = _retrieve(url, part, file, say, tick)
            try:
                accept(part, file, target)
                break
            except OriginError:
                if not resumed:  # a whole download that is wrong will be wrong again
                    raise
        else:
            raise OriginError(f"{file.name} is another version, or damaged")
        _tag_of(part).unlink(missing_ok=True)


def _tag_of(part: Path) -> Path:
    """The file that holds the server's name for the version that `part` is of."""
    return part.with_name(part.name + ".tag")


def _retrieve(url: str, part: Path, file: ModelFile, say: Echo, tick: Callable[[int], None]) -> bool:
    """Download `url` to `part`, from where an earlier try ended; return whether it took one up.

    Raises:
        OriginError: the host cannot be reached, refuses, or breaks off. What came stays in `part` for the next try.
    """
    start = part.stat().st_size if part.is_file() else 0
    tag = _tag_of(part).read_text(encoding="utf-8") if start and _tag_of(part).is_file() else ""
    if start and not tag and file.sha256 is None:
        start = 0  # nothing would tell whether both halves are of one version
    request = urllib.request.Request(url, headers={"User-Agent": "nzip", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
        if tag:
            request.add_header("If-Range", tag)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            headers = answer.headers
            resumed = answer.status == 206 and headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if answer.status == 206 and not resumed:
                raise OriginError("the server sent another part than was asked for")
            length = headers.get("Content-Length", "")
            whole = int(length) + (start if resumed else 0) if length.isdecimal() and len(length) < 18 else None
            if whole is not None and file.size is not None and whole != file.size:
                raise OriginError(f"{file.name} has {whole:,} bytes in place of {file.size:,}")
            if whole is not None:
                need_space(part.parent, whole - (start if resumed else 0))
            if resumed:
                say(f"{url}: from byte {start:,}")
            new_tag = headers.get("ETag", "")
            if new_tag and not new_tag.startswith("W/"):
                _tag_of(part).write_text(new_tag, encoding="utf-8")
            else:
                _tag_of(part).unlink(missing_ok=True)
            receive(answer, part, file, tick, resume=resumed)
            if whole is not None and part.stat().st_size < whole:
                raise OriginError(f"broke off after {part.stat().st_size:,} bytes; run it again to go on")
            return bool(resumed)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and start:  # nothing beyond what is there: complete, or not the same file
                return True
        raise OriginError(f"the server says {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OriginError(f"cannot be reached ({error.reason})") from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise OriginError(f"broke off ({error or type(error).__name__}); run it again to go on") from None
