"""Each role can do what its process does, and the worker's cannot learn who anybody is."""

from enum import StrEnum

import psycopg
import pytest
from psycopg import errors, sql

from schemas.registry import Contact, ZoneKind
from store.connection import connect
from store.errors import StoreError
from store.registry import import_registry, load_registry
from store.roles import Role, RolesRefused, grant_roles
from tests import world
from tests.roles import as_role


@pytest.fixture
def url(database_url: str) -> str:
    """A database with a town in it and roles granted."""
    contact = Contact(id="duty", org="dongqu", name="值班", url="json://duty.example")
    people = world.registry(world.circle("home", ZoneKind.KEEP_IN), contacts=[contact])
    import_registry(database_url, people, now=world.START)
    grant_roles(database_url)
    return database_url


@pytest.mark.parametrize(
    ("role", "table", "column"),
    [
        (Role.STREAM, "wearer", "name"), (Role.STREAM, "contact", "url"), (Role.STREAM, "contact", "name"),
        (Role.STREAM, "supervision_order", "document"), (Role.STREAM, "supervision_order", "approver"),
        (Role.STREAM, "consent", "document"), (Role.STREAM, "leave", "approver"), (Role.STREAM, "operator", "name"),
        (Role.STREAM, "audit", "subject"),
        (Role.CONSOLE, "vitals", "heart_rate_bpm"), (Role.CONSOLE, "journal", "batch"),
        (Role.CONSOLE, "dead_letter", "payload"), (Role.ONCALL, "wearer", "name"), (Role.ONCALL, "position", "lat"),
        (Role.ONCALL, "alert", "evidence"), (Role.ONCALL, "operator", "password_hash"),
        (Role.REGISTRY, "position", "lat"), (Role.REGISTRY, "incident", "cause"),
    ],
)  # fmt: skip
def test_a_role_is_refused_what_is_none_of_its_business(url: str, role: Role, table: str, column: str) -> None:
    statement = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
    with psycopg.connect(as_role(url, role)) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET allowed = true", "DROP TABLE wearer"])
def test_no_role_rewrites_the_audit_or_the_schema(url: str, role: Role, statement: str) -> None:
    with psycopg.connect(as_role(url, role)) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)  # type: ignore[call-overload]


def test_the_worker_loads_rules_that_differ_from_the_owners_in_names_only(url: str) -> None:
    with connect(as_role(url, Role.STREAM)) as connection:
        seen = load_registry(connection, nameless=True)
    with connect(url) as connection:
        whole = load_registry(connection)
    assert (seen.device_no, seen.wearer_no, seen.version) == (whole.device_no, whole.wearer_no, whole.version)
    assert seen.registry.zones == whole.registry.zones
    assert {wearer.name for wearer in seen.registry.wearers} == {""}
    assert {contact.url for contact in seen.registry.contacts} == {""}
    assert [order.valid_to for order in seen.registry.orders] == [order.valid_to for order in whole.registry.orders]


def test_the_registry_role_imports(url: str) -> None:
    more = world.registry(bands=2)
    assert import_registry(as_role(url, Role.REGISTRY), more, now=world.START).added > 0


def test_any_other_role_is_refused_an_import(url: str) -> None:
    for role in (Role.STREAM, Role.CONSOLE, Role.ONCALL):
        with pytest.raises(StoreError, match="permission denied"):
            import_registry(as_role(url, role), world.registry(bands=3), now=world.START)


def test_granting_again_takes_back_what_was_granted_beside(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("GRANT SELECT (name) ON wearer TO shouhuan_stream")
        connection.execute("GRANT SELECT ON audit TO shouhuan_stream")
    assert grant_roles(url) == []
    with psycopg.connect(as_role(url, Role.STREAM), autocommit=True) as connection:
        for statement in ("SELECT name FROM wearer", "SELECT 1 FROM audit"):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[call-overload]


def test_who_may_make_no_roles_is_told_who_can(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Roles are the whole server's, and other tests have made ours.
    monkeypatch.setattr("store.roles.Role", StrEnum("Role", {"NEW": "shouhuan_unheard_of"}))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE shouhuan_powerless")
        try:
            with pytest.raises(RolesRefused, match="have one with CREATEROLE run `shouhuan migrate --roles`"):
                grant_roles(as_role(database_url, "shouhuan_powerless"))
        finally:
            connection.execute("DROP ROLE shouhuan_powerless")
