"""The measures of `nzip eval`, one file or folder each."""
