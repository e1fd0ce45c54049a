"""Rows of users.csv are logins: several to one person. Here they become people, and the aliases that name them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from gateway.sync.row_hash import Hashes, combined
from gateway.sync.search_keys import with_keys
from models.roster import IdentityKind, UserState

ALIAS_LENGTH = 512

NAMES = ("name", "sortable_name", "short_name")
_PERSON_COLUMNS = (
    *("canvas_id", "uuid", "sis_id", "integration_id", "login_id", "state", *NAMES),
    *("given_name", "family_name", "pronouns", "email"),
)
_ALIAS_COLUMNS = {
    IdentityKind.CANVAS_UUID: "uuid",
    IdentityKind.SIS_USER_ID: "sis_id",
    IdentityKind.INTEGRATION_ID: "integration_id",
    IdentityKind.LOGIN_ID: "login_id",
    IdentityKind.EMAIL: "email",
}
_STATE_ORDER = {UserState.ACTIVE: 0, UserState.SUSPENDED: 1, UserState.DELETED: 2}


@dataclass(frozen=True, kw_only=True)
class People:
    """`people`: columns of the person table and `who`; `aliases`: who, kind, scope, value, line."""

    people: pl.DataFrame
    aliases: pl.DataFrame


def people_of(logins: pl.DataFrame) -> People:
    """`logins`: rows with `who`, the same for all logins of a person, and their `row_hash`."""
    ordered = logins.sort("who", *_primary_first(logins), "line")
    first = ordered.unique("who", keep="first", maintain_order=True)
    people = first.select("who", *(name for name in _PERSON_COLUMNS if name in logins.columns))
    who, hashes = person_hashes(ordered["who"].to_numpy(), ordered["row_hash"].to_numpy())
    hashed = pl.DataFrame({"who": who, "row_hash": hashes})
    people = people.join(hashed, on="who", how="left", maintain_order="left")
    return People(
        people=with_keys(people, order=("sortable_name", "name"), search=NAMES),
        aliases=aliases_of(logins),
    )


def _primary_first(logins: pl.DataFrame) -> list[pl.Expr]:
    """Active before suspended before deleted, with a SIS id before without, then by the login's text, as Canvas picks."""
    order = {
        "state": pl.col("state").replace_strict(_STATE_ORDER, default=3, return_dtype=pl.Int8),
        "sis_id": pl.col("sis_id").is_null(),
        "login_id": pl.col("login_id"),
    }
    return [by for column, by in order.items() if column in logins.columns]


def person_hashes(who: Hashes, hashes: Hashes) -> tuple[Hashes, Hashes]:
    """Each person once, and one hash over all logins, whatever their order."""
    order = np.argsort(who, kind="stable")
    people, starts = np.unique(who[order], return_index=True)
    if not len(people):
        return people, people
    return people, np.add.reduceat(hashes[order], starts)


def with_several(who: Hashes) -> Hashes:
    """Everybody who has more than one login, sorted."""
    people, logins = np.unique(who, return_counts=True)
    return people[logins > 1]


def aliases_of(logins: pl.DataFrame) -> pl.DataFrame:
    """What names these people now; what belongs to a deleted login names nobody."""
    live = logins.filter(pl.col("state").ne_missing(UserState.DELETED.value))
    parts = []
    if "canvas_id" in logins.columns:
        ids = pl.col("canvas_id").cast(pl.String)
        parts.append(_aliases(logins, IdentityKind.CANVAS_GLOBAL_ID, ids))
    for kind, column in _ALIAS_COLUMNS.items():
        if column in logins.columns:
            compared = kind in (IdentityKind.LOGIN_ID, IdentityKind.EMAIL)
            value = pl.col(column).str.to_lowercase() if compared else pl.col(column)
            parts.append(_aliases(live, kind, value))
    keys = ["who", "kind", "scope", "value"]
    return pl.concat(parts).unique(keys, keep="first", maintain_order=True)


def _aliases(logins: pl.DataFrame, kind: IdentityKind, value: pl.Expr) -> pl.DataFrame:
    scoped = kind is IdentityKind.LOGIN_ID and "provider" in logins.columns
    found = logins.select(
        "who",
        kind=pl.lit(kind.value),
        scope=pl.col("provider").fill_null("") if scoped else pl.lit(""),
        value=value,
        line="line",
    )
    fits = pl.col("value").str.len_chars() <= ALIAS_LENGTH
    return found.filter(fits & (pl.col("value") != "0"))


def kinds_told(columns: Collection[str]) -> frozenset[IdentityKind]:
    return frozenset(kind for kind, column in _ALIAS_COLUMNS.items() if column in columns)


def alias_keys(aliases: pl.DataFrame) -> Hashes:
    """One number for each alias."""
    return combined(aliases["kind"], aliases["scope"], aliases["value"])


def exclusive(aliases: pl.DataFrame) -> pl.DataFrame:
    """Those that name one person only: not e-mail addresses."""
    return aliases.filter(pl.col("kind") != IdentityKind.EMAIL)


def contested(keys: Hashes, who: Hashes) -> Hashes:
    """Keys that more than one person claims, sorted."""
    order = np.lexsort((who, keys))
    keys, who = keys[order], who[order]
    same_key = keys[1:] == keys[:-1]
    return np.unique(keys[1:][same_key & (who[1:] != who[:-1])])
