"""A database as somebody sees it who has one of our roles and nothing else."""

from psycopg import conninfo

from store.roles import Role


def as_role(url: str, role: Role | str) -> str:
    """The same database in that role."""
    return conninfo.make_conninfo(url, options=f"-c role={role}")
