"""The tables of `nzip eval`, made of `benchmarks/results/eval_*.json`: for `report.py`, which fills the documents.

Each generator takes the results that it is made of, as they are in the files, and returns Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markdown_table import bold, markdown

from nzip.errors import NzipError

Result = dict[str, Any]

# How exactly rates are known and shown, by their unit.
RATE_DIGITS = {"kbit/s": 1, "bits per pixel": 3}


def interval(ends: Sequence[float] | None, spec: str = ".3f") -> str:
    """Return an interval's ends, or nothing where there is none."""
    return "" if ends is None else f"{ends[0]:{spec}} … {ends[1]:{spec}}"


def one(rows: Sequence[Result], what: str, **wanted: Any) -> Result:
    """Return the row in which all that is `wanted` stands.

    Raises:
        NzipError: no row has it, or more than one.
    """
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    if len(found) != 1:
        asked = ", ".join(f"{key} {value}" for key, value in wanted.items())
        raise NzipError(f"{what} has {len(found)} rows with {asked}, not one; measure it again")
    return found[0]


def ratio(found: Result) -> str:
    """Return the codecs of a run of `ratio`, the fewest bits first."""
    reference = found["settings"]["reference"]
    rows = [["codec", "bits/byte", "95 %", "bits/char", f"against {reference}", "95 %", "model bytes",
             "total bits/byte"]]  # fmt: skip
    codecs = [entry for entry in found["codecs"] if entry["total"] is not None]
    for entry in sorted(codecs, key=lambda entry: entry["total"]["bits_per_byte"]):
        total, gap = entry["total"], entry["difference"] if entry["name"] != reference else None
        characters = total["bits_per_character"]
        rows.append([
            entry["name"], f"{total['bits_per_byte']:.3f}", interval(total["interval"]),
            "" if characters is None else f"{characters:.3f}", "" if gap is None else f"{gap['bits_per_byte']:+.3f}",
            "" if gap is None else interval(gap["interval"], "+.3f"), f"{entry['model_bytes']:,}",
            f"{total['total_bits_per_byte']:.3f}",
        ])  # fmt: skip
    return markdown(rows)


def ratio_pieces(whole: Result, pieces: Result) -> str:
    """Return what the same files take whole and in pieces, each coded alone.

    Raises:
        NzipError: the files are not the same.
    """
    if [file["sha256"] for file in whole["files"]] != [file["sha256"] for file in pieces["files"]]:
        raise NzipError("eval_ratio_2k.json is not of the files of eval_ratio.json; measure both again")
    before = {entry["name"]: entry["total"] for entry in whole["codecs"] if entry["total"] is not None}
    after = {entry["name"]: entry["total"] for entry in pieces["codecs"] if entry["total"] is not None}
    rows = [["codec", "whole files", f"pieces of {pieces['settings']['chunk']:,} bytes", "times as many bits"]]
    for name in sorted(before.keys() & after.keys(), key=lambda name: after[name]["bits_per_byte"]):
        uncut, cut = before[name]["bits_per_byte"], after[name]["bits_per_byte"]
        rows.append([name, f"{uncut:.3f}", f"{cut:.3f}", f"{cut / uncut:.2f}"])
    return markdown(rows)


def kolmogorov_codecs(found: Result) -> str:
    """Return the compressors of the KoLMogorov test: rates by codec and kind of data."""
    kinds = [(entry["modality"], entry["bits"] / 8) for entry in found["modalities"]]
    rows = [["compressed / uncompressed"]]
    for kind, share in kinds:
        rows[0] += [kind, f"{kind} as bytes"] if share < 1 else [kind]
    rates: dict[str, dict[str, float]] = {}
    for entry in found["baselines"]:
        name = "best PPMd" if entry["codec"].startswith("PPMd") else entry["codec"]
        name += {"whole": "", "released": ", joined as released", "pieces": ", each alone"}[entry["form"]]
        for title, key in ((name, "rate"), (f"{name} + model", "rate_with_model")):
            if key in entry:
                row = rates.setdefault(title, {})
                row[entry["modality"]] = min(entry[key], row.get(entry["modality"], entry[key]))
    for entry in found["modalities"]:
        if "own_program_bits" in entry:
            share = entry["own_program_bits"] / (entry["bits"] * entry["symbols"])
            rates.setdefault("programs that made it, DSL uniform", {})[entry["modality"]] = share
    for name, row in rates.items():
        cells = [bold(name, name)]
        for kind, share in kinds:
            values = [row.get(kind)] if share == 1 else [row.get(kind), row[kind] * share if kind in row else None]
            cells += ["" if value is None else bold(name, f"{value:.4f}") for value in values]
        rows.append(cells)
    return markdown(rows)


def kolmogorov_programs(found: Result) -> str:
    """Return what the search of the KoLMogorov test came to: accuracy, precision and rates, all right programs used."""
    rows = [["data", "accuracy", "programs under", "sequences under", "rate", "+ model", "precision", "best choice"]]
    asked = {entry["modality"]: entry for entry in found["programs"]}
    best = {(s["modality"], s["prior"], s["rest"]): s["rate"] for s in found["scores"] if s["choose"] == "best"}
    for entry in found["scores"]:
        if entry["choose"] == "all":
            right = asked[entry["modality"]]["outcomes"]["right"] / asked[entry["modality"]]["sequences"]
            cells = [entry["modality"], f"{right:.4f}", entry["prior"], entry["rest"], f"{entry['rate']:.4f}"]
            cells += [f"{entry[key]:.4f}" if entry.get(key) else "" for key in ("rate_with_model", "precision")]
            rows.append([*cells, f"{best[entry['modality'], entry['prior'], entry['rest']]:.4f}"])
    return markdown(rows, left=(0, 2, 3))


def intelligence(found: Result) -> str:
    """Return bits per character of each model on each corpus, a table for each model."""
    titles = {"bpc": "bits per character", "bpc_published": "as published", "bpb": "bits per byte"}
    corpora = [corpus["name"] for corpus in found["corpora"]]
    made = []
    for model in found["models"]:
        rows = [[model["name"], *corpora, "average"]]
        for key, title in titles.items():
            values = [model["corpora"][name][key] for name in corpora]
            rows.append([title, *(f"{value:.4f}" for value in (*values, model[f"average_{key}"]))])
        rows.append(["tokens scored", *(f"{model['corpora'][name]['scored']:,}" for name in corpora), ""])
        made.append(markdown(rows))
    return "\n\n".join(made)


def capacity(found: Result) -> str:
    """Return information capacities, the largest first."""
    rows = [["model", "TS", "NLL", "FLOPs/token", f"IC, b = {found['settings']['bias']:.4g}", "IC, b = 0"]]
    for model in sorted(found["models"], key=lambda model: -model["capacity"]):
        rows.append([
            model["model"], f"{model['ts']:.3f}", f"{model['nll']:.3f}", f"{model['flops']:.2e}",
            f"{model['capacity']:.4f}", f"{model['capacity_without_bias']:.4f}",
        ])  # fmt: skip
    return markdown(rows)


def learnability(found: Result) -> str:
    """Return what the network learned of each stream."""
    rows = [["stream", "vocabulary", "token ratio", "bit ratio", "M2, bits/byte", "frequencies", "uniform", "learned",
             "bytes seen"]]  # fmt: skip
    for entry in found["streams"]:
        bits = [f"{entry[f'{key}bits_per_byte']:.4f}" for key in ("", "frequency_", "uniform_")]
        rows.append([
            entry["title"], f"{entry['vocabulary']:,}", f"{entry['token_ratio']:.3f}", f"{entry['bit_ratio']:.3f}",
            *bits, f"{100 * entry['learned_share']:z.1f} %", f"{entry['bytes_seen']:,}",
        ])  # fmt: skip
    return markdown(rows)


def first_rules(methods: Sequence[Result]) -> list[Result]:
    """Return one row of each method: of several k the least, which is 1 where it was asked for.

    Not the one that found most: that would be chosen on the items it is tested on.
    """
    chosen: dict[str, Result] = {}
    for entry in methods:
        held = chosen.setdefault(entry["method"], entry)
        if entry["rule"].startswith("k = ") and int(entry["rule"][4:]) < int(held["rule"][4:]):
            chosen[entry["method"]] = entry
    return list(chosen.values())


def classify(found: Result) -> str:
    """Return what each method of `classify` found, and what it cost."""
    rows = [["method", "accuracy", "95 %", "macro-F1", "CPU s"]]
    for entry in first_rules(found["methods"]):
        name = f"`{entry['method']}`"
        if entry["compressor"] is not None and entry["compressor"]["name"] == "xz":
            name += " (LZMA)"
        if entry["rule"].startswith("k = "):
            name += f", {entry['rule']}"
        rows.append([
            name, f"{entry['accuracy']:.4f}", interval((entry["low"], entry["high"]), ".4f"),
            f"{entry['macro_f1']:.4f}", f"{entry['cpu_s']:.1f}",
        ])  # fmt: skip
    return markdown(rows)


def aligned(run: Result) -> str:
    """Return which C and which form a run of `align.py` had."""
    form = {"conditional": "conditional", "ncd": "as published"}[run["form"]]
    return f"`{run['compressor']['name']}`, {form}"


def align(found: Result) -> str:
    """Return what `align.py` took for one kind of targets, and how many of the chosen were of that kind."""
    kinds = {run["targets_of"] for run in found["runs"]}
    if len(kinds) != 1:
        raise NzipError(f"eval_align.json has targets of {len(kinds)} kinds, not of one; measure it again with --of")
    chosen = found["kinds"][kinds.pop()]["documents"]
    rows = [["C, form", "seconds", "CPU s", f"precision, {chosen:,} chosen", "first 1,000"]]
    for run in found["runs"]:
        rows.append([
            aligned(run), f"{run['seconds']:.1f}", f"{run['cpu_s']:.1f}", f"{run['precision']:.4f}",
            f"{run['precision_at_1000']:.4f}",
        ])  # fmt: skip
    return markdown(rows)


def align_kinds(found: Result) -> str:
    """Return the precision that `align.py` reached for targets of each kind."""
    precisions: dict[str, dict[str, float]] = {}
    for run in found["runs"]:
        precisions.setdefault(aligned(run), {})[run["targets_of"]] = run["precision"]
    rows = [["C, form", *("XML" if kind == "xml" else kind for kind in found["kinds"])]]
    for name, by_kind in precisions.items():
        rows.append([name, *(f"{by_kind[kind]:.4f}" if kind in by_kind else "" for kind in found["kinds"])])
    return markdown(rows)


def kept_from(found: Result, entry: Result) -> str:
    """Return the rate from which on a codec keeps enough of a task, with its unit."""
    unit = found["rates"][entry["kind"]]
    if entry["rate_kept"] is None:
        return "never"
    return f"{'≤ ' if entry['at_most'] else ''}{entry['rate_kept']:.{RATE_DIGITS[unit]}f} {unit}"


def perception(found: Result) -> str:
    """Return what a task keeps at the ends of each codec's ladder, a table for each kind of signal."""
    made = []
    for kind in dict.fromkeys(entry["kind"] for entry in found["codecs"]):
        unit = found["rates"][kind]
        kept = f"{100 * found['settings']['kept']:g} % kept from"
        rows = [["codec", f"lowest {unit}", "score (95 %)", f"highest {unit}", "score (95 %)", kept, "model bytes"]]
        for entry in found["codecs"]:
            if entry["kind"] != kind or not entry["points"]:
                continue
            cells = []
            points = sorted(entry["points"], key=lambda point: point["rate"])
            for point in (points[0], points[-1]):
                ends = f" ({interval(point['interval'])})" if point["interval"] else ""
                cells += [f"{point['rate']:.{RATE_DIGITS[unit]}f}", f"{point['score']:.3f}{ends}"]
            rows.append([entry["name"], *cells, kept_from(found, entry), f"{entry['model_bytes']:,}"])
        made.append(markdown(rows))
    return "\n\n".join(made)


def where(files: Sequence[Result]) -> str:
    """Return the folders of some files, and those that are the only one of theirs by name."""
    folders: dict[str, list[str]] = {}
    for file in files:
        folder, _, name = file["path"].rpartition("/")
        folders.setdefault(folder, []).append(name)
    return ", ".join(names[0] if len(names) == 1 else folder for folder, names in folders.items())


def corpus_names(corpora: Sequence[Result]) -> str:
    """Return the names of corpora."""
    return ", ".join(corpus["name"] for corpus in corpora)


def summary(results: Mapping[str, Result]) -> str:
    """Return one row for each measure: its headline figure, with what it was measured on.

    Raises:
        NzipError: a figure of it is not in the results, or the two of `kolmogorov` are not of the same data.
    """
    rows = [["measure", "on", "result"]]

    found = results["ratio"]
    ours, theirs = (one(found["codecs"], "eval_ratio.json", name=name) for name in ("nzip -6", "xz -9e"))
    said = []
    for entry in (ours, theirs):
        total = entry["total"]
        counted = f"; {total['total_bits_per_byte']:.3f} with its models" if entry["model_bytes"] else ""
        ends = interval(total["interval"])
        said.append(f"`{entry['name']}` {total['bits_per_byte']:.3f} bits/byte ({ends}{counted})")
    rows.append(["ratio", f"{len(found['files'])} files: {where(found['files'])}", ", ".join(said)])

    found, codecs = results["kolmogorov_search"], results["kolmogorov"]
    data, same = (one(r["modalities"], "eval_kolmogorov.json", modality="synthetic") for r in (found, codecs))
    if data["sha256"] != same["sha256"]:
        raise NzipError("the two results of kolmogorov are of different synthetic data; measure both again")
    wanted = {"modality": "synthetic", "prior": "DSL uniform", "rest": "gzip -9", "choose": "all"}
    programs = one(found["scores"], "eval_kolmogorov_search.json", **wanted)["rate"]
    rival = one(codecs["baselines"], "eval_kolmogorov.json", modality="synthetic", codec="gzip -9", form="whole")
    size = f"{data['symbols'] * data['bits'] / 8e6:.0f} MB of synthetic lists"
    text = f"programs of `--search` {programs:.4f} of the size, `gzip -9` {rival['rate']:.4f}"
    rows.append(["kolmogorov", size, text])

    found = results["intelligence"]
    model = one(found["models"], "eval_intelligence.json", name="smollm2-135m")
    size = f"{len(found['corpora'])} corpora, {sum(corpus['characters'] for corpus in found['corpora']):,} characters"
    text = f"`{model['name']}` ({model['model_bytes'] / 1e6:.0f} MB model) {model['average_bpc']:.4f} bits/character"
    rows.append(["intelligence", size, f"{text}; counted as published {model['average_bpc_published']:.4f}"])

    found = results["capacity"]
    model = one(found["models"], "eval_capacity.json", model="smollm2-135m")
    text = f"`{model['model']}` {model['capacity']:.4f} ({interval(model['capacity_interval'], '.4f')}), "
    rows.append(["capacity", corpus_names(found["corpora"]), f"{text}b = {found['settings']['bias']:.4g}"])

    found = results["learnability"]
    shown = {"bytes": "bytes", "ei:16:16": "Equal-Info 16:16", "ac": "arithmetic coding"}
    streams = [(title, one(found["streams"], "eval_learnability.json", stream=name)) for name, title in shown.items()]
    said = [f"{title} {100 * entry['learned_share']:z.1f} %" for title, entry in streams]
    size = f"{found['settings']['training']['tokens']:,} tokens of {corpus_names(found['corpora'])}"
    rows.append(["learnability", size, f"learned of {', '.join(said)}"])

    found = results["classify_dna"]
    methods = first_rules(found["methods"])
    said = []
    for name in ("class:static", "knn:cmfast", "knn:gzip", "knn:xz"):
        entry = one(methods, "eval_classify_dna.json", method=name)
        said.append(f"`{name}` {entry['accuracy']:.3f}, {entry['cpu_s']:,.0f} s")
    text = f"accuracy, CPU time: {'; '.join(said)}"
    rows.append(["classify", f"DNA, {found['items']:,} sequences, {len(found['classes'])} classes", text])

    found = results["align"]
    said = []
    for run in found["runs"]:
        if run["form"] == "conditional":
            said.append(f"`{run['compressor']['name']}` {run['seconds']:.0f} s, precision {run['precision']:.3f}")
    rows.append(["align", f"{found['documents']:,} documents", "; ".join(said)])

    found = results["perception"]
    said = []
    for name in ("nzip grvq", "Opus"):
        entry = one(found["codecs"], "eval_perception.json", name=name)
        counted = f" ({entry['model_bytes'] / 1e6:.1f} MB model)" if entry["model_bytes"] else ""
        said.append(f"{name} {kept_from(found, entry)}{counted}")
    kept = f"{100 * found['settings']['kept']:g} % of `{found['settings']['task']}` kept from"
    rows.append(["perception", f"{len(found['files'])} sounds", f"{kept}: {', '.join(said)}"])
    return markdown(rows, left=(0, 1, 2))


def tables(own: Callable[[str, str], Result]) -> dict[str, Callable[[], str]]:
    """Return every table of `nzip eval` by name, made when it is asked for.

    Args:
        own: gives what stands in `benchmarks/results/NAME.json` by NAME and the program or command that makes it;
            raises `NzipError` where it is not there.
    """

    def of(name: str) -> Result:
        measure = name.split("_")[0]
        return own(f"eval_{name}", "align" if measure == "align" else f"nzip eval {measure}")

    parts = (
        *("ratio", "kolmogorov", "kolmogorov_search", "intelligence", "capacity", "learnability"),
        *("classify_dna", "align", "perception"),
    )
    return {
        "eval-summary": lambda: summary({name: of(name) for name in parts}),
        "ratio": lambda: ratio(of("ratio")),
        "ratio-2k": lambda: ratio_pieces(of("ratio"), of("ratio_2k")),
        "kolmogorov-codecs": lambda: kolmogorov_codecs(of("kolmogorov")),
        "kolmogorov-programs": lambda: kolmogorov_programs(of("kolmogorov_search")),
        "intelligence": lambda: intelligence(of("intelligence")),
        "capacity": lambda: capacity(of("capacity")),
        "learnability": lambda: learnability(of("learnability")),
        "classify-dna": lambda: classify(of("classify_dna")),
        "classify-formats": lambda: classify(of("classify_formats")),
        "align": lambda: align(of("align")),
        "align-kinds": lambda: align_kinds(of("align_kinds")),
        "perception": lambda: perception(of("perception")),
        "perception-pictures": lambda: perception(of("perception_pictures")),
    }
