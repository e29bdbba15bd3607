"""Fuzzing that knows the structure of what it changes; docs/explanation/FUZZING.md says how to run it."""
