"""Engine `tensor`: weights of networks and other arrays of numbers."""
