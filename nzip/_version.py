"""The package's version. The file format has its own (`nzip.formats.container.structures.FORMAT_VERSION`)."""

__version__ = "0.1.0"
