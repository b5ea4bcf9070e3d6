"""The command `wraner`."""
