"""Every way to write an id in a path or parameter: fact sheet transport.md section 4."""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from twin.errors import NotFound
from twin.records import Account, Course, Pseudonym, Section, Term, User
from twin.school import KEYS, ROOT_ACCOUNT_ID, SHARD_SIZE, School

T = TypeVar("T")

SIXTY_THREE_BITS = 2**63


def global_id(school: School, row_id: int) -> int:
    """The long form of an id as this school shows it."""
    return row_id if row_id >= SHARD_SIZE else school.options.shard * SHARD_SIZE + row_id


def plain_id(school: School, text: str) -> int | None:
    """The id as the rows carry it: from `412`, from its global form or from `1745~2231`."""
    if school.options.tilde_ids and (short := re.fullmatch(r"(\d+)~(\d+)", text)):
        shard, local = int(short[1]), int(short[2])
        number = local if local >= SHARD_SIZE else shard * SHARD_SIZE + local
    elif re.fullmatch(r"[0-9]+", text):
        number = int(text)
    else:
        return None
    if number >= SIXTY_THREE_BITS:
        return None
    own = school.options.shard * SHARD_SIZE
    return number - own if own < number < own + SHARD_SIZE else number


def find_user(school: School, text: str, self_user: User | None = None) -> User | None:
    """A user in any form, deleted ones too where Canvas finds them."""
    if text == "self":
        return self_user
    if (number := plain_id(school, text)) is not None:
        return school.users.get(number)
    key, value = _split(text)
    if key in {"lti_user_id", "lti_1_1_id"}:
        found = school.find(User, "lti_context_id", value)
        if found is None and key == "lti_user_id" and school.options.past_lti_user_id:
            return _user_of_past_id(school, value)
        return found
    if key in KEYS[User]:
        return None if _bad_uuid(key, value) else school.find(User, key, value)
    if key in KEYS[Pseudonym]:
        login = school.find(Pseudonym, key, value)
        return None if login is None else school.users.get(login.user_id)
    return None


def find_course(school: School, text: str) -> Course | None:
    if (number := plain_id(school, text)) is not None:
        return school.courses.get(number)
    return _by_key(school, Course, text)


def find_section(school: School, text: str) -> Section | None:
    if (number := plain_id(school, text)) is not None:
        return school.sections.get(number)
    return _by_key(school, Section, text)


def find_account(school: School, text: str) -> Account | None:
    if text in {"self", "default"}:
        return school.accounts[ROOT_ACCOUNT_ID]
    if (number := plain_id(school, text)) is not None:
        return school.accounts.get(number)
    return _by_key(school, Account, text)


def find_term(school: School, text: str) -> Term | None:
    """`current` wants exactly one active dated term around now (roster-rest.md 3)."""
    if text == "default":
        return default_term(school)
    if text == "current":
        now = school.clock.now()
        around = [
            term
            for term in active(school.terms.values())
            if term.start_at and term.end_at and term.start_at <= now <= term.end_at
        ]
        return around[0] if len(around) == 1 else None
    if (number := plain_id(school, text)) is not None:
        return school.terms.get(number)
    return _by_key(school, Term, text)


def default_term(school: School) -> Term:
    return min(active(school.terms.values()), key=lambda term: term.id)


def active(terms: Iterable[Term]) -> list[Term]:
    return [term for term in terms if term.workflow_state == "active"]


def found(row: T | None) -> T:
    """The row, or Canvas's 404."""
    if row is None:
        raise NotFound
    return row


def _by_key(school: School, table: type[Any], text: str) -> Any | None:
    key, value = _split(text)
    if key not in KEYS[table] or _bad_uuid(key, value):
        return None
    return school.find(table, key, value)


def _split(text: str) -> tuple[str, str]:
    """Prefix and value: the first colon ends the prefix, `hex:` unpacks the value."""
    key, _, value = text.partition(":")
    if key != "hex":
        return key, value
    key, _, digits = value.partition(":")
    try:
        return key, bytes.fromhex(digits).decode()
    except ValueError:
        return "", ""


def _bad_uuid(key: str, value: str) -> bool:
    return key == "uuid" and not re.fullmatch(r"\w{40,}", value)


def _user_of_past_id(school: School, value: str) -> User | None:
    for rows in school.past_lti_ids.values():
        for past in rows:
            if past.user_lti_context_id == value:
                return school.users.get(past.user_id)
    return None
