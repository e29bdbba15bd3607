"""What a task of the user's still sees after lossy coding, at how many bits."""
