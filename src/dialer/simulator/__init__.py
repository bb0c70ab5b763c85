"""A carrier on loopback: numbers mapped to behaviours, with a ledger of its own."""
