"""The asyncio user agent: sockets, timers and media around the pure SIP and RTP packages."""
