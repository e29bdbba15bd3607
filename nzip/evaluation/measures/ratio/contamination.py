"""Whether a model may have read a file before it is measured on it: by dates, and by the hashes of famous texts.

A model that has read a text codes it from memory, and its bits say nothing of other texts. A text published after all
that a model learned from cannot have been read; an older one may have been. So a file's date of publication is compared
with the model's, day by day where both are known to the day; a date of a year or month stands for all its days, and
where the two overlap, the file may have been read. The time stamp of a file is no evidence and is never looked at.

Language models know some benchmark files whatever their own date: `public_texts` names those whose text lies in public
collections that such models are trained on.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache

from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.data.corpora import manifest

NO_MODEL = "no model"
NEWER = "newer than the model"
OLDER = "may have been seen"
UNKNOWN = "unknown"

# By corpus and file: texts of Project Gutenberg and of Wikipedia, which are in most training sets of language models.
PUBLIC_TEXTS = {
    "calgary": ("book1",),
    "canterbury": ("alice29.txt", "asyoulik.txt", "lcet10.txt", "plrabn12.txt"),
    "large": ("bible.txt", "world192.txt"),
    "silesia": ("dickens",),
    "enwik8": ("enwik8",),
    "enwik9": ("enwik9",),
}

# The last day that anything in a model can be of: when the model came out.
MODEL_DATES = {
    "nzip primers": "2026-11-30",  # nzip/models/weights/primers/MODEL_CARD.md lists their texts
    "brotli": "2016-07",  # its dictionary: RFC 7932, appendix A
    # nzip's corrections to the first are later; nzip/models/weights/lm/MODEL_CARD.md lists their texts, all older.
    **dict.fromkeys(("smollm2-135m", "smollm2-135m-base", "smollm2-360m-base", "smollm2-1.7b-base"), "2024-11"),
}


@dataclass(frozen=True)
class Period:
    """A date that may be known to the year or month only: its first and last possible day."""

    first: date
    last: date


def period(text: str) -> Period:
    """Return the days that `1997`, `2006-03` or `2006-03-03` can mean.

    Raises:
        ValueError: it is no date.
    """
    match = re.fullmatch(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", text, re.ASCII)
    try:
        if match is None:
            raise ValueError
        year, month, day = (None if word is None else int(word) for word in match.groups())
        assert year is not None
        if month is None:
            return Period(date(year, 1, 1), date(year, 12, 31))
        if day is None:
            return Period(date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1]))
        return Period(date(year, month, day), date(year, month, day))
    except ValueError:
        raise ValueError(f"{text!r} is no date; write it as 2025, 2025-10 or 2025-10-30") from None


def verdict(file_date: str | None, model_date: str | None) -> str:
    """Return `NEWER`, `OLDER` or `UNKNOWN` for a file and a model of these dates.

    Raises:
        ValueError: one is no date.
    """
    if file_date is None or model_date is None:
        return UNKNOWN
    return NEWER if period(file_date).first > period(model_date).last else OLDER


@cache
def _known_files() -> dict[str, tuple[str | None, str]]:
    """Return date and name by the SHA-256 of every file of the manifest that has one."""
    return {
        file.sha256: (corpus.date, f"{corpus.name}/{file.path}")
        for corpus in manifest.manifest().values()
        for file in corpus.files
        if file.sha256 is not None
    }


def date_of(path: str, sha256: str, given: Mapping[str, str]) -> tuple[str | None, str]:
    """Return when a file was published, None where that is not known, and where the date is from.

    Args:
        path: what the results call it.
        sha256: of its bytes, by which the manifest of corpora knows it.
        given: dates by patterns of paths (as `*.txt`), the last that fits counts; before the manifest's.
    """
    for pattern, text in reversed(list(given.items())):
        if fnmatchcase(path, pattern):
            return text, "given"
    known = _known_files().get(sha256)
    if known is not None and known[0] is not None:
        return known[0], f"manifest, {known[1]}"
    return None, UNKNOWN


@cache
def public_texts() -> dict[str, str]:
    """Return by SHA-256 the files of the manifest that language models are known to be trained on, with their names."""
    found = {}
    for name, (_, whole) in _known_files().items():
        corpus, _, path = whole.partition("/")
        if path in PUBLIC_TEXTS.get(corpus, ()):
            found[name] = whole
    return found


def model_date(codec: Codec, given: Mapping[str, str]) -> str | None:
    """Return the date of the model that a codec has beside its program; None where it has none or it is not known.

    Args:
        codec: whose.
        given: dates by names of codecs, before what is known here.
    """
    if codec.name in given:
        return given[codec.name]
    if not codec.model_bytes:
        return None
    return MODEL_DATES.get(codec.model or ("nzip primers" if codec.family == "nzip" else codec.family))
