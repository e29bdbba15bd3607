"""The engine `dna`: nucleotides."""
