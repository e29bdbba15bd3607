"""Finders of grids: fields of numbers over two or more dimensions, whose formats state their shape."""
