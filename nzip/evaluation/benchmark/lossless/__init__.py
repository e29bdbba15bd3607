"""`nzip bench`: sizes, speeds and memory of lossless codecs."""
