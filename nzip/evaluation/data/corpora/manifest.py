"""The public corpora: what they hold, where they come from, and their terms.

The manifest (`corpora/manifest.json` in the source tree, `manifest.json` beside this module once installed) states
every file's size and SHA-256, its home and its terms. No corpus is part of nzip. Where the manifest knows no hash, only
the size is checked, and the result says so.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any

from nzip.errors import NzipError

ARCHIVES = ("zip", "tar.gz")


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


@cache
def manifest() -> dict[str, Corpus]:
    """Return the corpora by name, in the manifest's order.

    Raises:
        NzipError: the manifest is missing or malformed.
    """
    installed: Traversable = resources.files("nzip.evaluation.data.corpora") / "manifest.json"
    checkout = Path(__file__).resolve().parents[4] / "corpora" / "manifest.json"
    place = installed if installed.is_file() else checkout
    if not place.is_file():
        raise NzipError("the manifest of corpora is missing from the installation; install nzip again")
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


def corpora_named(names: Sequence[str]) -> list[Corpus]:
    """Return the corpora of these names, all where there is none.

    Raises:
        NzipError: there is none of a name.
    """
    return [_corpus(name) for name in names or manifest()]


def _corpus(name: str) -> Corpus:
    known = manifest()
    if name not in known:
        raise NzipError(f"no corpus is named {name!r}; there are {', '.join(known)}")
    return known[name]
