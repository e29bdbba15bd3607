"""How a deflate stream was flushed at a place: flags."""

PARTIAL, SYNC, CLEAR = 1, 2, 4  # an empty fixed block, an empty stored one, all matches forgotten
