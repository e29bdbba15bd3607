"""The engine `bilevel`: pictures of black and white."""
