"""The engine: takes calls that are due, places them, and records what became of them."""
