"""Container version 1: the bytes of an nzip file. `docs/reference/FORMAT.md` is normative; this room follows it."""
