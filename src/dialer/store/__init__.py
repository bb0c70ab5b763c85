"""Postgres: schema, migrations, the queue, and one typed function for every query."""
