"""Dialer: places real SIP calls for call campaigns and says what became of each."""

__version__ = "0.1.0"
