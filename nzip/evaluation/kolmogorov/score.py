"""The KoLMogorov test: how small data becomes as programs that print it, beside compressors on the same data.

After Yoran et al., "The KoLMogorov Test: Compression by Code Generation" (ICLR 2025). Data is cut in sequences; a
solver answers each with a program; each program runs (`sandbox`, or `dsl` for programs in that language), and **counts
only if it gives its sequence**. One bit for each sequence says whether a program or the sequence itself follows; all
programs are joined and coded under a prior, and so are all sequences that are left:

    rate = (bits of programs + bits of sequences + flags) / bits of the data, uncompressed

A prior is a compressor (gzip, nzip) or, for programs in the language of `dsl`, that language's uniform price. Programs
are joined by zero bytes, which no program holds; sequences by nothing, for their length is known. Accuracy is the share
of sequences whose program is right; precision the bits of right programs over gzip's bits for the sequences they print.
Every compressed size is that of bytes which were decompressed and compared.

`docs/reference/EVALUATION.md` says where this leaves the released evaluator, and why.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nzip.errors import NzipError
from nzip.evaluation.bench import Progress
from nzip.evaluation.codecs import Codec, nzip_codec, peers, ppmd_codec
from nzip.evaluation.kolmogorov import dsl
from nzip.evaluation.kolmogorov.sandbox import ITEMS, MEMORY, SECONDS, Failure, Sandbox
from nzip.evaluation.kolmogorov.solvers import (
    DSL,
    PYTHON,
    Answer,
    Command,
    ask_function,
    fingerprint,
    load_function,
    read_answer,
    request,
    search,
    split,
)
from nzip.evaluation.kolmogorov.solvers import SECONDS as ANSWER_SECONDS
from nzip.evaluation.kolmogorov.sources import Modality
from nzip.evaluation.study import AnyPath, Record, Task, key_of, run_tasks

RIGHT, WRONG = "right", "wrong"
GZIP, UNIFORM, EXACT = "gzip -9", "DSL uniform", "DSL exact"
ORDERS = (2, 3, 4, 5, 6, 8, 10, 12, 16)  # of PPMd
LEVELS = (1, 3, 6, 9)
PIECE_LEVELS = (1,)
PRIOR_LEVELS = (9,)
SEPARATOR = b"\0"
# What the released evaluator puts between sequences and programs; there, bytes are characters, and coded as UTF-8.
RELEASED_SEPARATOR = "#_" * 6 + "#"
ALL, BEST = "all", "best"
CUTS = 16  # at how many places the ranking of programs is tried

FILE_CHUNK, LIVE_CHUNK = 256, 16  # sequences in a task: programs at hand, programs to be made
PIECES = 2048  # sequences in a task, each compressed alone
FAILURES = ("missing", "answer", "command", "time", "memory", "output", "forbidden", "error", "type", "items", "value",
            "crash", "sandbox")  # fmt: skip


@dataclass(frozen=True)
class Solver:
    """Where programs come from.

    Attributes:
        kind: `"file"`, `"command"`, `"callable"` or `"search"`.
        name: what the result calls it.
        answers: of a file, by id.
        seconds: for one answer of a command.
        effort: of the search; None for its own default.
        notes: what was wrong with the file.
    """

    kind: str
    name: str
    answers: Mapping[str, Answer] = field(default_factory=dict)
    seconds: float = ANSWER_SECONDS
    effort: int | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Limits:
    """What each Python program may take; see `sandbox.Sandbox`."""

    seconds: float = SECONDS
    memory: int = MEMORY
    unsafe: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a sequence: RIGHT, WRONG (ran, and gave another list), or why there is no list; its program."""

    status: str
    detail: str = ""
    program: str = ""
    language: str = PYTHON


# Coders


@lru_cache(maxsize=64)
def coder(name: str) -> Codec:
    """Return the codec of a row: `gzip -9`, `bzip2 -9`, `xz -9e`, `PPMd H oN`, `nzip -N`.

    Raises:
        LookupError: there is none of this name.
        NzipError: it is not installed.
    """
    if name == GZIP:
        return Codec(
            GZIP,
            "gzip",
            f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
            "level 9; 18 bytes of header and trailer",
            lambda data: gzip.compress(data, 9, mtime=0),
            lambda data, size: gzip.decompress(data),
        )
    if name.startswith("PPMd H o"):
        return ppmd_codec(int(name[8:]))
    if name.startswith("nzip -"):
        return nzip_codec(int(name[6:]))
    for codec in peers():
        if codec.name == name:
            return codec
    raise LookupError(f"there is no codec {name!r}")


def size_of(name: str, data: bytes) -> int:
    """Return the compressed size of `data` in bytes, 0 of nothing; checked by decompressing.

    Raises:
        NzipError: the bytes did not come back.
    """
    if not data:
        return 0
    codec = coder(name)
    packed = codec.compress(data)
    if codec.decompress(packed, len(data)) != data:
        raise NzipError(f"{name} did not give the bytes back")
    return len(packed)


def as_released(sequences: Sequence[bytes]) -> bytes:
    """Return sequences joined as the released evaluator does: characters of the same number, in UTF-8, separated."""
    return RELEASED_SEPARATOR.join(sequence.decode("latin-1") for sequence in sequences).encode()


# The work of one process


@dataclass
class _Worker:
    modalities: dict[str, Modality]
    pieces: dict[str, list[bytes]]
    solver: Solver | None
    limits: Limits
    command: Command | None = None
    function: Callable[[dict[str, Any]], Any] | None = None
    sandboxes: dict[int, Sandbox] = field(default_factory=dict)

    def answer(self, key: str, at: int, given: Sequence[Any] | None) -> Answer:
        if given is not None:
            return Answer(given[0], given[1], None if given[2] is None else tuple(given[2]))
        assert self.solver is not None
        sequence = self.pieces[key][at]
        if self.solver.kind == "search":
            return search(sequence, self.solver.effort)
        question = request(self.modalities[key], at, sequence)
        if self.solver.kind == "command":
            if self.command is None:
                self.command = Command(self.solver.name, self.solver.seconds)
            return self.command.ask(question)
        if self.function is None:
            self.function = load_function(self.solver.name)
        return ask_function(self.function, question)

    def outcome(self, answer: Answer, sequence: bytes) -> Outcome:
        if answer.program is None:
            kind, detail = answer.failure or ("missing", "no program")
            return Outcome(kind, detail)
        if answer.language == DSL:
            made = _run_dsl(answer.program)
        else:
            items = max(ITEMS, len(sequence))
            if items not in self.sandboxes:
                limits = self.limits
                self.sandboxes[items] = Sandbox(
                    seconds=limits.seconds, memory=limits.memory, items=items, unsafe=limits.unsafe
                )
            made = self.sandboxes[items].run(answer.program)
        if isinstance(made, Failure):
            return Outcome(made.kind, made.detail, answer.program, answer.language)
        return Outcome(RIGHT if made == list(sequence) else WRONG, "", answer.program, answer.language)

    def close(self) -> None:
        if self.command is not None:
            self.command.close()
        for sandbox in self.sandboxes.values():
            sandbox.close()
        self.command, self.sandboxes = None, {}


def _run_dsl(program: str) -> list[int] | Failure:
    try:
        return dsl.run(program)
    except dsl.DslError as error:
        return Failure("error", str(error))


_worker: _Worker | None = None


def _setup(shared: tuple[Sequence[Modality], Solver | None, Limits]) -> None:
    global _worker
    modalities, solver, limits = shared
    by_key = {modality.key: modality for modality in modalities}
    _worker = _Worker(by_key, {key: modality.sequences for key, modality in by_key.items()}, solver, limits)
    from multiprocessing import util

    util.Finalize(_worker, _worker.close, exitpriority=10)  # where this is a process of a pool


def _end() -> None:
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None


def _work(payload: Mapping[str, Any]) -> Record:
    if payload["kind"] == "bytes":
        return {"bytes": size_of(payload["codec"], payload["data"])}
    assert _worker is not None
    key = payload["modality"]
    if payload["kind"] == "baseline":
        return {"bytes": _baseline(payload, _worker.modalities[key], _worker.pieces[key])}
    outcomes, lost = [], ""
    for index, at in enumerate(range(*payload["span"])):
        given = payload["answers"][index] if payload["answers"] is not None else None
        answer = _worker.answer(key, at, given)
        if answer.failure is not None and answer.failure[0] == "command":
            lost = answer.failure[1]
        outcome = _worker.outcome(answer, _worker.pieces[key][at])
        if outcome.status == "sandbox":
            lost = outcome.detail
        outcomes.append([outcome.status, outcome.detail, outcome.program, outcome.language])
    # What a command did not answer, or no sandbox ran, is tried again when the run is taken up: it is not kept.
    return {"outcomes": outcomes, **({"error": lost} if lost else {})}


def _baseline(payload: Mapping[str, Any], modality: Modality, pieces: Sequence[bytes]) -> int:
    form, codec = payload["form"], payload["codec"]
    if form == "pieces":
        return sum(size_of(codec, piece) for piece in pieces[slice(*payload["span"])])
    return size_of(codec, as_released(pieces) if form == "released" else modality.data)


# Baselines


@dataclass(frozen=True)
class Baseline:
    """A compressor on a modality: `form` is `"whole"`, `"pieces"` (each alone) or `"released"` (see `as_released`)."""

    modality: str
    codec: str
    form: str
    size: int


def baseline_names(levels: Sequence[int], pieces: Sequence[int]) -> list[tuple[str, str]]:
    """Return codec and form of each baseline; PPMd only where it is installed."""
    installed = {codec.name for codec in peers()}
    names = [(GZIP, "whole")] + [(name, "whole") for name in ("bzip2 -9", "xz -9e") if name in installed]
    if any(name.startswith("PPMd") for name in installed):
        names += [(f"PPMd H o{order}", "whole") for order in ORDERS]
    names += [(f"nzip -{level}", "whole") for level in levels]
    names += [(GZIP, "released"), (GZIP, "pieces")]
    return names + [(f"nzip -{level}", "pieces") for level in pieces]


# Scores


@dataclass(frozen=True)
class Score:
    """The size of a modality as programs and what they leave.

    Attributes:
        prior: how programs are coded.
        rest: how the other sequences are coded.
        choose: ALL right programs are used, or the BEST choice among them.
        used: how many.
        program_bits, sequence_bits, flag_bits: what the parts take; a bit for each flag.
        flag_gzip_bits: what gzip makes of the flags, instead.
        raw_bits: of the data, uncompressed.
        precision: program bits over gzip's for the sequences printed; None where no program is used.
        model_bytes: of the data that the priors have beside the program.
    """

    modality: str
    prior: str
    rest: str
    choose: str
    used: int
    program_bits: float
    sequence_bits: float
    flag_bits: int
    flag_gzip_bits: int
    raw_bits: int
    precision: float | None
    model_bytes: int = 0

    @property
    def bits(self) -> float:
        """All bits, a bit for each flag."""
        return self.program_bits + self.sequence_bits + self.flag_bits

    @property
    def rate(self) -> float:
        return self.bits / self.raw_bits

    @property
    def rate_gzip_flags(self) -> float:
        return (self.program_bits + self.sequence_bits + self.flag_gzip_bits) / self.raw_bits

    @property
    def rate_with_model(self) -> float:
        return (self.bits + 8 * self.model_bytes) / self.raw_bits


def joined(programs: Sequence[str]) -> bytes:
    """Return programs as one run of bytes from which each can be told."""
    return SEPARATOR.join(program.encode() for program in programs)


def flag_gzip_bits(used: Sequence[bool]) -> int:
    """Return the bits of gzip -9 of the flags, eight to a byte."""
    return 8 * size_of(GZIP, np.packbits(np.asarray(used, bool)).tobytes())


def best_choice(
    programs: Sequence[str], costs: Sequence[float] | None, sequences: Sequence[bytes], right: Sequence[int]
) -> list[int]:
    """Return which of the `right` programs to use so that gzip's total becomes small.

    A program's own price is not known when all share one gzip. So programs are ranked by what they seem to save
    (`_alone`), the first 0/16, 1/16 … 16/16 of the ranking are used in turn, and the smallest true total wins: never a
    worse one than of all or of none.

    Args:
        programs: one for each sequence; only those of `right` are looked at.
        costs: bits of each program under a prior that prices each by itself; None for gzip.
        sequences: all of them.
        right: numbers of sequences whose program is right.
    """
    if not right:
        return []
    own = [costs[at] for at in right] if costs is not None else _alone([programs[at].encode() for at in right])
    saved = np.asarray(_alone([sequences[at] for at in right])) - np.asarray(own)
    ranking = [right[index] for index in np.argsort(-saved, kind="stable")]
    found: tuple[float, list[int]] | None = None
    for count in sorted({len(ranking) * cut // CUTS for cut in range(CUTS + 1)}):
        chosen = sorted(ranking[:count])
        taken = set(chosen)
        bits = 8.0 * size_of(GZIP, b"".join(s for at, s in enumerate(sequences) if at not in taken))
        if costs is None:
            bits += 8 * size_of(GZIP, joined([programs[at] for at in chosen]))
        else:
            bits += sum(costs[at] for at in chosen)
        if found is None or bits < found[0]:
            found = bits, chosen
    assert found is not None
    return found[1]


def _alone(items: Sequence[bytes]) -> list[float]:
    """Return what deflate makes of each item, in bits, with a dictionary of others like it: those at even places for
    the odd ones, and the other way round."""
    sides = [b"".join(items[side::2])[-32768:] for side in (1, 0)]
    out = []
    for at, item in enumerate(items):
        maker = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=sides[at % 2])
        out.append(8.0 * len(maker.compress(item) + maker.flush()))
    return out


def priors_of(outcomes: Sequence[Outcome], levels: Sequence[int]) -> list[tuple[str, str]]:
    """Return prior and codec of the rest for each score: gzip, nzip's levels; the language's if all are in it."""
    found = [(GZIP, GZIP)] + [(f"nzip -{level}",) * 2 for level in levels]
    right = [outcome for outcome in outcomes if outcome.status == RIGHT]
    if right and all(outcome.language == DSL for outcome in right):
        found += [(UNIFORM, GZIP), (EXACT, GZIP)] + [(UNIFORM, f"nzip -{level}") for level in levels]
    return found


def plan(modality: Modality, outcomes: Sequence[Outcome], levels: Sequence[int]) -> list[dict[str, Any]]:
    """Return what has to be compressed for each score: prior, rest, choose, used, and the two runs of bytes."""
    sequences = modality.sequences
    programs = [outcome.program for outcome in outcomes]
    right = [at for at, outcome in enumerate(outcomes) if outcome.status == RIGHT]
    chosen: dict[tuple[bool, str], list[int]] = {}
    rows = []
    for prior, rest in priors_of(outcomes, levels):
        price = {UNIFORM: dsl.bits, EXACT: dsl.exact_bits}.get(prior)
        costs = None
        if price is not None:
            costs = [price(p) if o.status == RIGHT else 0.0 for p, o in zip(programs, outcomes, strict=True)]
        for choose in (ALL, BEST):
            used = right
            if choose == BEST:
                name = (price is not None, prior if price is not None else GZIP)
                if name not in chosen:
                    chosen[name] = best_choice(programs, costs, sequences, right)
                used = chosen[name]
            taken = set(used)
            rows.append(
                {
                    "prior": prior,
                    "rest": rest,
                    "choose": choose,
                    "used": used,
                    "cost": None if costs is None else sum(costs[at] for at in used),
                    "programs": joined([programs[at] for at in used]),
                    "sequences": b"".join(s for at, s in enumerate(sequences) if at not in taken),
                    "printed": b"".join(sequences[at] for at in used),
                }
            )
    return rows


def score(modality: Modality, row: Mapping[str, Any], size: Callable[[str, bytes], int] = size_of) -> Score:
    """Return the score of a row of `plan`; `size` gives compressed sizes in bytes, 0 of nothing."""
    count = len(modality.sequences)
    taken = set(row["used"])
    program_bits = row["cost"] if row["cost"] is not None else 8 * size(row["prior"], row["programs"])
    printed = 8 * size(GZIP, row["printed"])
    names = {row["rest"]} if row["sequences"] else set()
    if row["programs"] and row["cost"] is None:
        names.add(row["prior"])
    return Score(
        modality=modality.key,
        prior=row["prior"],
        rest=row["rest"],
        choose=row["choose"],
        used=len(taken),
        program_bits=program_bits,
        sequence_bits=8 * size(row["rest"], row["sequences"]),
        flag_bits=count,
        flag_gzip_bits=flag_gzip_bits([at in taken for at in range(count)]),
        raw_bits=modality.raw_bits,
        precision=program_bits / printed if printed else None,
        model_bytes=max((coder(name).model_bytes for name in names), default=0),
    )


# The whole


@dataclass
class Result:
    """All that a run found, one entry of `outcomes` for each modality that a solver was asked about."""

    modalities: list[Modality]
    baselines: list[Baseline]
    solver: Solver | None
    outcomes: dict[str, list[Outcome]]
    scores: list[Score]
    layers: tuple[str, ...] = ()


def evaluate(
    modalities: Sequence[Modality],
    solver: Solver | None = None,
    *,
    levels: Sequence[int] = LEVELS,
    piece_levels: Sequence[int] = PIECE_LEVELS,
    prior_levels: Sequence[int] = PRIOR_LEVELS,
    baselines: bool = True,
    limits: Limits | None = None,
    jobs: int = 1,
    journal: AnyPath | None = None,
    progress: Progress | None = None,
) -> Result:
    """Measure compressors, and a solver's programs, on `modalities`.

    Args:
        modalities: the data, each kind once.
        solver: where programs come from; None for compressors alone.
        levels: nzip's, on the data as a whole.
        piece_levels: nzip's, on each sequence alone.
        prior_levels: nzip's, as prior of programs and of the sequences that are left.
        baselines: measure compressors too.
        limits: of each Python program.
        jobs, journal, progress: see `run_tasks`. A command is started once for each process.

    Raises:
        NzipError: a codec did not give bytes back; a command or function cannot be started; the system cannot hold
            programs (see `sandbox`).
        ValueError: a modality comes twice, or there is none.
    """
    if not modalities or len({modality.key for modality in modalities}) < len(modalities):
        raise ValueError("no modality, or one that comes twice")
    limits = limits or Limits()
    layers = _check(solver, limits)
    tasks: list[Task] = []
    forms: list[tuple[str, str, str]] = []
    for modality in modalities if baselines else ():
        for codec, form in baseline_names(levels, piece_levels):
            for task in _baseline_tasks(modality, codec, form):
                tasks.append(task)
                forms.append((modality.key, codec, form))
    spans = []
    for modality in modalities if solver is not None else ():
        assert solver is not None
        for task in _answer_tasks(modality, solver, limits):
            tasks.append(task)
            spans.append(modality.key)
    asked = None if solver is None else replace(solver, answers={})  # the tasks hold them
    shared = (list(modalities), asked, limits)
    try:
        records = run_tasks(tasks, _work, jobs=jobs, journal=journal, progress=progress, setup=_setup, shared=shared)
    finally:
        _end()
    sizes: dict[tuple[str, str, str], int] = {}
    for name, record in zip(forms, records, strict=False):
        sizes[name] = sizes.get(name, 0) + record["bytes"]
    found = [Baseline(*name, size) for name, size in sizes.items()]
    outcomes: dict[str, list[Outcome]] = {}
    for key, record in zip(spans, records[len(forms) :], strict=True):
        outcomes.setdefault(key, []).extend(Outcome(*entry) for entry in record["outcomes"])
    scores = _scores(modalities, outcomes, prior_levels, jobs, journal, progress)
    return Result(list(modalities), found, solver, outcomes, scores, layers)


def _check(solver: Solver | None, limits: Limits) -> tuple[str, ...]:
    """Find out early what would end the run; return the sandbox's layers where one is needed."""
    if solver is None or solver.kind == "search":
        return ()
    if solver.kind == "callable":
        load_function(solver.name)
    elif solver.kind == "command":
        words = split(solver.name)
        if shutil.which(words[0]) is None:
            raise NzipError(f"{words[0]}: cannot run it: there is no such program")
    elif solver.kind == "file" and all(answer.language == DSL for answer in solver.answers.values()):
        return ()
    with Sandbox(seconds=limits.seconds, memory=limits.memory, unsafe=limits.unsafe) as sandbox:
        return sandbox.layers


def _baseline_tasks(modality: Modality, codec: str, form: str) -> list[Task]:
    """Return one task, or, where each sequence is coded alone, one for some thousands of them."""
    used = coder(codec)
    count = len(modality.sequences)
    spans: list[tuple[int, int] | None] = [None]
    if form == "pieces":
        spans = [(start, min(count, start + PIECES)) for start in range(0, count, PIECES)]
    tasks = []
    for span in spans:
        words = [modality.sha256, None if form == "whole" else modality.length, *([span] if span else [])]
        key = key_of("kolmogorov", form, *words, codec, used.version, used.settings)
        payload = {"kind": "baseline", "modality": modality.key, "codec": codec, "form": form, "span": span}
        tasks.append(Task(key, f"{modality.title}: {codec}", payload))
    return tasks


def _answer_tasks(modality: Modality, solver: Solver, limits: Limits) -> list[Task]:
    count = len(modality.sequences)
    chunk = FILE_CHUNK if solver.kind == "file" else LIVE_CHUNK
    own = [solver.kind, solver.name, solver.effort]
    if solver.kind == "callable":
        own.append(fingerprint(solver.name))
    elif solver.kind == "file":
        own = ["file"]
    elif solver.kind == "search":
        own += [_search_hash()]
    tasks = []
    for start in range(0, count, chunk):
        end = min(count, start + chunk)
        answers = None
        if solver.kind == "file":
            found = [solver.answers.get(f"{modality.key}:{at}", read_answer(None)) for at in range(start, end)]
            answers = [[answer.program, answer.language, answer.failure] for answer in found]
        words = [modality.sha256, modality.length, start, end, *own, limits.seconds, limits.memory, answers]
        payload = {"kind": "answers", "modality": modality.key, "span": (start, end), "answers": answers}
        label = f"{modality.title}: {start:,} of {count:,}"
        tasks.append(Task(key_of("kolmogorov", "answers", *words), label, payload))
    return tasks


def _search_hash() -> str:
    """Return a hash of the search's own source, so that no journal keeps what an earlier search found."""
    paths = (Path(__file__).with_name(f"{name}.py") for name in ("dsl", "search", "segments"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _scores(
    modalities: Sequence[Modality],
    outcomes: Mapping[str, Sequence[Outcome]],
    levels: Sequence[int],
    jobs: int,
    journal: AnyPath | None,
    progress: Progress | None,
) -> list[Score]:
    """Compress, once each, all that the scores need, and return them."""
    plans = [(m, row) for m in modalities if m.key in outcomes for row in plan(m, outcomes[m.key], levels)]
    needed: dict[tuple[str, bytes], None] = {}
    for _, row in plans:
        needed |= {(row["rest"], row["sequences"]): None, (GZIP, row["printed"]): None}
        if row["cost"] is None:
            needed[row["prior"], row["programs"]] = None
    wanted = [name for name in needed if name[1]]
    tasks = []
    for codec, data in wanted:
        used = coder(codec)
        key = key_of("kolmogorov", "bytes", hashlib.sha256(data).hexdigest(), codec, used.version, used.settings)
        tasks.append(Task(key, f"scores: {codec}", {"kind": "bytes", "codec": codec, "data": data}))
    records = run_tasks(tasks, _work, jobs=jobs, journal=journal, progress=progress) if tasks else []
    sizes = {name: int(record["bytes"]) for name, record in zip(wanted, records, strict=True)}
    return [score(modality, row, lambda codec, data: sizes.get((codec, data), 0)) for modality, row in plans]
