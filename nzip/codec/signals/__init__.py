"""Lossy pictures and sounds: a signal through a latent codec into one member of an nzip file, and back.

The member's content is a record: its symbols are coded by the engine of latents, what must stay exact (an alpha
channel, a colour profile) as any file is. Entropy decoding, checks and limits are those of every member. The signal
that is made of the symbols is the only thing that machines may differ in, in its last digits.

The way in: `encode` takes a signal apart (`pictures`, `sounds`, with `side` data), cuts it in `parts`, has the codec
make symbols of them until the `goals` are met, and writes the record as a member. The way out, in `decode`, is the
mirror; `records` says what a record holds and what it takes, before it is believed.
"""
