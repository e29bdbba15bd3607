"""Opener `zip`: archives, or runs of their members, without what can be computed of them."""
