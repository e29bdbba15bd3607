"""The tables of the documents about one engine or the transforms, made of `benchmarks/results`: for `report.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from markdown_table import markdown

from nzip.errors import NzipError
from nzip.evaluation.harness.tables import digits

Result = dict[str, Any]
STRONG = ("nzip -7", "nzip -8", "nzip -9")
SHOWN = {"canterbury": ("alice29.txt",), "calgary": ("book1", "book2", "news", "geo", "obj2", "pic")}


def ablation(found: Result, times: bool = True) -> str:
    """Return what files are without each part of an engine."""
    whole = found["rows"][0]["bytes"]
    rows = [["without", "bytes", "change", *(["ns/bit"] if times else [])]]
    for row in found["rows"]:
        change = row["bytes"] - whole
        cells = [row["without"], f"{row['bytes']:,}", f"{change:+,}" if change else "0"]
        rows.append([*cells, *([f"{row['ns_per_bit']:.0f}"] if times else [])])
    return markdown(rows)


def midicoth(found: Result) -> str:
    """Return what each component of `midicoth` adds, and the speed of the first file's coding."""
    measured = found["measured"]
    rows = [["", *(f"{each['file']} ({each['raw']:,})" for each in measured), "bits/byte", "KB/s in", "KB/s out"]]
    for parts in zip(*(each["rows"] for each in measured), strict=True):
        cells = [f"{part['bytes']:,}" for part in parts]
        bits = " / ".join(f"{part['bpb']:.3f}" for part in parts)
        rows.append([parts[0]["parts"], *cells, bits, f"{parts[0]['encode_kbs']:,}", f"{parts[0]['decode_kbs']:,}"])
    return markdown(rows)


def columnar(found: Result) -> str:
    """Return the sizes of files by `columnar` and the levels around it, and their speeds on all of them."""
    codecs = found["codecs"]
    names = {"nzip -2": "level 2", "nzip columnar -6": "`columnar`", "nzip -3": "level 3"}
    rows = [["file", "bytes", *(names[codec["name"]] for codec in codecs)]]
    for place, file in enumerate(found["files"]):
        sizes = (codec["files"][place]["bytes_out"] for codec in codecs)
        rows.append([file["path"], f"{file['bytes']:,}", *(f"{size:,}" for size in sizes)])
    for title, key in (("MB/s in", "compress_mb_s"), ("MB/s out", "decompress_mb_s")):
        rows.append([f"all: {title}", "", *(digits(codec["total"][key]) for codec in codecs)])
    return markdown(rows)


def genomes(found: Result) -> str:
    """Return the sizes of files by levels and other programs, and how fast the default level is."""
    names = {
        "nzip -6, before": "before, level 6", "nzip -3": "level 3", "nzip -6": "level 6", "nzip -9": "level 9",
        "xz -9e": "xz -9e", "zstd -19": "zstd -19", "zpaq -m5": "zpaq -m5",
        "GeCo3 -l 3, letters alone": "GeCo3 -l 3", "GeCo3 -l 12, letters alone": "GeCo3 -l 12",
        "fqzcomp -s8+ -q3 -n2": "fqzcomp",
    }  # fmt: skip
    rows = [["file", "bytes", *names.values(), "level 6, MB/s in", "out"]]
    for file in dict.fromkeys(row["file"] for row in found["files"]):
        own = {row["program"]: row for row in found["files"] if row["file"] == file}
        size, default = own["nzip -6"]["size"], own["nzip -6"]
        sizes = (f"{own[name]['bytes']:,}" if name in own else "" for name in names)
        speeds = (digits(size / 1e6 / default[key]) for key in ("seconds", "decoding"))
        rows.append([file, f"{size:,}", *sizes, *speeds])
    return markdown(rows)


def by_codec(found: Result) -> str:
    """Return the sizes of files by levels or presets and other programs, and their speeds on all of them."""
    rows = found["rows"]
    names = [name for name in rows[0]["codecs"] if all(row["codecs"].get(name) for row in rows[:7])]
    lines = [["file", "bytes", *names]]
    for row in rows:
        sizes = [row["codecs"].get(name) for name in names]
        lines.append([row["file"], f"{row['bytes']:,}", *(f"{each['size']:,}" if each else "-" for each in sizes)])
    for title, key in (("MB/s in", "encoding"), ("MB/s out", "decoding")):
        speeds = []
        for name in names:
            done = [(row["bytes"], row["codecs"][name][key]) for row in rows if row["codecs"].get(name)]
            known = all(spent for _, spent in done)
            speed = digits(sum(size for size, _ in done) / sum(spent for _, spent in done) / 1e6) if known else "-"
            speeds.append(speed)
        lines.append([f"all: {title}", "", *speeds])
    return markdown(lines)


def pcm_ablation(found: Result) -> str:
    """Return what sounds are without each part of `pcm`."""
    whole = found["rows"][0]
    rows = [["without", "bytes", "change", "ns/byte", "change"]]
    for row in found["rows"]:
        change, slower = row["bytes"] - whole["bytes"], row["ns_per_byte"] - whole["ns_per_byte"]
        cells = [row["without"], f"{row['bytes']:,}", f"{change:+,}" if change else "0"]
        rows.append([*cells, f"{row['ns_per_byte']:.0f}", f"{slower:+.0f}" if row is not whole else "0"])
    return markdown(rows)


def jpeg(found: Result) -> str:
    """Return sums of sets of JPEG files by the engine's presets and the peers, and their speeds."""
    sets = found["sets"]
    names = list(sets[0]["codecs"])
    rows = [["set (files)", "bytes", *names, "MB/s in / out, preset 1", "preset 2"]]
    for each in sets:
        raw, cells, speeds = each["raw"], [], []
        for name in names:
            measured = each["codecs"][name]
            done = [k for k, one in enumerate(measured) if one]
            size = sum(measured[k]["bytes"] for k in done)
            text = f"{size:,} ({size / sum(raw[k] for k in done):.3f})"
            if len(done) < len(raw):
                own = sum(each["codecs"][names[0]][k]["bytes"] for k in done)
                text += f" of {len(done)} files (preset 1: {own:,})"
            cells.append(text)
            rates = (sum(raw[k] for k in done) / 1e6 / sum(measured[k][key] for k in done) for key in ("in_s", "out_s"))
            speeds.append(" / ".join(f"{rate:.2f}" for rate in rates))
        rows.append([f"{each['set']} ({len(raw)})", f"{sum(raw):,}", *cells, *speeds[:2]])
    return markdown(rows)


def jpeg_ablation(found: Result) -> str:
    """Return what coefficients take without each context, and the time of one."""
    whole = found["rows"][0]["bytes"]
    rows = [["without", "bytes", "change", "ns a value"]]
    for row in found["rows"]:
        change = f"{100 * (row['bytes'] - whole) / whole:+.2f} %"
        rows.append([row["without"], f"{row['bytes']:,}", change, f"{row['ns_per_value']:.0f}"])
    return markdown(rows)


def transforms(found: Result) -> str:
    """Return what blocks take without and with the transforms that are chosen for them."""
    rows = [["file", "level 2", "with", "chain", "level 6", "with", "chain"]]
    for row in found["rows"]:
        cells = [row["file"]]
        for level in ("level 2", "level 6"):
            block = row[level]
            cells += [f"{block['plain']:,}", f"{block['with']:,}" if block["chain"] else "=", block["chain"]]
        rows.append(cells)
    return markdown(rows, left=(0, 3, 6))


def strong(results: Mapping[str, Result]) -> str:
    """Return what the levels of `cmstrong` make of some files and of the whole Calgary corpus."""
    rows = [["file", "bytes", *(name.replace("nzip -", "level ") for name in STRONG)]]
    for name, chosen in SHOWN.items():
        if name not in results:
            raise NzipError(f"no results of {name}; run benchmarks/run.py")
        codecs = [next(codec for codec in results[name]["codecs"] if codec["name"] == each) for each in STRONG]
        for place, file in enumerate(results[name]["files"]):
            if file["path"] in chosen:
                sizes = (codec["files"][place]["bytes_out"] for codec in codecs)
                rows.append([file["path"], f"{file['bytes']:,}", *(f"{size:,}" for size in sizes)])
    totals = [codec["total"] for codec in codecs]
    rows.append(["all of Calgary", f"{totals[0]['bytes_in']:,}", *(f"{total['bytes_out']:,}" for total in totals)])
    return markdown(rows)


def tables(results: Mapping[str, Result], own: Callable[[str, str], Result]) -> dict[str, Callable[[], str]]:
    """Return every table of an engine or the transforms by name, made when it is asked for.

    Args:
        results: of `nzip bench`, by set.
        own: gives what stands in `benchmarks/results/NAME.json` by NAME and the program that makes it; raises
            `NzipError` where it is not there.
    """
    return {
        "cm-ablation": lambda: ablation(own("cm_ablation", "")),
        "cm-large-ablation": lambda: ablation(own("cm_large_ablation", "cm_ablation")),
        "cmfast-ablation": lambda: ablation(own("cmfast_ablation", ""), times=False),
        "cmstrong-ablation": lambda: ablation(own("cmstrong_ablation", ""), times=False),
        "cmstrong-levels": lambda: strong(results),
        "columnar": lambda: columnar(own("columnar", "")),
        "jpeg": lambda: jpeg(own("jpeg", "")),
        "jpeg-ablation": lambda: jpeg_ablation(own("jpeg_ablation", "")),
        "midicoth-ablation": lambda: midicoth(own("midicoth_ablation", "")),
        "pcm": lambda: by_codec(own("pcm", "")),
        "genomes": lambda: genomes(own("genomes", "")),
        "lines": lambda: by_codec(own("lines", "")),
        "structured": lambda: by_codec(own("structured", "")),
        "pcm-ablation": lambda: pcm_ablation(own("pcm_ablation", "")),
        "transforms": lambda: transforms(own("transforms", "")),
    }
