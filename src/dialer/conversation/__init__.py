"""What happens on an answered call."""
