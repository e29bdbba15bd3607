"""What is measured on: files, tables, texts, signals, the public corpora."""
