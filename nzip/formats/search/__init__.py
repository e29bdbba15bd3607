"""What lines of text hold that a search needs to know: their words and times; and what patterns ask for."""
