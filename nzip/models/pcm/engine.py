"""Engine `pcm`: sounds of one or more channels, without loss.

What a sample will be is predicted by least squares over the samples before it in its channel and in another one, solved
anew every few samples, and then by long filters that follow a gradient. A sample is coded by binary decisions about its
distance from the prediction; the probability of each is mixed of distributions around several predictions and of
adaptive probabilities (`kernel`). Bytes around the samples are coded by the bytes before them (`plain`).

docs/reference/PCM.md specifies the payload. Only integers take part in decoding. numba and numpy are imported when a
block is coded, never before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nzip.entropy.jit import Native
from nzip.formats.container.wire import Reader
from nzip.formats.content import headers
from nzip.formats.content.kinds import Content, Segment
from nzip.models import progress
from nzip.models.base import Engine
from nzip.models.pcm import layout, memory
from nzip.models.pcm.presets import PRESETS, Preset
from nzip.models.pcm.sounds import MOST, MOST_CHANNELS, SCALED, SPLIT, Sound, pack, unpack
from nzip.params import Number, Parameters, Params

TAR = 512  # bytes of a header in an archive
PART = 1 << 16  # frames that become bytes at once
TRIED = 1 << 15  # frames that show which of two forms is smaller
SHORT = 1 << 18  # bytes of a block in which a lower preset may do better: what it predicts with learns sooner
FIXED = 16 << 20  # memory: tables and what all sounds share

code = Native("nzip.models.pcm.kernel", "code")
code_bytes = Native("nzip.models.pcm.plain", "code_bytes")
code_floats = Native("nzip.models.pcm.plain", "code_floats")


class PcmEngine(Engine):
    """Codes a block whose segments are sounds; any other as bytes."""

    name = "pcm"
    id = 12
    version = 1
    parameters = Parameters(
        "engine pcm",
        Number(
            name="preset",
            low=min(PRESETS),
            high=max(PRESETS),
            default=1,
            newer=True,
            help="How much predicts: 1 is quick, 2 codes smaller and takes several times as long.",
        ),
    )
    imports = ("numpy", "nzip.models.pcm.samples")
    takes_transformed = False

    def memory(self, params: Params, size: int) -> int:
        # A sample takes 4 bytes, and 4 to 12 more where it has 4; then its bytes, and the payload.
        return FIXED + 8 * size + memory.most(self._preset(params), MOST_CHANNELS)

    def encode_memory(self, params: Params, size: int) -> int:
        return self.memory(params, size) + 16 * size

    def _preset(self, params: Params) -> Preset:
        return PRESETS[self.parameters.check(params)["preset"]]

    def rivals(self, params: Params, size: int) -> list[dict[str, Any]]:
        preset = self.parameters.check(params)["preset"]
        return [{"preset": lower} for lower in PRESETS if lower < preset] if size <= SHORT else []

    def accepts(self, content: Content) -> bool:
        return all(is_sound(segment) for segment in content.segments) and len(content.segments) <= MOST

    def encode(self, block: bytes, params: Params, content: Content | None = None) -> bytes:
        """Return the payload; when it would not be shorter than the block, one byte more than the block."""
        from nzip.models.pcm import samples

        if content is None or content.size != len(block):
            from nzip.formats.content.detection import detect

            content = detect(block)
        preset = self._preset(params)
        made, plain, start = list[samples.Made](), list[bytes](), 0
        found = content.segments if self.accepts(content) else (Segment("binary", len(block)),)
        for segment in found:
            part = block[start : start + segment.length]
            sound, real = _sound(part, segment)
            start += segment.length
            forms = samples.make(part, sound, real) if sound.frames else [samples.Made(sound, samples.NONE)]
            best = min(forms, key=lambda form: _tried(form, preset)) if len(forms) > 1 else forms[0]
            made.append(best)
            plain += [part[: sound.offset], best.values, part[sound.offset + sound.samples :]]
        head = pack([each.sound for each in made])
        coder = _Coder(preset, len(block) - len(head), sum(each.integers.size for each in made))
        coder.plain(b"".join(plain))
        with coder.watched():
            for each in made:
                if each.sound.frames:
                    coder.encode(each)
        coded = coder.finished()
        return bytes(len(block) + 1) if coded is None or len(head) + len(coded) > len(block) else head + coded

    def decode(self, payload: bytes, size: int, params: Params) -> bytes:
        reader = Reader(payload)
        sounds = unpack(reader, size)
        coder = _Coder(self._preset(params), 0, sum(s.frames * s.channels for s in sounds), reader.bytes(reader.left()))
        plain = coder.plain(bytes(sum(s.length - s.samples + s.listed for s in sounds)))
        block, at = bytearray(), 0
        with coder.watched():
            for sound in sounds:
                block += plain[at : at + sound.offset]
                at += sound.offset
                listed = plain[at : at + sound.listed]
                at += sound.listed
                if sound.frames:
                    for samples in coder.decode(sound, listed):
                        block += samples
                tail = sound.length - sound.offset - sound.samples
                block += plain[at : at + tail]
                at += tail
        coder.check_end()
        return bytes(block)

    def prepare(self) -> None:
        block = bytes(64)
        content = Content((Segment("audio", 64, width=2, channels=2, stride=4, confidence=100),))
        self.decode(self.encode(block, {}, content), 64, {})


def is_sound(segment: Segment) -> bool:
    """Whether the engine can code a segment as samples."""
    return (
        segment.kind == "audio" and segment.sure and 1 <= segment.width <= 4
        and 1 <= segment.channels <= MOST_CHANNELS and (segment.width == 4 or not segment.real)
    )  # fmt: skip


def _sound(part: bytes, segment: Segment) -> tuple[Sound, bool]:
    """Return where the samples of a segment lie, and whether they are floats."""
    plain = Sound(len(part), len(part))
    frame = segment.width * segment.channels
    if not is_sound(segment) or segment.offset + frame > len(part):
        return plain, False
    end = len(part)
    for skipped in (0, TAR):
        header = headers.parse(part[skipped : skipped + headers.HEAD], len(part) - skipped)
        if header is not None and header.kind == "audio" and header.offset + skipped == segment.offset:
            end = header.length + skipped
            break
    frames = (end - segment.offset) // frame
    if frames < 1:
        return plain, False
    sound = Sound(len(part), segment.offset, frames, segment.width, segment.channels, segment.big and segment.width > 1)
    return sound, segment.real


def _tried(made: Any, preset: Preset) -> int:
    """Return the size of a piece from the middle of samples in one form."""
    sound = made.sound
    frames = min(TRIED, sound.frames)
    start = (sound.frames - frames) // 2 * sound.channels
    piece = slice(start, start + frames * sound.channels)
    words = None if made.words is None else made.words[piece]
    coder = _Coder(preset, 8 * frames * sound.channels + 64, 0)
    coder.encode(made._replace(sound=sound._replace(frames=frames), integers=made.integers[piece], words=words))
    share = len(made.values) * frames // (4 * sound.frames)  # of what the list takes
    return len(coder.finished() or b"") + share


class _Coder:
    """The coder of a block, with what its sounds share: an encoder with `room` bytes, or the decoder of `coded`."""

    def __init__(self, preset: Preset, room: int, samples: int, coded: bytes | None = None):
        import numpy as np

        from nzip.entropy import bounds

        self._preset = preset
        self._decode = coded is not None
        self._coded = np.zeros(max(room, 1), np.uint8) if coded is None else np.frombuffer(coded, np.uint8).copy()
        self._coder = bounds.begin(None if coded is None else self._coded)
        self._samples = samples
        self._constants = memory.constants()
        self._learnt = memory.learnt()
        self._reached = np.zeros(1, np.int64)

    def watched(self) -> Any:
        """Let callers see how far the samples are."""
        return progress.watching(self._reached, 0, self._samples)

    def plain(self, data: bytes) -> bytes:
        """Code bytes; return them."""
        import numpy as np

        known = memory.HEADS
        found = np.frombuffer(known + data, np.uint8).copy()
        if data:
            tables = self._constants
            code_bytes(
                self._decode, found, len(known), self._coded, self._coder, *memory.plain().values(),
                tables["squash"], tables["stretch"], tables["rates"],
            )  # fmt: skip
        return found[len(known) :].tobytes()

    def encode(self, made: Any) -> None:
        """Code the samples of a sound."""
        import numpy as np

        full = np.zeros((made.sound.channels, memory.padding(self._preset) + made.sound.frames), np.int32)
        full[:, -made.sound.frames :] = made.integers.reshape(made.sound.frames, made.sound.channels).T
        self._predicted(made.sound, full)
        if made.words is not None:
            self._floats(made.sound, made.integers, made.words.copy())

    def decode(self, sound: Sound, listed: bytes) -> Iterator[bytes]:
        """Yield the bytes of a sound's samples, a part at a time.

        Raises:
            CorruptError: the list of values is damaged.
        """
        import numpy as np

        from nzip.models.pcm import samples

        values = samples.unlisted(listed, sound) if sound.listing else None
        full = np.zeros((sound.channels, memory.padding(self._preset) + sound.frames), np.int32)
        self._predicted(sound, full)
        frames = full[:, -sound.frames :].T
        if sound.form in (SCALED, SPLIT):
            integers = np.ascontiguousarray(frames).reshape(-1)
            words = np.zeros(integers.size, np.uint32)
            self._floats(sound, integers, words)
            yield samples.bytes_of(words, sound)
        else:
            for at in range(0, sound.frames, PART):
                yield samples.unmake(np.ascontiguousarray(frames[at : at + PART]).reshape(-1), sound, values)

    def _predicted(self, sound: Sound, full: Any) -> None:
        """Code what stands, or is to stand, in `full`: the channels, each behind zeros."""
        import numpy as np

        settings = memory.settings(sound, self._preset)
        history = np.zeros_like(full) if settings[layout.CFG_SHIFT] else full
        code(
            self._decode, history.reshape(-1), full.reshape(-1), self._coded, self._coder, settings,
            *memory.predictors(self._preset, sound).values(), *self._learnt.values(), *self._constants.values(),
            self._reached,
        )  # fmt: skip

    def _floats(self, sound: Sound, integers: Any, words: Any) -> None:
        code_floats(
            self._decode, words, integers, sound.exponent, sound.form == SCALED, self._coded, self._coder,
            memory.rests(), self._constants["rates"],
        )  # fmt: skip

    def finished(self) -> bytes | None:
        """Return what was coded; None where there was no room for it."""
        from nzip.entropy import bounds

        end = bounds.finish(self._coder, self._coded)
        return None if end > len(self._coded) else self._coded[:end].tobytes()

    def check_end(self) -> None:
        """Raise CorruptError unless all that was coded is decoded."""
        from nzip.entropy import bounds

        bounds.check_end(self._coder, len(self._coded))
