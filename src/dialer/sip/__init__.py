"""SIP without I/O: messages, transactions, dialogs, digest, SDP and the endpoint."""
