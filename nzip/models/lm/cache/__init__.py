"""The language models of this machine: which are known, where they lie, how they come and go."""
