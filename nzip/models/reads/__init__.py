"""The engine `reads`: nucleotides that a machine read, and how sure it was of each."""
