"""Fuzzing that knows the structure of what it changes: see README.md in this folder."""
