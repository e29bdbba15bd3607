"""How far a lossy copy is from its original, and what that costs in bits."""
