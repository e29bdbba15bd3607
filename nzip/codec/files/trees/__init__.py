"""Directories as one compressed tar archive: packed by `pack`, and put back by `extract` as the data of strangers."""
