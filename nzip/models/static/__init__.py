"""A byte model with frozen integer tables: counts of orders 0 to 6, or 7, of a training text, interpolated.

Interpolation with absolute discounts (Ney, Essen and Kneser, "On structuring probabilistic dependences in stochastic
language modelling", 1994): each context takes a discount from the counts of what followed it, and gives that share to
the next shorter context. Nothing is learnt while coding, so the state is the longest known context, one integer, and
a window of a few bytes starts as well as it can. Trained, in some seconds, when first used: what is shipped is text.

Invariants:

* a row of 256 values has the scale 2^20; a frequency is a value + 1. Values are rounded down only, so a row's sum is
  at most 2^20 and a total at most 2^20 + 256;
* every integer is the result of integer operations of the training text: equal texts give equal tables everywhere;
* a context that is kept has all its suffixes kept, and whatever is kept for (context, byte) follows from the text.
"""
