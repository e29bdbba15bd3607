"""The errors nzip raises on purpose.

Every message is one line that says what is wrong and, where there is one, the remedy.
"""


class NzipError(Exception):
    """Base of all errors that nzip raises about data it was given."""


class CorruptError(NzipError):
    """The data is damaged, truncated, or not an nzip file."""


class UnsupportedError(NzipError):
    """The data may be intact, but this installation cannot decode it.

    Raised for a later format version, an unknown engine, engine version or transform, and an unknown
    chunk that is marked as required.
    """


class LimitError(NzipError):
    """The work would need more memory, or give more output, than the caller's limit allows."""
