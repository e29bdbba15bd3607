"""Makes the English text that the byte model `text` of Equal-Info Windows is trained on, besides the primers.

    python corpora/make_english.py FOLDER [--out nzip/models/weights/static/english.zst]

FOLDER holds three of Debian 12's packages, each unpacked with `dpkg-deb -x` into a folder of its name: `jargon-text`
(the Jargon File, public domain), `wordnet-base` (WordNet 3.0; its licence) and `postgresql-doc-15` (PostgreSQL's). None
of them is a benchmark or quotes one at length; WordNet's quotations of authors are left out.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import html
import re
from pathlib import Path

import zstandard

SHARES = {"wordnet-base": 1_000_000, "postgresql-doc-15": 400_000, "jargon-text": 1_400_000}


def jargon(folder: Path) -> str:
    """Return the Jargon File without its indentation, paragraphs kept."""
    text = gzip.decompress((folder / "usr/share/doc/jargon-text/jargon.txt.gz").read_bytes()).decode("latin-1")
    return "\n".join(line.strip() for line in text.splitlines())


def wordnet(folder: Path) -> str:
    """Return definitions and examples as sentences; quotations of authors are left out."""
    lines = []
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"usr/share/wordnet/data.{kind}").read_text("latin-1").splitlines():
            if line.startswith(" ") or " | " not in line:
                continue
            word = line.split()[4].replace("_", " ")
            gloss = re.sub(r'"[^"]*"\s*-+\s*[^;]*', "", line.split(" | ", 1)[1])
            definition, *examples = (part.strip() for part in gloss.split('; "'))
            lines.append(f"{word[:1].upper()}{word[1:]}: {definition.rstrip('; ')}.")
            for example in examples:
                sentence = example.rstrip('"; ').strip()
                lines.append(f"{sentence[:1].upper()}{sentence[1:]}.")
    # Every so many-th line: the whole alphabet and all four kinds.
    step = max(1, sum(map(len, lines)) // SHARES["wordnet-base"])
    return "\n".join(lines[::step])


def manual(folder: Path) -> str:
    """Return the words of PostgreSQL's manual, without markup."""
    parts = []
    pages = sorted((folder / "usr/share/doc/postgresql-doc-15/html").glob("*.html"))
    for page in pages[::4]:
        text = re.sub(r"<pre.*?</pre>|<(script|style|head).*?</\1>", " ", page.read_text("utf-8"), flags=re.S)
        for paragraph in re.findall(r"<p>(.*?)</p>", text, flags=re.S):
            words = " ".join(html.unescape(re.sub(r"<[^>]*>", "", paragraph)).split())
            if len(words) > 80:
                parts.append(words)
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("nzip/models/weights/static/english.zst"))
    args = parser.parse_args()
    makers = {"wordnet-base": wordnet, "postgresql-doc-15": manual, "jargon-text": jargon}
    whole = b""
    for name, share in SHARES.items():
        part = makers[name](args.folder / name).encode("utf-8")[:share]
        print(f"{name}: {len(part):,} bytes")
        whole += part + b"\n"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(zstandard.ZstdCompressor(level=22).compress(whole))
    print(f"{len(whole):,} bytes, {hashlib.sha256(whole).hexdigest()}, {args.out.stat().st_size:,} packed")


if __name__ == "__main__":
    main()
