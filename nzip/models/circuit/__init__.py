"""The engine `circuit`: records of one shape, by a tree of hidden states that was learned from others like them."""
