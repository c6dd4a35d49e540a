"""The roles of the scratch server: the administrator, and the login that runs the user's files.

The administrator creates that login with the name and the rights of the role that migrates the target. It also creates
the target's other roles, without a login. The password of the login is derived from the administrator's. So parallel
commands agree on it, and it does not reveal the administrator's.
"""

import hmac
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from scripts.core.errors import UserError
from scripts.core.postgres import connections, sql
from scripts.core.postgres.rights import MEMBERSHIPS, OURS, ROLES, Membership, Rights, Role
from scripts.core.postgres.sql import Sql, compose

LOCK_WAIT = 10.0
"""Seconds to wait for commands that use roles which have to change."""
_LOCK_ALONE = text("SELECT pg_advisory_lock(hashtext('scratch roles'))")
_UNLOCK_ALONE = text("SELECT pg_advisory_unlock(hashtext('scratch roles'))")
_USE, _TAKE, _FREE = (
    text(f"SELECT {function}(hashtext('scratch role ' || :login))")
    for function in ("pg_advisory_lock_shared", "pg_try_advisory_lock", "pg_advisory_unlock")
)
_ROLES = text(ROLES)
_MADE = text("SELECT rolname FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = :ours")
_MEMBERSHIPS = text(f"{MEMBERSHIPS} GROUP BY 1, 2")
_IS_SUPERUSER = text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")


@dataclass(frozen=True)
class Login:
    """The login that the user's files connect with."""

    url: URL
    role: str
    """The role that they act as: the target's name, if the server has room for it."""
    is_separate: bool = True
    """Whether the administrator is another role. A server that was given with an ordinary role has only that one."""
    is_equal: bool = True
    """Whether the role has the target's name. It has another name if an administrator has the target's."""


@dataclass(frozen=True)
class _State:
    """The roles of the scratch server."""

    roles: dict[str, Role]
    made: set[str]
    """Roles that a command like this one created. Others are never changed, since the server may be the target's."""
    memberships: set[Membership]


def ensure(server: Connection, rights: Rights) -> Login:
    """Create and change what is needed, and return the login. While this session lasts, no other command changes it.

    `server` is the administrator's, in autocommit. Raise UserError if a running command needs other rights.
    """
    url = server.engine.url
    if not server.scalar(_IS_SUPERUSER):
        return Login(url, str(url.username), is_separate=False)
    with _alone(server):
        here = _read(server)
        login, wanted = _choose(url, rights, here)
        _make(server, [role for role in wanted.roles if role.name not in here.roles])
        changes = list(_changes(server, wanted, _read(server)))
        _run(server, [statement for role, statement in changes if role not in here.roles])
        _change(server, login, [statement for role, statement in changes if role in here.roles])
        server.execute(_USE, {"login": login.url.username})
        _let_in(server, login)
    return login


def add(server: Connection, names: Sequence[str]) -> list[str]:
    """Create the roles that the server lacks, without a login or any right. Return them."""
    with _alone(server):
        there = _read(server).roles
        missing = [name for name in names if name not in there]
        _make(server, list(map(Role, missing)))
    return missing


def _choose(administrator: URL, rights: Rights, here: _State) -> tuple[Login, Rights]:
    """Return the login, and the rights of the roles that this project may create or change.

    If the server has a role of this name from elsewhere, another role logs in and becomes it at once. So that role's
    password stays as it is. The login becomes a superuser only if the target's role is one.
    """
    there = here.roles.get(rights.name)
    ours = tuple(role for role in rights.roles if role.name not in here.roles or role.name in here.made)
    own: tuple[Role, ...] = ()
    groups: tuple[Membership, ...] = ()
    if not there or rights.name in here.made:
        name = role = rights.name
    elif there.superuser <= rights.role.superuser:
        name, role = f"{rights.name[:50]}__scratch", rights.name
        own = (Role(name),)
        groups = (Membership(role, name, inherits=False),)
    else:
        name = role = f"{rights.name[:50]}__scratch_owner"
        own = (replace(rights.role, name=name),)
        groups = tuple(replace(one, member=name) for one in rights.memberships if one.member == rights.name)
    wanted = replace(rights, name=name, roles=ours + own, memberships=rights.memberships + groups)
    password = hmac.digest(str(administrator.password or "").encode(), name.encode(), "sha256").hex()
    return Login(
        administrator.set(username=name, password=password), role, is_equal=not own or role == rights.name
    ), wanted


def _read(server: Connection) -> _State:
    return _State(
        roles={row["name"]: Role(**row) for row in server.execute(_ROLES).mappings()},
        made=set(server.scalars(_MADE, {"ours": OURS})),
        memberships={Membership(**row) for row in server.execute(_MEMBERSHIPS).mappings()},
    )


def _make(server: Connection, missing: list[Role]) -> None:
    """Create the roles with their comment in one transaction, so that a kill leaves no role that looks foreign."""
    given = "CREATE ROLE {} NOLOGIN {}; COMMENT ON ROLE {} IS {}"
    names = [(sql.name(role.name), role) for role in missing]
    _run(server, [compose(given, name, _options(role), name, sql.value(OURS)) for name, role in names])


def _changes(server: Connection, wanted: Rights, here: _State) -> Iterator[tuple[str, Sql]]:
    """Yield each role that is not as it should be, and a statement that corrects it."""
    for role in wanted.roles:
        if here.roles[role.name] != role:
            yield role.name, compose("ALTER ROLE {} {}", sql.name(role.name), _options(role))
    members = {role.name for role in wanted.roles}
    needed = {one for one in wanted.memberships if one.member in members and one.group in here.roles}
    had = {one for one in here.memberships if one.member in members}
    for group, member in sorted({(one.group, one.member) for one in had - needed}):
        yield member, compose("REVOKE {} FROM {} CASCADE", sql.name(group), sql.name(member))
    for one in sorted(needed - had, key=lambda one: (one.group, one.member)):
        given = "GRANT {} TO {} WITH ADMIN {}, INHERIT {}, SET {}"
        yield (
            one.member,
            compose(given, sql.name(one.group), sql.name(one.member), one.admin, one.inherits, one.switches),
        )


def _options(role: Role) -> Sql:
    words = {
        "SUPERUSER": role.superuser,
        "INHERIT": role.inherit,
        "CREATEROLE": role.createrole,
        "CREATEDB": role.createdb,
        "BYPASSRLS": role.bypassrls,
    }
    return Sql(" ".join(word if is_set else f"NO{word}" for word, is_set in words.items()))


def _change(server: Connection, login: Login, statements: list[Sql]) -> None:
    """Change the roles while no other command uses the login."""
    if not statements:
        return
    deadline, key = time.monotonic() + LOCK_WAIT, {"login": login.url.username}
    while not server.scalar(_TAKE, key):
        if time.monotonic() > deadline:
            raise UserError(
                f"Another command uses {login.url.username} on the scratch server with other rights than this one.",
                why="The rights of the migrating role were changed, or that command is for another database.",
                do="wait until the other command ends, then run this again",
            )
        time.sleep(0.1)
    try:
        _run(server, statements)
    finally:
        server.execute(_FREE, key)


def _run(server: Connection, statements: list[Sql]) -> None:
    if statements:
        sql.run(server, compose("; ".join(["{}"] * len(statements)), *statements))


def _let_in(server: Connection, login: Login) -> None:
    """Set the password, which files of an earlier run may have changed, and the role that the login acts as."""
    name, verifier = sql.name(str(login.url.username)), sql.value(connections.verifier(server, login.url))
    statements = [compose("ALTER ROLE {} LOGIN PASSWORD {}", name, verifier), compose("ALTER ROLE {} RESET ALL", name)]
    if login.role != login.url.username:
        statements.append(compose("ALTER ROLE {} SET role = {}", name, sql.name(login.role)))
    _run(server, statements)


@contextmanager
def _alone(server: Connection) -> Iterator[None]:
    server.execute(_LOCK_ALONE)
    try:
        yield
    finally:
        server.execute(_UNLOCK_ALONE)
