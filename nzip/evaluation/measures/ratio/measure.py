"""`nzip eval ratio`: bits per byte of any codecs on any files, the models counted and not.

Every codec codes every file alone (or every piece of it, with `chunk`), and what it gives is decompressed and compared
with the file before it counts. What follows from the sizes:

* payload: bits per byte, and per character (Unicode code point) of the files that are UTF-8, over all files together;
* total description length: the payload of all files and, once, the bytes of the model that both sides must have
  (a two-part code: Rissanen, "Modeling by shortest data description", Automatica 14, 1978). The program's own size is
  counted for no codec;
* intervals: 95 % percentile bootstrap over files (`statistics.bootstrap`), of bits per byte and of its difference from
  a reference codec. The difference is paired: both are summed over the same drawn files, so how hard these are to code
  falls out;
* whether the codec's model may have read the files (`contamination`).

With `chunk` each piece is coded as if it were a file, as is usual for language models with a short window (Deletang
et al., "Language Modeling Is Compression", ICLR 2024: 2,048 bytes). That takes from dictionary and adaptive coders what
they live on, so such numbers say nothing of what these do to whole files; the result says which was done.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
from collections.abc import Mapping, Sequence

from nzip.errors import NzipError
from nzip.evaluation.compressors import selection
from nzip.evaluation.compressors.codec import Codec
from nzip.evaluation.compressors.commands import CommandCodec
from nzip.evaluation.data.files import InputFile, find_files
from nzip.evaluation.harness.findings import Findings
from nzip.evaluation.harness.jobs import HERE, Running, Task, run_tasks, said
from nzip.evaluation.harness.journal import Record, key_of
from nzip.evaluation.harness.outputs import AnyPath
from nzip.evaluation.measures.ratio import contamination
from nzip.evaluation.measures.ratio.conclusion import conclude


@dataclasses.dataclass(frozen=True)
class Job:
    """What a worker is given: a file, and a codec or how to make it."""

    location: str
    codec: Codec | None
    spec: str | None  # repr of the dictionary, so that it can be a key
    chunk: int | None


@functools.cache
def _made(spec: str) -> Codec:
    import ast

    codec = selection.from_spec(ast.literal_eval(spec))
    codec.prepare()
    return codec


def code_file(job: Job) -> Record:
    """Return `bytes_in`, `bytes_out`, `chunks` and `verified` (None where nothing can be restored), or `error`."""
    try:
        with open(job.location, "rb") as file:
            data = file.read()
    except OSError as error:
        return {"error": f"cannot read it: {error.strerror}"}
    try:
        codec = job.codec
        if codec is None:
            assert job.spec is not None
            codec = _made(job.spec)
        one_way = isinstance(codec, CommandCodec) and codec.one_way
        step = job.chunk or max(1, len(data))
        size = chunks = 0
        for start in range(0, max(1, len(data)), step):
            piece = data[start : start + step]
            packed = codec.compress(piece)
            if not one_way and codec.decompress(packed, len(piece)) != piece:
                return {"error": "did not give the bytes back"}
            size += len(packed)
            chunks += 1
    except Exception as error:  # whatever a codec raises is a result
        return {"error": said(error)}
    return {
        "bytes_in": len(data),
        "bytes_out": size,
        "chunks": chunks,
        "verified": None if one_way else True,
    }


def characters(data: bytes) -> int | None:
    """Return the number of Unicode code points if `data` is UTF-8, else None."""
    try:
        return len(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def measure(
    paths: Sequence[AnyPath],
    codecs: Sequence[Codec],
    *,
    chunk: int | None = None,
    reference: str | None = None,
    corpus_dates: Mapping[str, str] | None = None,
    model_dates: Mapping[str, str] | None = None,
    seed: int = 0,
    running: Running = HERE,
    verbose: bool = False,
) -> Findings:
    """Measure `codecs` on the files below `paths`.

    Args:
        paths: files and folders.
        codecs: what `choose` and `commands.command_codec` give, or any others.
        chunk: bytes of a piece that is coded alone; whole files where it is left out.
        reference: name of the codec that differences are taken from; the first where it is left out.
        corpus_dates: dates of files by patterns of their paths, see `contamination.date_of`.
        model_dates: dates of models by names of codecs.
        seed: of the bootstrap.
        running: see `Running`.
        verbose: a table of the files too.

    Raises:
        NzipError: the input is no good, or a codec made by hand cannot be sent to another process.
        ValueError: two codecs have one name, there is none, a name is no codec's, a date is none, `chunk` is under 1.
    """
    names = [codec.name for codec in codecs]
    if not names or len(set(names)) < len(names):
        raise ValueError("two codecs have the same name" if names else "no codecs to measure")
    reference = names[0] if reference is None else reference
    for name in (reference, *(model_dates or {})):
        if name not in names:
            raise ValueError(f"no codec named {name!r} is measured; there are {', '.join(names)}")
    for text in (*(corpus_dates or {}).values(), *(model_dates or {}).values()):
        contamination.period(text)
    if chunk is not None and chunk < 1:
        raise ValueError("a chunk has less than 1 byte")
    files = find_files(paths)
    tasks = [_task(codec, file, chunk, running.processes > 1) for codec in codecs for file in files]
    answers = iter(run_tasks(tasks, code_file, running))
    records = {codec.name: [{"path": file.path, **next(answers)} for file in files] for codec in codecs}
    return conclude(
        codecs,
        _described(files, corpus_dates or {}),
        records,
        chunk=chunk,
        reference=reference,
        model_dates=model_dates or {},
        seed=seed,
        verbose=verbose,
    )


def _task(codec: Codec, file: InputFile, chunk: int | None, sent: bool) -> Task:
    key = key_of("ratio", file.sha256, codec.name, codec.version, codec.settings, chunk)
    if codec.spec is not None:
        job = Job(str(file.location), None, repr(codec.spec), chunk)
    else:
        job = Job(str(file.location), codec, None, chunk)
        if sent:
            try:
                pickle.dumps(codec)
            except (pickle.PicklingError, AttributeError, TypeError):
                raise NzipError(f"{codec.name}: cannot be sent to other processes; use one (--jobs 1)") from None
    return Task(key, f"{codec.name}, {file.path}", job)


def _described(files: Sequence[InputFile], dates: Mapping[str, str]) -> list[Record]:
    public = contamination.public_texts()
    found = []
    for file in files:
        try:
            data = file.location.read_bytes()
        except OSError as error:
            raise NzipError(f"{file.location}: cannot read it: {error.strerror}") from None
        day, source = contamination.date_of(file.path, file.sha256, dates)
        found.append(
            {
                "path": file.path,
                "bytes": file.size,
                "sha256": file.sha256,
                "characters": characters(data),
                "date": day,
                "date_from": source,
                "public_text": public.get(file.sha256),
            }
        )
    return found
