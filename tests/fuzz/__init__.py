"""Fuzzing that knows the structure of what it changes; docs/FUZZING.md says how to run it."""
