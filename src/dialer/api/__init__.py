"""The HTTP control API."""
