"""Who is asking: passwords, sessions, and how often somebody may guess."""

import asyncio
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Depends, HTTPException, Request

from console.desk import Desk, DeskOf
from store.acts import Act, audit, refusals, try_lock
from store.views import Operator, find_operator

MOST_FAILURES: Final = 5
FAILURE_WINDOW: Final = timedelta(minutes=15)

_hasher: Final = PasswordHasher()
# Checked in place of a hash that does not exist, so that an unknown name takes as long as a wrong password.
_NOBODY: Final = _hasher.hash("nobody")


class SignIn(StrEnum):
    """What became of an attempt to sign in."""

    WELCOME = "welcome"
    WRONG = "wrong"
    TOO_MANY = "too_many"


def hash_password(password: str) -> str:
    """The argon2id hash to keep of a password.

    >>> matches(hash_password("correct horse"), "correct horse"), matches(hash_password("a"), "b")
    (True, False)
    """
    return _hasher.hash(password)


def matches(password_hash: str, password: str) -> bool:
    """Whether a password is the one that was hashed."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def attempt_subject(name: str) -> str:
    """How attempts on a name are audited: people type passwords into the wrong field, so never the name itself."""
    return "login:" + sha256(name.encode()).hexdigest()[:16]


def session_of(operator: Operator) -> dict[str, str]:
    """What a session keeps; a new password ends the sessions of the old one."""
    return {"operator": operator.name, "password": _print_of(operator)}


def _print_of(operator: Operator) -> str:
    return sha256(operator.password_hash.encode()).hexdigest()[:16]


async def sign_in(desk: Desk, name: str, password: str) -> tuple[SignIn, Operator | None]:
    """Decide an attempt and audit it; one at a time for a name, at most ``MOST_FAILURES`` in ``FAILURE_WINDOW``."""
    subject, now = attempt_subject(name), desk.settings.now()
    async with desk.session() as session, session.transaction():
        if not await try_lock(session, subject):
            return SignIn.TOO_MANY, None
        if await refusals(session, subject, "login", now - FAILURE_WINDOW) >= MOST_FAILURES:
            return SignIn.TOO_MANY, None
        operator = await find_operator(session, name)
        async with desk.password_checks:
            right = await asyncio.to_thread(matches, operator.password_hash if operator else _NOBODY, password)
        welcome = operator if right else None
        who = operator.name if operator else ""
        await audit(session, Act(at=now, operator=who, action="login", subject=subject, allowed=welcome is not None))
    return (SignIn.WELCOME if welcome else SignIn.WRONG), welcome


async def signed_in(request: Request, desk: DeskOf) -> Operator:
    """The operator of a request; 401 for everybody else."""
    kept = request.session
    async with desk.session() as session:
        operator = await find_operator(session, str(kept.get("operator", "")))
    if operator is None or kept.get("password") != _print_of(operator):
        raise HTTPException(401, "sign in first")
    return operator


SignedIn = Annotated[Operator, Depends(signed_in)]


async def rule_maker(request: Request, operator: SignedIn, desk: DeskOf) -> Operator:
    """The operator of a request that changes rules, or shows what a change would do; 403 for who may only watch."""
    if not operator.changes_rules:
        await desk.refuse(operator, "rules.change", request.url.path, "may not change rules")
        raise HTTPException(403, "this account may watch, not change rules; `shouhuan operator NAME --rules` allows it")
    return operator


RuleMaker = Annotated[Operator, Depends(rule_maker)]
