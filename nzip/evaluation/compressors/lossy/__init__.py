"""Lossy codecs, nzip's own and others, under one shape."""
