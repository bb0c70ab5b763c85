"""The dashboard: static files over the public API."""
