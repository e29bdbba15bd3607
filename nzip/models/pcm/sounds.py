"""The map of sounds: what a payload of the engine `pcm` says about each stretch of its block.

docs/reference/PCM.md specifies it. What is read is believed only within its bounds.
"""

from __future__ import annotations

from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb

MOST = 4096  # sounds of a block
MOST_CHANNELS = 64
MOST_VALUES = 1 << 20  # of a list of values
PART = 32  # levels that filters see may be shifted by so much, either way
WHOLE, LISTED, SCALED, SPLIT, REAL_LISTED = range(5)  # how samples are made of integers


class Sound(NamedTuple):
    """A stretch of a block: bytes, samples, bytes.

    Attributes:
        length: bytes.
        offset: bytes before the first sample.
        frames: samples of each channel; 0 where the stretch is only bytes.
        width: bytes of a sample.
        channels: samples of a frame.
        big: whether a sample begins with its highest byte.
        unsigned: whether the lowest sample is 0.
        form: `WHOLE` integers, each a multiple of 2^exponent, or floats that are so (`SCALED`); places in a list of all
            values that occur (`LISTED`, of floats `REAL_LISTED`); floats cut in an integer and a rest (`SPLIT`).
        exponent: of two.
        values: how many a list has,
        listed: and in how many bytes it stands.
        low, high: the least and the greatest integer.
        partners: of each channel the one that it is predicted from too; itself for none.
        parts: of each channel: the shift between what is left of predictions and what filters see.
    """

    length: int
    offset: int
    frames: int = 0
    width: int = 1
    channels: int = 1
    big: bool = False
    unsigned: bool = False
    form: int = WHOLE
    exponent: int = 0
    values: int = 0
    listed: int = 0
    low: int = 0
    high: int = 0
    partners: tuple[int, ...] = (0,)
    parts: tuple[int, ...] = (0,)

    @property
    def real(self) -> bool:
        """Whether samples are floats."""
        return self.form >= SCALED

    @property
    def listing(self) -> bool:
        """Whether the payload has a list of all values."""
        return self.form in (LISTED, REAL_LISTED)

    @property
    def samples(self) -> int:
        """Bytes of all samples."""
        return self.frames * self.channels * self.width


def pack(sounds: list[Sound]) -> bytes:
    """Return the map; the last sound's length is what the others leave."""
    out = bytearray(uleb(len(sounds)))
    for number, sound in enumerate(sounds, 1):
        if number < len(sounds):
            out += uleb(sound.length)
        out += uleb(sound.offset) + uleb(sound.frames)
        if not sound.frames:
            continue
        out.append(sound.width - 1 | sound.big << 2 | sound.unsigned << 3 | sound.form << 4)
        out.append(sound.channels)
        if sound.listing:
            out += uleb(sound.values) + uleb(sound.listed)
        else:
            out.append(sound.exponent & 255)
            out += uleb(_zigzag(sound.low)) + uleb(sound.high - sound.low)
        if sound.channels > 1:
            out += bytes(sound.partners)
        out += bytes(part + PART for part in sound.parts)
    return bytes(out)


def unpack(reader: Reader, size: int) -> list[Sound]:
    """Return the sounds of a block of `size` bytes from a payload's beginning.

    Raises:
        CorruptError: the map is malformed, or a number in it is out of its bounds.
    """
    found: list[Sound] = []
    count = reader.uleb()
    _expect(1 <= count <= MOST)
    for left in range(count - 1, -1, -1):
        length = reader.uleb() if left else size
        _expect(0 < length <= size - left)
        size -= length
        offset, frames = reader.uleb(), reader.uleb()
        _expect(offset <= length and frames <= length)
        found.append(_sound(reader, Sound(length, offset, frames)) if frames else Sound(length, offset))
    return found


def _sound(reader: Reader, sound: Sound) -> Sound:
    shape, channels = reader.u8(), reader.u8()
    _expect(0 < channels <= MOST_CHANNELS and shape >> 4 <= REAL_LISTED)
    sound = sound._replace(
        width=(shape & 3) + 1, big=bool(shape & 4), unsigned=bool(shape & 8), form=shape >> 4, channels=channels
    )
    _expect(sound.offset + sound.samples <= sound.length)
    _expect(sound.width == 4 or not sound.real)
    if sound.listing:
        values, listed = reader.uleb(), reader.uleb()
        _expect(1 <= values <= min(MOST_VALUES, sound.frames * channels) and values <= listed <= most_listed(sound))
        low = -(values >> 1)
        sound = sound._replace(values=values, listed=listed, low=low, high=low + values - 1)
    else:
        exponent, low, span = reader.u8(), reader.uleb(), reader.uleb()
        low = low >> 1 ^ -(low & 1)
        _expect(-(1 << 31) <= low <= low + span < 1 << 31)
        sound = sound._replace(exponent=(exponent ^ 128) - 128, low=low, high=low + span)
        if sound.form == WHOLE:
            limit = 1 << 8 * sound.width - 1
            _expect(0 <= sound.exponent < 8 * sound.width)
            _expect(-limit <= low << sound.exponent and sound.high << sound.exponent < limit)
        else:
            _expect(max(-low, sound.high) < 1 << 24)
    partners = tuple(reader.bytes(channels)) if channels > 1 else (0,)
    parts = tuple(byte - PART for byte in reader.bytes(channels))
    _expect(max(partners) < channels and all(-PART <= part <= PART for part in parts))
    return sound._replace(partners=partners, parts=parts)


def most_listed(sound: Sound) -> int:
    """Return the bytes that a list of values may take: a quarter of the samples', or a few."""
    return max(64, sound.samples // 4)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _expect(right: bool) -> None:
    if not right:
        raise CorruptError("a pcm block's map of sounds is malformed")
