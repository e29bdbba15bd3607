"""What a small model learns from a text given as bytes, byte pairs and other tokens."""
