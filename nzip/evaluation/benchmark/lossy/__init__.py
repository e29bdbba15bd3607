"""`nzip bench --lossy`: rate, distortion and speed of lossy codecs."""
