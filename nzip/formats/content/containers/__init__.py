"""Where in bytes coded stretches lie that can be opened, and files that have an engine of their own."""
