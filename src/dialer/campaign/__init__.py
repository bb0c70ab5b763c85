"""The campaign rules without I/O: statuses, moves, outcomes, retries, numbers and pacing."""
