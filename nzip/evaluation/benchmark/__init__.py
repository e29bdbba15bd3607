"""Benchmarks: what compressors make of the user's own files, and how fast."""
