"""The vocabulary tree: tokens as binary decisions, a language model's probabilities mixed with what the file teaches.

All tokens that have bytes are sorted by them. The byte trie over the sorted table is a binary tree: at a node "does the
token end here, or go on", then the bits of the next byte, where a decision that only one side is left of does not
exist. A tree of R leaves has R - 1 decisions, and each is the border between two neighbouring ranks: the decision at
border m of the ranks [lo, hi) is whether the token's rank is m or more, and the language model's odds of it are those
of two sums of its frequencies. Every decision's odds are then mixed, in the logistic domain, with corrections that
were learned online, and coded in binary.

The mixing follows Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", 2005 (contexts of bits,
bit histories, gated logistic mixing, secondary estimation); the bias of single tokens is the exponentiated gradient of
Kivinen and Warmuth, "Exponentiated Gradient versus Gradient Descent for Linear Predictors", 1997, applied to the
language model's distribution, as is the idea of R. Tacconelli's "Nacrith", 2026. Where all learned inputs are zero, as
they are at the beginning, the mix is the language model's own probability. docs/reference/LMTREE.md is the
specification; tests/naive_tree.py says the same in plain Python and must agree to the bit.

Invariants:
* Integers only, and every width is written: u64, i64 and so on are casts when compiled, and wrap by masks when numba
  is switched off. Sums of 32-bit products are exact whatever their order.
* Wrappers own all memory; kernels fill arrays. An array is indexed by unsigned numbers, which numba does not check
  for a sign, so each index stays in range for any input: damaged payloads lead to wrong tokens and nothing else.
* Streams that share a state are coded step by step and, within a step, in the order of their numbers, when encoding
  and when decoding. What one stream learned the next one knows.
* A stream finds nothing in the history of a stream (its own, too) that is not coded yet.
"""
