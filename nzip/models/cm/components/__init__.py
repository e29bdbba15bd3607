"""What the loops of the context-mixing engines are made of; each component becomes a piece of its caller."""
