"""Whether a printed statement keeps to one institution: each roster table that it names is bound by institution_id."""

import re

from tortoise import Model

from models import tables

ROSTER_TABLES = {
    model._meta.db_table
    for model in vars(tables).values()
    if isinstance(model, type)
    and issubclass(model, Model)
    and "institution_id" in model._meta.fields_map
}

_WORDS = "on|where|set|left|right|inner|cross|join|group|order|limit|union|using|values|returning|natural|select|as"
_NAMED = re.compile(
    rf"\b(?P<verb>from|join|into|update)\s+\"?(?P<table>{'|'.join(sorted(ROSTER_TABLES))})\b\"?"
    r"(?!\s+where 1 = 0)"  # which asks for the columns' types alone
    rf"(?:\s+(?:as\s+)?(?!(?:{_WORDS})\b)(?P<alias>[a-z_]\w*))?",
    re.IGNORECASE,
)


# Whether a table holds nothing of anybody else in the whole database: then it is filled before its indexes are made.
_NEWEST = re.compile(r"select id from \w+ order by id desc limit 1")


def unscoped(sql: str) -> list[str]:
    """The tables that this statement names without an institution."""
    if _NEWEST.fullmatch(sql):
        return []
    named = list(_NAMED.finditer(sql))
    return [one["table"] for one in named if not _is_scoped(sql, one, alone=len(named) == 1)]


def _is_scoped(sql: str, named: re.Match[str], *, alone: bool) -> bool:
    names = {named["alias"] or named["table"], named["table"]}
    if named["verb"].lower() == "into":
        return re.match(r"\s*\([^)]*\binstitution_id\b", sql[named.end() :]) is not None
    if any(re.search(rf"\b{name}\.\"?institution_id\b", sql) for name in names):
        return True
    return alone and re.search(r"\binstitution_id\s*(=|in\b)", sql) is not None
