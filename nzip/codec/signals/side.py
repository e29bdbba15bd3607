"""What is kept exactly beside the symbols: tags, and chunks of the file that are neither pixels nor samples."""

from __future__ import annotations

import json

from nzip.errors import CorruptError
from nzip.formats.signals import extras
from nzip.models.latent import record

Bytes = bytes | bytearray | memoryview


def tags_bytes(tags: dict[str, str]) -> bytes:
    """Return tags as they stand in a record, nothing for none."""
    return json.dumps(dict(sorted(tags.items())), separators=(",", ":")).encode() if tags else b""


def tags_of(more: dict[int, Bytes]) -> dict[str, str]:
    """Return the tags of a record.

    Raises:
        CorruptError: they are damaged.
    """
    try:
        tags = json.loads(bytes(more[record.TAGS])) if record.TAGS in more else {}
        return {str(key): str(value) for key, value in tags.items()}
    except (ValueError, AttributeError, RecursionError):
        raise CorruptError("the tags of a picture or sound are damaged") from None


def chunks_of(more: dict[int, Bytes]) -> extras.Chunks:
    """Return the chunks of a record."""
    return extras.unpacked(bytes(more.get(record.CHUNKS, b"")))
