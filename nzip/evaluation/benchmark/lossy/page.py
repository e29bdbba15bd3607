"""The page of a lossy run: the curves and tables, pictures side by side at equal rates, and sounds to listen to.

One HTML file that holds everything (data URIs) and needs no network and no script. Under the pointer, or held by a
finger, a lossy crop shows the original. Crops are stored without loss, so what is seen is what the codec gave.
"""

from __future__ import annotations

import html
import importlib.util
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nzip.evaluation.benchmark.lossy.report import MARK, NOTE, shown, tables, titled
from nzip.evaluation.compressors.lossy.codec import LossyCodec, fitted, nearest
from nzip.evaluation.data.signals import KINDS, NOUNS, RATES, Signal, Source, counted, load
from nzip.evaluation.distortion.audio import SoundReference
from nzip.evaluation.distortion.images import PictureReference, luma
from nzip.evaluation.distortion.metrics import Values
from nzip.evaluation.harness.outputs import write_text
from nzip.evaluation.harness.page import beginning, data_uri
from nzip.formats.signals.base import Audio, Image

Bytes = NDArray[np.uint8]

MOST_SHOWN = 4  # of pictures, and of sounds
TARGETS = {"image": (0.05, 0.15, 0.4, 1.0), "audio": (12, 24, 48)}  # bits per pixel; kbit/s a channel
FAR, TOO_FAR = 1.25, 1.5  # from the target rate: marked, and left out
CROP = 256
SECONDS = 10

LOSSY_STYLE = """
.crops { display: grid; grid-template-columns: repeat(auto-fill, minmax(256px, max-content)); gap: 1rem;
  margin-bottom: 1.6rem; }
figure { margin: 0; width: 256px; }
.pane { width: 256px; background-repeat: no-repeat; background-size: 100% 100%; line-height: 0; }
.pane img { width: 100%; image-rendering: pixelated; }
.pane.copy img:hover, .pane.copy img:active { opacity: 0; }
figcaption { padding-top: .3rem; line-height: 1.35; }
figcaption b { color: var(--ink); }
.far { color: var(--mark); }
audio { height: 2.2rem; width: 17rem; vertical-align: middle; }
td.player { padding: .2rem .7rem; }
"""


def write_page(
    result: dict[str, Any],
    sources: Sequence[Source],
    codecs: Sequence[LossyCodec],
    path: str | os.PathLike[str],
) -> None:
    """Write the page of a run.

    Args:
        result: what `run.run` returned.
        sources: the files it measured.
        codecs: the codecs it measured; they code the files shown anew, at settings that give about equal rates.
        path: where to write; replaced if it is there.

    Raises:
        NzipError: the page cannot be written.
    """
    words = [*beginning("rate and distortion", LOSSY_STYLE), *_summary(result)]
    for kind in KINDS:
        chosen = _spread([source for source in sources if source.kind == kind])
        able = [codec for codec in codecs if codec.kind == kind]
        if chosen:
            words.append(f"<h2>{NOUNS[kind].capitalize()}s at equal rates</h2>")
            words.append(f'<p class="quiet">{_hint(kind, len(chosen), sum(s.kind == kind for s in sources))}</p>')
        for position, source in enumerate(chosen):
            if kind == "image":
                words += _picture(result, source, able, f"picture{position}")
            else:
                words += _sound(result, source, able)
    write_text(path, "\n".join(words) + "\n")


def _spread(sources: Sequence[Source]) -> list[Source]:
    """Return `MOST_SHOWN` of the files, evenly spread, or all if there are no more."""
    if len(sources) <= MOST_SHOWN:
        return list(sources)
    return [sources[round(at)] for at in np.linspace(0, len(sources) - 1, MOST_SHOWN)]


def _hint(kind: str, shown_count: int, count: int) -> str:
    part = f"{shown_count} of " * (shown_count < count) + counted(count, kind)
    if kind == "image":
        return (
            f"{part}; of each a part of {CROP} x {CROP} pixels, where there is most to see. "
            "Point at a copy, or hold it, to see the original in its place. The numbers are those of the whole "
            "picture. A rate in red is off: the codec has no setting nearer to the others."
        )
    return f"{part}; {SECONDS} seconds of each at most. The numbers are those of the whole sound."


def _summary(result: dict[str, Any]) -> Iterator[str]:
    machine = result["machine"]
    yield "<h1>Rate and distortion</h1>"
    counts = [(sum(file["kind"] == kind for file in result["files"]), kind) for kind in KINDS]
    files = " and ".join(counted(count, kind) for count, kind in counts if count)
    yield (
        f'<p class="quiet">{files}; nzip {html.escape(result["nzip"])}, Python {html.escape(result["python"])}, '
        f"{html.escape(machine['system'])} {html.escape(machine['arch'])}, one thread, {result['date'][:10]}.</p>"
    )
    if importlib.util.find_spec("matplotlib") is not None and any(entry["points"] for entry in result["curves"]):
        from nzip.evaluation.benchmark.lossy.plot import draw_curves

        drawing = io.BytesIO()
        draw_curves(result, drawing, "svg")
        uri = data_uri("image/svg+xml", drawing.getvalue())
        yield f'<img class="curves" alt="Curves of each metric over the rate" src="{uri}">'
    for kind in KINDS:
        if not any(file["kind"] == kind for file in result["files"]):
            continue
        yield f"<h2>{NOUNS[kind].capitalize()}s in numbers</h2>"
        found = tables(result, kind)
        yield '<div class="tables">'
        for rows in found:
            yield from _table([[html.escape(cell.strip()) for cell in row] for row in rows])
        yield "</div>"
        if any(MARK in cell for rows in found for row in rows for cell in row):
            yield f'<p class="note">{html.escape(NOTE)}</p>'
        yield '<p class="note">' + "; ".join(
            f"{html.escape(codec['name'])}: {html.escape(codec['version'])} ({html.escape(codec['settings'])})"
            for codec in result["codecs"]
            if codec["kind"] == kind
        ) + "</p>"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table; its cells are HTML, the first row the head."""
    yield '<div class="wide"><table>'
    for position, row in enumerate(rows):
        tag = "td" if position else "th"
        yield "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in row) + "</tr>"
    yield "</table></div>"


def _known(result: dict[str, Any], codec: LossyCodec, source: Source) -> dict[int, int]:
    return {
        record["setting"]: record["bytes"]
        for record in result["records"]
        if record["path"] == source.file.path
        and (record["kind"], record["codec"]) == (codec.kind, codec.name)
        and not record["error"]
    }


@dataclass(frozen=True)
class _Missing:
    """Why a codec has nothing to show at a rate; either it failed, or its rates are others."""

    words: str
    failed: bool


def _at_rate(
    result: dict[str, Any], codec: LossyCodec, source: Source, original: Signal, rate: float
) -> tuple[Signal, int, int] | _Missing:
    """Return what a codec makes of a file at about a rate, its bytes and the setting; or why there is nothing."""
    try:
        setting, data = nearest(codec, original, source.size(rate), _known(result, codec, source))
        apart = source.rate(len(data)) / rate
        if max(apart, 1 / apart) > TOO_FAR:
            words = f"{codec.name} does not come near this rate; its nearest is {shown(source.rate(len(data)))}"
            return _Missing(words, failed=False)
        return fitted(codec, codec.decode(data), original), len(data), setting
    except Exception as error:  # whatever a codec raises is a result
        return _Missing(f"{codec.name} failed: {error}", failed=True)


def _rate_words(source: Source, size: int, target: float) -> str:
    rate = source.rate(size)
    words = f"{shown(rate)} {RATES[source.kind]}"
    apart = abs(math.log(rate / target))
    return f'<span class="far">{words}</span>' if apart > math.log(FAR) else words


def _values_words(result: dict[str, Any], values: Values) -> list[tuple[str, str]]:
    """Return titles and numbers of what was measured."""
    return [
        (titled(result, name), shown(value))
        for name, value in values.items()
        if value is not None and result["metrics"][name]["compared"]
    ]


def _picture(result: dict[str, Any], source: Source, codecs: Sequence[LossyCodec], name: str) -> Iterator[str]:
    original = load(source.file.location)
    assert isinstance(original, Image)
    reference = PictureReference(original.pixels)
    place = busiest(original.pixels, CROP)
    width, height = source.shape["width"], source.shape["height"]
    yield f"<h3>{html.escape(source.file.path)} ({width} x {height})</h3>"
    # Once for the page: the figure of the original, and what lies under every copy.
    yield f"<style>.{name} {{ background-image: url({_image(original.pixels[place])}) }}</style>"
    rows, columns = original.pixels[place].shape[:2]
    shape = f'style="aspect-ratio: {columns} / {rows}"'
    for target in TARGETS["image"]:
        raw = f"<b>original</b><br>{source.file.size:,} bytes in its file"
        figures = [f'<figure><div class="pane {name}" {shape}></div><figcaption>{raw}</figcaption></figure>']
        missing = []
        for codec in codecs:
            found = _at_rate(result, codec, source, original, target)
            if isinstance(found, _Missing):
                missing.append(found)
                continue
            copy, size, setting = found
            assert isinstance(copy, Image)
            values = reference.measure(copy.pixels)
            numbers = "<br>".join(f"{html.escape(title)} {value}" for title, value in _values_words(result, values))
            codec_name = html.escape(codec.name)
            figures.append(
                f'<figure><div class="pane copy {name}" {shape}><img alt="{codec_name}" '
                f'src="{_image(copy.pixels[place])}"></div><figcaption><b>{codec_name}</b>, setting {setting}<br>'
                f"{_rate_words(source, size, target)}, {size:,} bytes<br>{numbers}</figcaption></figure>"
            )
        if len(figures) == 1 and not any(lack.failed for lack in missing):  # a rate that none of them reaches
            continue
        yield f'<p class="note">about {target:g} bits per pixel</p>'
        yield f'<div class="crops">{"".join(figures)}</div>'
        if missing:
            yield f'<p class="note">{html.escape("; ".join(lack.words for lack in missing))}</p>'


def busiest(pixels: Bytes, side: int) -> tuple[slice, slice]:
    """Return the square of a picture uint8 (H, W, 3), or what of it fits, where its luma changes most.

    Places are tried in steps of an eighth of the side.
    """
    plane = luma(pixels)
    change = np.abs(np.diff(plane, axis=0, append=plane[-1:])) + np.abs(np.diff(plane, axis=1, append=plane[:, -1:]))
    sums = np.pad(change, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    height, width = (min(side, length) for length in plane.shape)
    tops = range(0, plane.shape[0] - height + 1, max(1, side // 8))
    lefts = range(0, plane.shape[1] - width + 1, max(1, side // 8))

    def inside(top: int, left: int) -> float:
        bottom, right = top + height, left + width
        return float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])

    _, top, left = max((inside(top, left), -top, -left) for top in tops for left in lefts)
    return slice(-top, height - top), slice(-left, width - left)


def _sound(result: dict[str, Any], source: Source, codecs: Sequence[LossyCodec]) -> Iterator[str]:
    original = load(source.file.location)
    assert isinstance(original, Audio)
    speech = any(
        record["path"] == source.file.path and not record["error"] and record["values"]["stoi"] is not None
        for record in result["records"]
    )
    reference = SoundReference(original.samples, original.rate, speech=speech)
    channels = source.shape["channels"]
    yield f"<h3>{html.escape(source.file.path)} ({channels} x {original.rate:,} Hz, {source.amount:.1f} s)</h3>"
    rows = []
    titles: list[str] = []
    missing = []
    for target in (rate * channels for rate in TARGETS["audio"]):
        for codec in codecs:
            found = _at_rate(result, codec, source, original, target)
            if isinstance(found, _Missing):
                missing.append(f"{found.words} (at {target:g} kbit/s)")
                continue
            copy, size, setting = found
            assert isinstance(copy, Audio)
            values = dict(_values_words(result, reference.measure(copy.samples)))
            titles += [title for title in values if title not in titles]
            words = f"{html.escape(codec.name)}, setting {setting}"
            rows.append((words, _rate_words(source, size, target), copy, values))
    player = '<audio controls preload="none" src="{}"></audio>'
    body = [["original", "", player.format(_flac(original)), *("" for _ in titles)]]
    body += [
        [words, rate, player.format(_flac(copy)), *(values.get(title, "-") for title in titles)]
        for words, rate, copy, values in rows
    ]
    yield from _table([["codec", "rate", "", *map(html.escape, titles)], *body])
    if missing:
        yield f'<p class="note">{html.escape("; ".join(missing))}</p>'


def _image(pixels: Bytes) -> str:
    """Return a picture as a data URI, without loss: WebP where pillow has it, else PNG."""
    import PIL.Image
    from PIL import features

    format = "WEBP" if features.check("webp") else "PNG"
    file = io.BytesIO()
    options = {"lossless": True} if format == "WEBP" else {}
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(file, format, **options)
    return data_uri(f"image/{format.lower()}", file.getvalue())


def _flac(sound: Audio) -> str:
    """Return the beginning of a sound as a data URI: FLAC of 16 bits, the first two channels."""
    soundfile = import_module("soundfile")
    file = io.BytesIO()
    samples = np.clip(sound.samples[:2, : SECONDS * sound.rate], -1, 1 - 2**-15)
    with soundfile.SoundFile(file, "w", sound.rate, len(samples), "PCM_16", format="FLAC") as out:
        out.write(np.ascontiguousarray(samples.T))
    return data_uri("audio/flac", file.getvalue())
