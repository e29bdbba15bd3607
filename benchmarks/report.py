"""Turns `benchmarks/results/*.json` into the tables of the documents and the plots.

    python benchmarks/report.py             write the tables and docs/pictures/pareto*.png, .svg
    python benchmarks/report.py --check     say which tables are not what the results give, and change nothing
    python benchmarks/report.py --print NAME

A table stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` in README.md or a page of docs/; what is between
the two is replaced. Names: `summary`, `levels`, `ahead`, `memory`, `documents`, `small-processes`, `versions`, `lm`,
`lm-windows`, `lm-mixing`, `lm-exactness`, `lossy-summary`, `lossy-least`, `latents-webp`, `vqgan-books`, `vqgan-lost`,
`lossy-pictures`, `lossy-speech`, `lossy-music`; of engines and transforms (made by `engine_tables.py`) `cm-ablation`,
`cm-large-ablation`, `cmfast-ablation`, `cmstrong-ablation`, `cmstrong-levels`, `midicoth-ablation`, `columnar`,
`pcm`, `pcm-ablation`, `jpeg`, `jpeg-ablation`, `transforms`, `lines`, `structured`,
`genomes`; of `nzip eval` (made by
`eval_tables.py`)
`eval-summary`, `ratio`, `ratio-2k`, `kolmogorov-codecs`,
`kolmogorov-programs`, `intelligence`, `capacity`, `learnability`, `classify-dna`, `classify-formats`, `align`,
`align-kinds`, `perception`, `perception-pictures`; of `python -m tests.fuzz` `fuzz` and `fuzz-bounds`; and for each
result file SET its totals (`SET`) and its sizes file by file (`SET-files`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine_tables
import eval_tables
import everyday_tables
from markdown_table import bold, markdown

from nzip.errors import NzipError
from nzip.evaluation.benchmark.lossless.pareto import plot_pareto
from nzip.evaluation.benchmark.lossless.report import model_notes
from nzip.evaluation.harness.tables import digits

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PLOTTED = ("calgary", "canterbury")
CPU = ("compress_cpu_s", "decompress_cpu_s")
MIB = 1 << 20
MB = 1_000_000
WIDTH = 120  # of the documents' lines

# The columns of the tables that go file by file.
CHOSEN = (
    *("nzip -3", "nzip -6", "nzip -9"),
    *("xz -9e", "bzip2 -9", "brotli 11", "zstd -22 --long", "PPMd H o8", "zpaq -m5", "paq8px -8"),
)
RIVALS = ("xz -9e", "bzip2 -9", "brotli 11", "zstd -22 --long", "PPMd H o8")
TEXTS = {
    "calgary": "bib book1 book2 news paper1 paper2 paper3 paper4 paper5 paper6 progc progl progp trans",
    "canterbury": "alice29.txt asyoulik.txt cp.html fields.c grammar.lsp lcet10.txt plrabn12.txt xargs.1",
}

Result = dict[str, Any]


def load(folder: Path) -> dict[str, Result]:
    """Return the results by set."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    benches = (item for item in found.items() if isinstance(item[1], dict))
    return {name: result for name, result in benches if result.get("tool") == "nzip bench"}


def done(result: Result) -> list[dict[str, Any]]:
    """Return the codecs that measured every file."""
    return [entry for entry in result["codecs"] if entry["total"] is not None]


def by_name(result: Result, name: str) -> dict[str, Any] | None:
    """Return the entry of codec `name`, if it measured every file."""
    return next((entry for entry in done(result) if entry["name"] == name), None)


def totals(result: Result) -> str:
    """Return the table of a set: every codec, the smallest output first."""
    rows = [["codec", "bytes", "ratio", "bits/byte", "MB/s in", "MB/s out", "MB memory in", "MB memory out"]]
    for entry in sorted(done(result), key=lambda item: item["total"]["bytes_out"]):
        total, name = entry["total"], entry["name"]
        rows.append(
            [
                bold(name, name),
                bold(name, f"{total['bytes_out']:,}"),
                f"{total['ratio']:.3f}",
                f"{total['bits_per_byte']:.3f}",
                digits(total["compress_mb_s"]),
                digits(total["decompress_mb_s"]),
                f"{total['compress_memory'] / MB:,.1f}",
                f"{total['decompress_memory'] / MB:,.1f}",
            ]
        )
    size = sum(file["bytes"] for file in result["files"])
    machine = result["machine"]
    note = (
        f"{len(result['files'])} files, {size:,} bytes, each coded alone and verified; {result['date'][:10]}, "
        f"{machine['system']} {machine['arch']}, best of {result['repeat']}"
        f"{' (of those begun in 5 s)' if result['repeat'] > 1 else ''}."
    )
    notes = [note[0].upper() + note[1:] + "." for note in model_notes(done(result))]
    failed = [f"{entry['name']} failed: {entry['error']}." for entry in result["codecs"] if entry["error"]]
    return markdown(rows) + "\n\n" + textwrap.fill(" ".join([note, *notes, *failed]), WIDTH, break_on_hyphens=False)


def per_file(result: Result) -> str:
    """Return the table of a set's files: compressed bytes by the chosen codecs, the smallest in bold."""
    entries = [entry for name in CHOSEN if (entry := by_name(result, name)) is not None]
    rows = [["file", "bytes", *(entry["name"] for entry in entries)]]
    for position, file in enumerate(result["files"]):
        sizes = [entry["files"][position]["bytes_out"] for entry in entries]
        cells = [f"**{size:,}**" if size == min(sizes) else f"{size:,}" for size in sizes]
        rows.append([file["path"], f"{file['bytes']:,}", *cells])
    sums = [entry["total"]["bytes_out"] for entry in entries]
    cells = [f"**{size:,}**" if size == min(sums) else f"{size:,}" for size in sums]
    rows.append(["all", f"{sum(file['bytes'] for file in result['files']):,}", *cells])
    return markdown(rows)


def summary(results: dict[str, Result]) -> str:
    """Return the short table for the README: chosen codecs, bytes on each set, speed on the first."""
    sets = [name for name in ("calgary", "canterbury", "large") if name in results]
    if not sets:
        raise NzipError("no results of calgary, canterbury or large; run benchmarks/run.py first")
    first = results[sets[0]]
    head = ["codec", *(f"{name} ({sum(f['bytes'] for f in results[name]['files']):,} bytes)" for name in sets)]
    rows = [[*head, f"MB/s in ({sets[0]})", "MB/s out"]]
    names = ("nzip -1", "nzip -3", *CHOSEN, "zlib -9")
    entries = [entry for entry in done(first) if entry["name"] in names]
    for entry in sorted(entries, key=lambda item: item["total"]["bytes_out"]):
        name = entry["name"]
        sizes = []
        for other in sets:
            match = by_name(results[other], name)
            sizes.append("-" if match is None else bold(name, f"{match['total']['bytes_out']:,}"))
        total = entry["total"]
        rows.append([bold(name, name), *sizes, digits(total["compress_mb_s"]), digits(total["decompress_mb_s"])])
    if "large" not in sets:
        return markdown(rows)
    paths = ", ".join(f"`{file['path']}`" for file in results["large"]["files"])
    return f"{markdown(rows)}\n\n*large* is nzip's own choice of larger files: {paths}."


def level_table(results: dict[str, Result]) -> str:
    """Return the table of nzip's levels: what they are, the memory they state, what was measured."""
    import nzip

    used = [results[name] for name in PLOTTED if name in results]
    rows = [["level", "engine of texts", "block", "memory a thread", "bits/byte", "MB/s in", "MB/s out", "for"]]
    for number, level in nzip.levels().items():
        found = [by_name(result, f"nzip -{number}") for result in used]
        measured = ["-", "-", "-"]
        entries = [entry for entry in found if entry is not None]
        if entries and len(entries) == len(used):
            files = [row for entry in entries for row in entry["files"]]
            size = sum(row["bytes_in"] for row in files)
            measured = [
                f"{8 * sum(row['bytes_out'] for row in files) / size:.3f}",
                digits(size / MB / sum(row["compress_s"] for row in files)),
                digits(size / MB / sum(row["decompress_s"] for row in files)),
            ]
        rows.append(
            [
                str(number),
                level.words.rsplit(", ", 1)[-1],
                f"{level.block_size // MIB} MiB",
                f"{level.memory / MIB:,.0f} MiB",
                *measured,
                level.summary,
            ]
        )
    where = " and ".join(name for name in PLOTTED if name in results) or "nothing yet"
    note = f"Measured on {where}, one thread. `nzip levels` names the engines of other content, too."
    return markdown(rows, left=(0, 1, 2, 8)) + "\n\n" + note


def ahead(results: dict[str, Result]) -> str:
    """Return where level 6 stands beside each rival on the text files, one by one."""
    rows = [["level 6 beside", "text files", "smaller on", "bytes saved", "larger on"]]
    for rival in RIVALS:
        counted, behind, ours_sum, theirs_sum = 0, [], 0, 0
        for name, texts in TEXTS.items():
            ours, theirs = (by_name(results[name], codec) if name in results else None for codec in ("nzip -6", rival))
            if ours is None or theirs is None:
                continue
            for one, other in zip(ours["files"], theirs["files"], strict=True):
                if one["path"].rsplit("/", 1)[-1] in texts.split():
                    counted += 1
                    ours_sum += one["bytes_out"]
                    theirs_sum += other["bytes_out"]
                    if one["bytes_out"] >= other["bytes_out"]:
                        behind.append(one["path"])
        if counted:
            saved = f"{100 * (1 - ours_sum / theirs_sum):.1f} %"
            rows.append([rival, str(counted), str(counted - len(behind)), saved, ", ".join(behind) or "none"])
    return markdown(rows, left=(0, 4))


def memory_table() -> str:
    """Return what `memory_2gib.py` found."""
    result = own("memory", "memory_2gib")
    slack = result["slack"] // MIB
    rows = [["level", "input", "direction", "peak above idle", "stated", f"within the stated + {slack} MiB"]]
    for run in result["runs"]:
        for direction in ("compress", "decompress"):
            side = run[direction]
            rows.append(
                [
                    str(run["level"]),
                    f"{run['bytes'] / MIB:,.0f} MiB",
                    direction,
                    f"{side['peak_above_idle'] / MIB:,.0f} MiB",
                    f"{side['stated'] / MIB:,.0f} MiB",
                    "yes" if side["within"] else "no",
                ]
            )
    return markdown(rows)


def documents() -> str:
    """Return what `documents.py` found."""
    result = own("documents")
    rows = [["packed by", "bytes", "of the folder", "s in", "s out", "version"]]
    for row in sorted(result["coders"], key=lambda row: int(row["bytes"])):
        name = bold(row["name"], row["name"])
        share = f"{row['bytes'] / result['bytes']:.1%}"
        rows.append([name, f"{row['bytes']:,}", share, f"{row['in_s']:.1f}", f"{row['out_s']:.1f}", row["version"]])
    return markdown(rows)


def small_files() -> str:
    """Return what `small_files.py` found."""
    result = own("small_files")
    runs = result["runs"]
    beside = {(row["level"], row["files"]): row for row in runs if row["nzip"] == "beside"}
    head = ["level", "files", "bytes", "becomes", "in, s", "out, s", "processor in, s", "out, s", "files/s in", "out"]
    rows = [[*head, "processor before in, s", "out, s"] if beside else head]
    for row in runs:
        if row["nzip"] != "this":
            continue
        files, before = row["files"], beside.get((row["level"], row["files"]))
        cells = [str(row["level"]), f"{files:,}", f"{row['bytes_in']:,}", f"{row['bytes_out']:,}"]
        cells += [f"{row[side]:.2f}" for side in ("compress_s", "decompress_s", *CPU)]
        cells += [f"{files / row[side]:.0f}" if files > 1 else "" for side in ("compress_s", "decompress_s")]
        if beside:
            cells += ["" if before is None else f"{before[side]:.2f}" for side in CPU]
        rows.append(cells)
    files = max(row["files"] for row in runs)
    alone = f"a bare loop that writes, synchronises and renames {files:,} such files: {result['bare_s']:.2f} s"
    return f"{markdown(rows)}\nThe disk alone, {alone}.\n"


def own(name: str, program: str = "") -> Any:
    """Return what a program beside `run.py`, named as its results or `program`, or a command of several words, found.

    Raises:
        NzipError: it has not been run.
    """
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        program = program or name
        raise NzipError(f"no results of {program}{'' if ' ' in program else '.py'} ({name}.json); run it first")
    return json.loads(path.read_text("utf-8"))


def lm_table(results: dict[str, Result]) -> str:
    """Return what `lm.py` found, beside the other codecs on the same files."""
    rows = [["file", "codec", "bytes", "bits/byte", "KB/s in", "KB/s out", "peak memory", "model"]]
    found = own("lm")["rows"]
    for name, size in dict.fromkeys((row["file"], row["bytes"]) for row in found):
        for row in found:
            if row["file"] == name:
                streams = f"{row['streams']} stream{'' if row['streams'] == 1 else 's'}"
                cells = [f"{row['compress_kb_s']:.2f}", f"{row['decompress_kb_s']:.2f}"]
                cells += [f"{row['peak_bytes'] / MB:,.0f} MB", f"{row['model_bytes'] / MB:,.1f} MB"]
                title = f"**nzip lm, {streams}**" + ("" if row["mix"] else ", model alone")
                rows.append([name, title, f"**{row['size']:,}**", f"{row['bits_per_byte']:.3f}", *cells])
        others: dict[str, list[str]] = {}
        for result in results.values():
            for position, file in enumerate(result["files"]):
                if file["path"].rsplit("/", 1)[-1] == name and file["bytes"] == size:
                    for entry in (by_name(result, codec) for codec in ("nzip -9", "nzip -6", *CHOSEN[3:])):
                        if entry is not None and entry["name"] not in others:
                            one = entry["files"][position]
                            speeds = [f"{size / 1000 / one[key]:,.1f}" for key in ("compress_s", "decompress_s")]
                            cells = [bold(entry["name"], f"{one['bytes_out']:,}"), f"{8 * one['bytes_out'] / size:.3f}"]
                            others[entry["name"]] = [name, bold(entry["name"], entry["name"]), *cells, *speeds, "", ""]
        rows += sorted(others.values(), key=lambda cells: int(cells[2].strip("*").replace(",", "")))
    return markdown(rows, left=(0, 1))


def lm_windows() -> str:
    """Return what windows of equal cost take, by `lm.py --window-bits`."""
    found = own("lm")["windows"]
    whole = {(row["file"], row["bytes"]): row["size"] for row in found if not row["window_bits"]}
    rows = [["file", "bytes", "bits of a window", "blocks", "bytes of a block, mean", "bytes", "bits/byte", "cost"]]
    for row in found:
        cost = row["size"] / whole[row["file"], row["bytes"]] - 1
        bits = f"{row['window_bits']:,}" if row["window_bits"] else "one block"
        mean = f"{row['bytes'] / row['blocks']:,.0f}"
        size = [f"{row['size']:,}", f"{row['bits_per_byte']:.3f}", f"{100 * cost:.1f} %"]
        rows.append([row["file"], f"{row['bytes']:,}", bits, str(row["blocks"]), mean, *size])
    return markdown(rows)


def lm_mixing() -> str:
    """Return what each part behind the model is worth."""
    found = own("lm_mixing")
    names = list(found["files"])
    rows = [["bits/byte", *(f"{name}, {found['files'][name]['tokens']:,} tokens" for name in names)]]
    rows += [[row["row"], *(f"{row['bits_per_byte'][name]:.4f}" for name in names)] for row in found["rows"]]
    return markdown(rows)


def lm_exactness() -> str:
    """Return what exact arithmetic costs and corrections give."""
    rows = [["tokens' cost alone, bits/byte", "tokens", "exact", "float32", "cost", "exact, uncorrected"]]
    for row in own("lm_exactness")["rows"]:
        exact, real, plain = (row[f"{name}_bits_per_byte"] for name in ("exact", "float32", "uncorrected"))
        cost = f"{row['cost_percent']:.2f} %"
        rows.append([row["file"], f"{row['tokens']:,}", f"{exact:.4f}", f"{real:.4f}", cost, f"{plain:.4f}"])
    return markdown(rows)


def lossy(name: str) -> Callable[[], str]:
    """Return what makes the tables of a run of `bench --lossy`, as that command prints them."""

    def made() -> str:
        from nzip.evaluation.benchmark.lossy.report import format_tables

        return "\n".join(["```text", *format_tables(own(name, "nzip bench --lossy")), "```"])

    return made


def lossy_summary() -> str:
    """Return how many bits more or fewer pictures take than JPEG, JPEG XL and AVIF for equal quality."""
    result = own("lossy_pictures", "nzip bench --lossy")
    gaps = {(row["metric"], row["codec"], row["anchor"]): row["averaged"] for row in result["bd_rate"]["table"]}
    titles = {"psnr": "PSNR", "ms_ssim_db": "MS-SSIM"}
    columns = [(metric, peer) for metric in titles for peer in ("JPEG", "JPEG XL", "AVIF")]
    rows = [["codec", *(f"{titles[metric]}, than {peer}" for metric, peer in columns), "MPix/s in", "out"]]
    for curve in result["curves"]:
        if len(curve["points"]) < 4 or curve["codec"].startswith("nzip vqgan"):
            continue
        cells = []
        for metric, peer in columns:
            gap = gaps.get((metric, curve["codec"], peer))
            cells.append("" if gap is None else f"{gap:+.1f} %")
        name = f"**{curve['codec']}**" if curve["codec"].startswith("nzip ") else curve["codec"]
        rows.append([name, *cells, digits(curve["encode_speed"]), digits(curve["decode_speed"])])
    return markdown(rows)


def lossy_least() -> str:
    """Return the points of fewest bits."""
    rows = [["codec", "bits per pixel", "PSNR dB", "feature distance", "the same, unseen", "top-1 agreement"]]
    for curve in own("lossy_pictures", "nzip bench --lossy")["curves"]:
        points = curve["points"]
        shown = points if curve["codec"].startswith("nzip vqgan+") else points[-1:]
        if not curve["codec"].startswith("nzip "):
            shown = points[:1]
        elif not curve["codec"].startswith("nzip vqgan"):
            continue
        for point in shown:
            values = point["values"]
            rows.append([
                curve["codec"], f"{point['rate']:.4f}", f"{values['psnr']:.2f}", f"{values['feature_distance']:.3f}",
                f"{values['feature_distance_unseen']:.3f}", f"{100 * values['top1_agreement']:.0f} %",
            ])  # fmt: skip
    return markdown(rows)


def latents_webp() -> str:
    """Return walloc's latents beside lossless WebP of the same, from `latents_webp.py`."""
    rows = [["model", "quality", "PSNR dB", "bits per pixel", "ratio", "our bytes", "lossless WebP", "smaller by",
             "MPix/s in", "out"]]  # fmt: skip
    for row in own("latents_webp")["rows"]:
        rows.append([
            row["model"], str(row["quality"]), f"{row['psnr']:.2f}", f"{row['bpp']:.3f}", f"{row['ratio']:.1f}",
            f"{row['bytes']:,}", f"{row['webp_bytes']:,}", f"{100 * row['saved']:.1f} %",
            f"{row['encode_mpix_s']:.1f}", f"{row['decode_mpix_s']:.2f}",
        ])  # fmt: skip
    return markdown(rows)


def vqgan_books() -> str:
    """Return what vqgan's numbers take in each codebook, from `vqgan_numbers.py`."""
    rows = [["codewords", "log2", "bits a number", "smaller by", "bits per pixel"]]
    for row in own("vqgan_numbers")["books"]:
        rows.append([
            f"{row['codewords']:,}", f"{row['log2']:.0f}", f"{row['bits']:.2f}", f"{100 * row['saved']:.1f} %",
            f"{row['bpp']:.4f}",
        ])  # fmt: skip
    return markdown(rows)


def vqgan_lost() -> str:
    """Return what lost numbers cost, from `vqgan_numbers.py`."""
    ways = {"": "nothing lost", "mean": "mean that is expected", "likeliest": "likeliest number", "copy": "copy"}
    rows = [["lost", "filled by", "PSNR dB", "MS-SSIM", "feature distance"]]
    for row in own("vqgan_numbers")["lost"]:
        rows.append([
            f"{100 * row['lost']:.0f} %", ways[row["filled_by"]], f"{row['psnr']:.2f}", f"{row['ms_ssim']:.3f}",
            f"{row['feature_distance']:.3f}",
        ])  # fmt: skip
    return markdown(rows, left=(0, 1))


def fuzz(name: str) -> Callable[[], str]:
    """Return what makes the table of a run of `python -m tests.fuzz`."""

    def make() -> str:
        result = own(name, "python -m tests.fuzz")
        columns = ("right bytes", "other bytes", "corrupt", "unsupported", "limit", "refused")
        rows, sums = [], [0] * (len(columns) + 2)
        for target, entry in result["targets"].items():
            outcomes = [entry["outcomes"].get(column, 0) for column in columns]
            numbers = [entry["mutations"], *outcomes, sum(entry["findings"].values())]
            sums = [a + b for a, b in zip(sums, numbers, strict=True)]
            rows.append([f"`{target}`", f"{entry['limit'] >> 20}", *(f"{n:,}" for n in numbers)])
        rows.append(["all", "", *(f"{n:,}" for n in sums)])
        heads = ["target", "limit, MiB", "mutations", *columns, "findings"]
        said = ", ".join(f"{key} {value}" for key, value in result["software"].items())
        return markdown([heads, *rows]) + f"\n\nSeed {result['seed']}; {said}."

    return make


def versions(results: dict[str, Result]) -> str:
    """Return what was compared, exactly."""
    seen: dict[str, list[str]] = {}
    for result in results.values():
        for entry in result["codecs"]:
            seen.setdefault(entry["name"], [entry["name"], entry["version"], entry["settings"]])
    return markdown([["codec", "version", "settings"], *seen.values()], left=(0, 1, 2))


def tables(results: dict[str, Result]) -> dict[str, Callable[[], str]]:
    """Return every table by name, made when it is asked for."""
    made: dict[str, Callable[[], str]] = {
        "summary": lambda: summary(results),
        "levels": lambda: level_table(results),
        "ahead": lambda: ahead(results),
        "memory": memory_table,
        "documents": documents,
        "small-processes": small_files,
        "lm": lambda: lm_table(results),
        "lm-windows": lm_windows,
        "lm-mixing": lm_mixing,
        "lm-exactness": lm_exactness,
        "lossy-summary": lossy_summary,
        "lossy-least": lossy_least,
        "latents-webp": latents_webp,
        "vqgan-books": vqgan_books,
        "vqgan-lost": vqgan_lost,
        **{f"lossy-{name}": lossy(f"lossy_{name}") for name in ("pictures", "speech", "music")},
        "versions": lambda: versions(results),
        "fuzz": fuzz("fuzz"),
        "fuzz-bounds": fuzz("fuzz_bounds"),
        **engine_tables.tables(results, own),
        **eval_tables.tables(own),
        **everyday_tables.tables(own),
    }
    for name, result in results.items():
        made[name] = lambda result=result: totals(result)  # type: ignore[misc]
        made[f"{name}-files"] = lambda result=result: per_file(result)  # type: ignore[misc]
    return made


MARKED = re.compile(r"(<!-- bench:([\w-]+) -->\n)(.*?)(<!-- /bench:\2 -->)", re.DOTALL)


def fill(text: str, made: dict[str, Callable[[], str]], where: str) -> tuple[str, list[str]]:
    """Return `text` with its tables replaced, and what is in the way of those that are left as they are.

    Raises:
        NzipError: a marker is not closed.
    """
    trouble: list[str] = []

    def replace(match: re.Match[str]) -> str:
        try:
            if match[2] not in made:
                raise NzipError("there are no results for it")
            return f"{match[1]}{made[match[2]]()}\n{match[4]}"
        except NzipError as error:
            trouble.append(f"{where}: table {match[2]} is left as it is: {error}")
            return match[0]

    opened = len(re.findall(r"^<!-- bench:[\w-]+ -->$", text, re.MULTILINE))
    if opened != len(MARKED.findall(text)):
        raise NzipError(f"{where}: a bench marker is not closed, or closed by another name")
    return MARKED.sub(replace, text), trouble


def main() -> int:
    """Fill the documents and draw."""
    parser = argparse.ArgumentParser(description="Fill the documents' tables from benchmarks/results.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a table is stale")
    parser.add_argument("--print", metavar="NAME", dest="name", help="print one table")
    arguments = parser.parse_args()
    results = load(RESULTS)
    made = tables(results)
    if arguments.name:
        if arguments.name not in made:
            raise NzipError(f"no table named {arguments.name}; there are {', '.join(made)}")
        print(made[arguments.name]())
        return 0
    stale = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        if not page.is_file():
            continue
        text = page.read_text("utf-8")
        filled, trouble = fill(text, made, str(page.relative_to(ROOT)))
        stale += len(trouble)
        for line in trouble:
            print(line, file=sys.stderr)
        if filled != text:
            stale += 1
            print(f"{page.relative_to(ROOT)}: {'stale' if arguments.check else 'tables replaced'}")
            if not arguments.check:
                page.write_text(filled, encoding="utf-8")
    if arguments.check:
        return 1 if stale else 0
    plotted = [results[name] for name in PLOTTED if name in results]
    if plotted:
        names = " and ".join(name.title() for name in PLOTTED if name in results)
        title = f"{names} {'corpora' if len(plotted) > 1 else 'corpus'}, file by file, one thread"
        for direction, name in (("compress", "pareto"), ("decompress", "pareto-decompress")):
            for kind in ("png", "svg"):
                plot_pareto(plotted, ROOT / "docs" / "pictures" / f"{name}.{kind}", direction=direction, title=title)
                print(f"docs/pictures/{name}.{kind}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NzipError as error:
        sys.exit(f"error: {error}")
