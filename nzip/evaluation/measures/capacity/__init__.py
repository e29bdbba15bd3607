"""Information capacity of language models: what they save of a text, for the work that a token takes."""
