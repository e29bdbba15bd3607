"""The public corpora that compressors are measured on: what they are, fetching them, checking copies."""
