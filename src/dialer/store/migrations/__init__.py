"""The schema's revisions: one file of plain SQL each, forward only."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_sql(name: str) -> None:
    """Run a file of `versions/` as it stands, in the transaction of the migration.

    It goes to asyncpg itself, whose simple query takes many statements at once.
    """
    sql = (Path(__file__).parent / "versions" / name).read_text(encoding="utf-8")
    adapted = op.get_bind().connection.dbapi_connection
    assert adapted is not None
    adapted.run_async(lambda connection: connection.execute(sql))
