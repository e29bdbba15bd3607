"""What can be saved of a damaged file.

A block decodes alone, so damage costs the blocks that it touches and no others. But a block's check says nothing of
its place, and a payload may hold the blocks of other nzip files, which are as sound. So a block is only given where
its place is proven: by an unbroken chain of chunks from the front, or by the end index of its member, from either end
of it (FORMAT.md 4.1 says which of these are plausible only). What a search finds behind a place where both are lost is
left out unless it is asked for.

Invariants: every byte of the content that is not given is in a fault; work is bounded by the size of the file.

`evidence` says what stands at a place, `finder` makes parts of bytes, `content` makes content of parts.
"""
