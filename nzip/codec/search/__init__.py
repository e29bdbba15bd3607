"""Finding lines in compressed text: the table that says where words and times are, and the search that goes by it."""
