"""JPEG files (ITU-T T.81) as coefficients, and the same bytes again.

`structure` reads markers, `scans` has the loops of the entropy-coded stretches, `recoding` joins both: a file becomes
quantised coefficients and what else is needed to write it again, bit for bit.
"""
