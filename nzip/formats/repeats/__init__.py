"""Stretches of a member that stood in it, or in a file that both sides have, before: found, stated, and put back."""

from nzip.entropy import sources  # before any module that holds kernels

__all__ = ["sources"]
