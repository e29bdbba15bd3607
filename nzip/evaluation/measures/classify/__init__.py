"""Classes of sequences by compression: nearest neighbours, or class models."""
