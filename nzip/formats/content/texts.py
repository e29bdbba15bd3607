"""Kinds of text: prose, code, JSON, HTML, XML, CSV, logs, told apart by their marks in samples."""

from __future__ import annotations

import re


def is_text(counts: list[int]) -> bool:
    """Whether bytes that occur `counts` times are text in UTF-8 or in an encoding of one byte a character."""
    total = sum(counts)
    control = sum(counts[:9]) + sum(counts[14:27]) + sum(counts[28:32]) + counts[127]
    if counts[0] * 1024 > total or control * 256 > total:
        return False
    following = sum(counts[0x80:0xC0])
    announced = sum(counts[0xC0:0xE0]) + 2 * sum(counts[0xE0:0xF0]) + 3 * sum(counts[0xF0:0xF8])
    utf8 = abs(following - announced) * 16 <= following + 15
    return utf8 or (following + sum(counts[0xC0:])) * 4 <= total


JSON_KEY = re.compile(rb'"\s{0,4}:')
HTML = re.compile(rb"<(?:!doctype html|html|body|div|span|table|td|li|script|p>|br>|a href)", re.IGNORECASE)
CLOSING = re.compile(rb"</[A-Za-z]|/>")
JSON_START = re.compile(rb'[\[{]\s*(?:["\[{\d-]|$)')
STAMP = re.compile(rb"\d\d:\d\d|\d{4}-\d\d-\d\d|\d{9}|\d{6} \d{6}")
QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
DIGITS = re.compile(rb"[0-9]+")
KEY = re.compile(rb"""^[ \t*-]{0,64}["']?[\w.$/@-]{1,64}["']?[ \t]{0,16}[:=]""", re.MULTILINE)
BEGINNING = 12  # bytes of a line that tell its kind
MANY_LINES = 100  # that tell whether lines are alike
CODE = re.compile(
    rb"^[ \t]*(?:(?:#\s*(?:include|define|if|endif)|//|/\*|import|from|def|class|return|if|for|while|else|elif|const"
    rb"|let|var|int|void|char|static|struct|public|private|func|fn|pub|use|package|begin|end|switch|case|try|except)\b"
    rb"|\}|\{|;)|[;{}][ \t\r]*$"
)


def kind(head: bytes, sample: bytes) -> tuple[str, int]:
    """Return the kind of a text, and how sure that is (0..100), from its first bytes and a sample of all."""
    start = head[:2048].removeprefix(b"\xef\xbb\xbf").lstrip()
    size = len(sample)
    closing = len(CLOSING.findall(sample))
    if start[:1] == b"<" or closing * 100 > size:
        lower = start[:1024].lower()
        if b"<!doctype html" in lower or b"<html" in lower:
            return "html", 90
        if start[:5] == b"<?xml":
            return "xml", 90
        if closing * 500 > size:
            return "html" if len(HTML.findall(sample)) * 4 > closing else "xml", 60
    keys = len(JSON_KEY.findall(sample))
    if keys and (JSON_START.match(start) or (keys * 60 > size and sample.count(b"{") * 100 > keys)):
        return "json", 80
    first = lines(head)
    if len(first) >= 3:
        if separator(first):
            return "csv", 70
        stamped = sum(1 for line in first if STAMP.search(line[:64]))
        if stamped * 4 >= len(first) * 3:
            return "log", 70
        if sum(1 for line in first if CODE.search(line)) * 4 >= len(first):
            return "code", 60
    return "text", 60


def lines(head: bytes) -> list[bytes]:
    """Return up to 200 whole lines of a text's first bytes that are not blank."""
    found = head[:8192].splitlines()[: -1 if len(head) > 8192 else None]
    return [line for line in found if line.strip()][:200]


def separator(lines: list[bytes]) -> int:
    """Return the byte that stands between the columns of a table; 0 where lines are none."""
    for mark in (b",", b"\t", b";", b"|"):
        fields = [QUOTED.sub(b"", line).count(mark) for line in lines]
        usual = max(set(fields), key=lambda count: (fields.count(count), count))
        often = fields.count(usual)
        if (usual >= 2 and often * 10 >= len(lines) * 9) or (usual == 1 and often == len(lines) >= MANY_LINES):
            return mark[0]
    return 0


def alike(sample: bytes) -> bool:
    """Whether at least two lines in three begin as another does, with other digits, or every other one with a key."""
    begun = [DIGITS.sub(b"0", line.lstrip()[:BEGINNING]) for line in sample.split(b"\n")]
    begun = [line for line in begun if line]
    if len(begun) < MANY_LINES:
        return False
    return (len(begun) - len(set(begun))) * 3 >= len(begun) * 2 or len(KEY.findall(sample)) * 2 >= len(begun)
