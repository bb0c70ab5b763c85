"""Recordings of calls at rest: how they are sealed, and the place where they are kept."""
