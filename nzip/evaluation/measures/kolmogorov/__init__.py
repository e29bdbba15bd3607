"""The KoLMogorov test: sequences of bytes, and how short the programs are that print them."""
