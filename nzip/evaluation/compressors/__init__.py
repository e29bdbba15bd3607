"""What is measured: nzip's own compressors and others, under one shape."""
