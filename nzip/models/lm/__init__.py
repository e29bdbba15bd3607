"""The engine `lm`: a causal language model predicts tokens, in arithmetic that gives the same integers everywhere."""
