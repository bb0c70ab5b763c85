"""RTP without I/O: packets, G.711, telephone events, pacing and reception statistics."""
