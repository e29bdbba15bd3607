"""Engine `circuit`: records of one shape, by a model that was learned from others like them (`nzip train records`).

The model is a hidden Chow-Liu tree (Liu and Van den Broeck, "Tractable Regularization of Probabilistic Circuits",
NeurIPS 2021): each byte of a record has a hidden state, and these hang on a tree. Its integers give the exact chances
of each byte after those before it. A mixer, as in the PAQ family, corrects them by contexts of near bytes.

docs/reference/CIRCUIT.md specifies the payload. The model is found when a block is coded, never before.
"""

from __future__ import annotations

from typing import Any, ClassVar

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Content
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.circuit.model import Circuit, Lessons, bits_for, tables
from nzip.models.cm.engine import CmEngine
from nzip.params import Digest, Number, Parameters, Params

TOGETHER, ALONE, APART = range(3)
MOST_BEGIN = 1 << 16  # bytes before the first record, at most
TRIED = 4  # records that show where the first one begins
FIXED = 16 << 20  # memory: constant tables

code = Native("nzip.models.circuit.kernel", "code")


class CircuitEngine(Engine):
    """Codes records by a circuit."""

    name = "circuit"
    id = 17
    version = 1
    parameters = Parameters(
        "engine circuit",
        Digest(name="id", bits=64, default=None, help="The model's id; --records names its file."),
        Number(
            name="apart",
            low=0,
            high=2,
            default=0,
            bits=8,
            help="0 to learn from record to record, 1 to code each by the model alone, 2 so that each decodes alone.",
        ),
    )
    takes_transformed = False
    takes_copies = False
    fallback: ClassVar[tuple[str, dict[str, Any]] | None] = (CmEngine.name, {"preset": 3})

    def fit(self, params: Params, size: int) -> dict[str, Any]:
        fitted = self.parameters.check(params)
        if fitted["id"] is None:
            raise ValueError("engine circuit needs a model: name its file with --records, or its id")
        _circuit(fitted)
        return fitted

    def falls_back(self, params: Params) -> tuple[str, dict[str, Any]] | None:
        return None if params.get("apart") else self.fallback

    def memory(self, params: Params, size: int) -> int:
        return FIXED + _circuit(self.parameters.check(params)).memory + 2 * size

    def model_bytes(self, params: Params) -> int:
        return len(_circuit(self.parameters.check(params)).packed)

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        import numpy as np

        circuit, apart = _circuit(params), int(params["apart"])
        begin = _begin(block, circuit, content)
        count = (len(block) - begin) // circuit.size
        if not count:
            return bytes(len(block) + 1)
        end = begin + count * circuit.size
        head, tail = block[:begin], block[end:]
        known = head == circuit.head
        out = uleb(0) if known else uleb(len(head) + 1) + head
        out += uleb(len(tail)) + tail
        records = np.frombuffer(block, np.uint8, end - begin, begin).reshape(count, circuit.size)
        ordered = np.ascontiguousarray(records[:, circuit.places])
        out += encode_records(circuit, ordered, apart, len(block))
        return out if len(out) < len(block) else bytes(len(block) + 1)

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        circuit, apart = _circuit(params), int(params["apart"])
        reader = Reader(payload)
        head, tail = _ends(reader, circuit)
        count, rest = divmod(size - len(head) - len(tail), circuit.size)
        if count < 1 or rest:
            raise CorruptError("the records of a circuit payload do not fill its block")
        records = decode_records(circuit, reader.bytes(reader.left()), count, apart)
        return head + restored(circuit, records) + tail

    def prepare(self) -> None:
        import numpy as np

        circuit = nothing()
        for apart in (TOGETHER, ALONE):
            records = np.zeros((2, circuit.size), np.uint8)
            decode_records(circuit, encode_records(circuit, records, apart, 64), 2, apart)


def _circuit(params: Params) -> Circuit:
    from nzip.models.circuit import models

    return models.by_id(params["id"])


def nothing() -> Circuit:
    """Return a circuit that knows nothing, of records of two bytes."""
    import numpy as np

    places = np.array([0, 1], np.uint16)
    tables_ = np.ones((2, 2, 2), np.uint8)
    leaves = np.ones((2, 2, 256), np.uint8)
    return Circuit(2, 2, 2, b"", places, np.zeros(2, np.uint16), np.ones(2, np.uint8), tables_, leaves, None)


def _ends(reader: Reader, circuit: Circuit) -> tuple[bytes, bytes]:
    """Return what stands before the records, and behind them."""
    length = reader.uleb()
    head = reader.bytes(length - 1) if length else circuit.head
    return head, reader.bytes(reader.uleb())


def _begin(block: bytes, circuit: Circuit, content: Content | None) -> int:
    """Return where the first record begins: where the first few cost least, of the places that something speaks for."""
    import numpy as np

    size = circuit.size
    places = [len(block) % size, 0]
    if circuit.head and block.startswith(circuit.head):
        places.insert(0, len(circuit.head))
    if content is not None and content.segments[0].sure:
        places.append(content.segments[0].offset)
    places = [place for place in dict.fromkeys(places) if place <= MOST_BEGIN and place + size <= len(block)]
    if len(block) >= (TRIED + 1) * size:
        places.append(_best_phase(block, circuit))
    places = list(dict.fromkeys(places))
    if len(places) < 2:
        return places[0] if places else 0
    costs = []
    for place in places:
        count = min(TRIED, (len(block) - place) // size)
        records = np.frombuffer(block, np.uint8, count * size, place).reshape(count, size)
        coded = encode_records(circuit, np.ascontiguousarray(records[:, circuit.places]), TOGETHER, 4 * count * size)
        costs.append(len(coded) / count)
    return places[costs.index(min(costs))]


def _best_phase(block: bytes, circuit: Circuit) -> int:
    """Return where in its first bytes a block's records seem to begin, by how often each byte has its value there."""
    import numpy as np

    size = circuit.size
    worth = circuit.marginal[np.argsort(circuit.places)]  # (size, 256)
    start = (len(block) // size - TRIED - 1) // 2 * size
    sample = np.frombuffer(block, np.uint8, (TRIED + 1) * size, start)
    found = [int(worth[np.arange(TRIED * size) % size, sample[at : at + TRIED * size]].sum()) for at in range(size)]
    return found.index(max(found))


def encode_records(circuit: Circuit, records: Any, apart: int, room: int) -> bytes:
    """Return the code of records, uint8 (count, size) in the order of coding; one of more than `room` bytes is none."""
    import numpy as np

    if apart != APART:
        out = np.zeros(room, np.uint8)
        return bytes(out[: run(circuit, records, apart, out, False)]) if len(records) else b""
    parts = []
    state = _lessons(circuit, apart, len(records))
    for number in range(len(records)):
        out = np.zeros(4 * 8 * circuit.size + 8, np.uint8)
        parts.append(bytes(out[: run(circuit, records[number : number + 1], apart, out, False, state)]))
    return b"".join(uleb(len(part)) for part in parts) + b"".join(parts)


def decode_records(circuit: Circuit, coded: bytes, count: int, apart: int) -> Any:
    """Return `count` records in the order of coding, uint8 (count, size).

    Raises:
        CorruptError: they take more or fewer bytes than there are.
    """
    import numpy as np

    records = np.zeros((count, circuit.size), np.uint8)
    if apart != APART:
        run(circuit, records, apart, np.frombuffer(coded, np.uint8).copy(), True)
        return records
    state = _lessons(circuit, apart, count)
    for number, part in enumerate(_parts(coded, count)):
        run(circuit, records[number : number + 1], apart, np.frombuffer(part, np.uint8).copy(), True, state)
    return records


def _parts(coded: bytes, count: int) -> list[bytes]:
    """Return the codes of records that are apart."""
    if count > len(coded):
        raise CorruptError("a circuit payload has fewer bytes than records")
    reader = Reader(coded)
    sizes = [reader.uleb() for _ in range(count)]
    parts = [reader.bytes(size) for size in sizes]
    if reader.left():
        raise CorruptError("a circuit payload holds more than its bytes need")
    return parts


def record_of(payload: bytes, size: int, params: Params, number: int) -> bytes:
    """Return one record of a block whose records are apart; nothing else is decoded.

    Raises:
        CorruptError: the payload is damaged.
        ValueError: there is no such record, or they are not apart.
    """
    circuit = _circuit(params)
    if params["apart"] != APART:
        raise ValueError("these records are not apart; compress them with -p apart=2")
    reader = Reader(payload)
    head, tail = _ends(reader, circuit)
    count, rest = divmod(size - len(head) - len(tail), circuit.size)
    if count < 1 or rest:
        raise CorruptError("the records of a circuit payload do not fill its block")
    if not 0 <= number < count:
        raise ValueError(f"there is no record {number} of {count}")
    part = _parts(reader.bytes(reader.left()), count)[number]
    return restored(circuit, decode_records(circuit, part, 1, ALONE))


def restored(circuit: Circuit, records: Any) -> bytes:
    """Return records, in the order of coding, as they were."""
    import numpy as np

    out = np.empty_like(records)
    out[:, circuit.places] = records
    data: bytes = out.tobytes()
    return data


def _lessons(circuit: Circuit, apart: int, count: int) -> Lessons:
    """Return the lessons that a kernel may change."""
    if circuit.lessons is None:
        return Lessons.none(bits_for(count * circuit.size) if apart == TOGETHER else 1)
    return circuit.lessons.copied() if apart == TOGETHER else circuit.lessons


def run(
    circuit: Circuit, records: Any, apart: int, coded: Any, decode: bool, state: Lessons | None = None,
    teaches: bool = False,
) -> int:  # fmt: skip
    """Code records one after another; return how many bytes of code there are.

    Args:
        circuit: the model.
        records: uint8 (N, size), in the order of coding; where it is decoded, they are written there.
        apart: how they are coded.
        coded: uint8, the code, or room for it.
        decode: whether it is decoded.
        state: what contexts have learned; that of the model if left out.
        teaches: let contexts learn, of records that are coded alone.

    Raises:
        CorruptError: what is decoded takes more or fewer bytes than there are.
    """
    import numpy as np

    from nzip.entropy import bounds

    size, states = circuit.size, circuit.states
    state = state or _lessons(circuit, apart, len(records))
    follows = apart == TOGETHER
    learns = follows or teaches
    coder = bounds.begin(coded) if decode else bounds.begin()
    made, fixed = circuit.tables, tables()
    down, up, seen = (np.zeros(size * states, np.uint32) for _ in range(3))
    heard, known = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    reached = np.zeros(1, np.int64)
    with progress.watching(reached, 0, records.size):
        code(
            decode, learns or circuit.lessons is not None, learns, follows, records.reshape(-1), size, circuit.line,
            states, circuit.root, circuit.parents, circuit.first, circuit.kids, circuit.walk, circuit.stops,
            *made.values(), down, up, seen, heard, known, coder, coded, *state, *fixed.values(), reached,
        )  # fmt: skip
    if decode:
        bounds.check_end(coder, len(coded))
        return len(coded)
    return min(bounds.finish(coder, coded), len(coded))
