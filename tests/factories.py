"""Rows of the roster for tests, written straight into the tables: every column that matters can be given."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.readpath.registry import Reader
from gateway.uow import Database, Transaction
from gateway.viewer import Rights, Scope, Viewer
from models import text
from models.canvas_ids import to_global
from models.roster import IdentityKind

NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)
READ_AT = NOW - timedelta(minutes=5)
SHARD = 1

_DEFAULTS: dict[str, dict[str, Any]] = {
    "institution": {
        "slug": "demo",
        "canvas_url": "https://canvas.example.edu",
        "shard": SHARD,
        "feed_position": 0,
    },
    "account": {"state": "ACTIVE", "source": "REPORT", "as_of": READ_AT},
    "term": {"state": "ACTIVE", "source": "REPORT", "as_of": READ_AT},
    "course": {"name": "Botany", "state": "AVAILABLE", "source": "REPORT", "as_of": READ_AT},
    "section": {"name": "Section", "state": "ACTIVE", "source": "REPORT", "as_of": READ_AT},
    "person": {
        "name": "Zoe Neil",
        "sortable_name": "Neil, Zoe",
        "state": "ACTIVE",
        "name_source": "REPORT",
        "name_as_of": READ_AT,
        "login_source": "REPORT",
        "login_as_of": READ_AT,
        "contact_source": "REPORT",
        "contact_as_of": READ_AT,
    },
    "identity": {
        "scope": "",
        "source": "REPORT",
        "first_seen_at": READ_AT,
        "last_seen_at": READ_AT,
    },
    "enrollment": {
        "type": "STUDENT",
        "role": "StudentEnrollment",
        "state": "ACTIVE",
        "standing_source": "REPORT",
        "standing_as_of": READ_AT,
    },
    "membership": {"types": "STUDENT", "source": "NRPS", "as_of": READ_AT},
    "coverage": {
        "scope_kind": "institution",
        "scope_id": 0,
        "source": "REPORT",
        "authority": "report",
        "groups": "",
        "states": "",
        "began_at": READ_AT,
        "ended_at": READ_AT,
        "whole": True,
        "requests": 0,
        "quota": 0.0,
    },
    "lti_context": {
        "issuer": "https://canvas.instructure.com",
        "client_id": "10000000000002",
        "deployment_id": "1:abc",
        "launched_at": READ_AT,
    },
    "launch_session": {"types": "", "roles": "[]", "shown": ""},
    "identity_conflict": {
        "source": "LAUNCH",
        "scope": "",
        "evidence": "they differ",
        "found_at": READ_AT,
    },
    "change": {"at": READ_AT, "kind": "UPDATED", "source": "REPORT"},
    "sync_run": {
        "source": "REPORT",
        "scope_kind": "institution",
        "scope_id": 0,
        "state": "SUCCEEDED",
        "started_at": READ_AT,
        "progress": 1.0,
        **dict.fromkeys(
            (
                "rows_read",
                "created",
                "updated",
                "removed",
                "unchanged",
                "set_aside",
                "held",
                "requests",
            ),
            0,
        ),
        "quota": 0.0,
    },
}


class School:
    """One institution in a database, and rows of it. Each method returns the new row's id."""

    def __init__(self, database: Database, institution_id: int) -> None:
        self.database = database
        self.id = institution_id

    @classmethod
    async def open(cls, database: Database, **columns: Any) -> "School":
        return cls(database, await _insert(database, "institution", columns))

    async def add(self, table: str, **columns: Any) -> int:
        return await _insert(self.database, table, {"institution_id": self.id, **columns})

    async def course(self, *, canvas: int | None = None, **columns: Any) -> int:
        name, code = columns.get("name", "Botany"), columns.get("course_code")
        keys = {"sort_key": text.sort_key(name), "search_key": text.search_key(name, code)}
        return await self.add("course", **keys, **_global(canvas), **columns)

    async def section(self, course: int, *, canvas: int | None = None, **columns: Any) -> int:
        return await self.add("section", course_id=course, **_global(canvas), **columns)

    async def person(
        self,
        *,
        canvas: int | None = None,
        aliases: dict[IdentityKind, str] | None = None,
        **columns: Any,
    ) -> int:
        """`aliases` are live; `sis_id`, `login_id` and `email` are made aliases by themselves."""
        name = columns.get("name", "Zoe Neil")
        sortable = columns.get("sortable_name", name)
        keys = {
            "sort_key": text.sort_key(sortable, name),
            "search_key": text.search_key(name, sortable),
            "sortable_name": sortable,
        }
        person = await self.add("person", **keys | _global(canvas) | columns)
        known = {
            IdentityKind.SIS_USER_ID: columns.get("sis_id"),
            IdentityKind.LOGIN_ID: columns.get("login_id"),
            IdentityKind.EMAIL: columns.get("email"),
            IdentityKind.INTEGRATION_ID: columns.get("integration_id"),
            **(aliases or {}),
        }
        for kind, value in known.items():
            if value is not None:
                await self.alias(person, kind, value)
        return person

    async def alias(self, person: int, kind: IdentityKind, value: str, **columns: Any) -> int:
        exclusive = True if kind.exclusive and columns.get("ended_at") is None else None
        return await self.add(
            "identity",
            person_id=person,
            kind=kind.value,
            value=kind.comparable(value),
            **{"exclusive": exclusive, **columns},
        )

    async def enroll(
        self,
        person: int,
        section: int | None,
        course: int,
        *,
        canvas: int | None = None,
        **columns: Any,
    ) -> int:
        return await self.add(
            "enrollment",
            person_id=person,
            section_id=section,
            course_id=course,
            **_global(canvas),
            **columns,
        )

    async def covered(self, subject: str, **columns: Any) -> int:
        """A whole read, unless said otherwise."""
        return await self.add("coverage", subject=subject, **columns)

    async def change(self, subject_type: str, subject_id: int, **columns: Any) -> int:
        """The position of a new entry of the feed."""

        async def work(tx: Transaction) -> int:
            await tx.run(
                "update institution set feed_position = feed_position + 1 where id = $1", self.id
            )
            rows = await tx.rows("select feed_position from institution where id = $1", self.id)
            position: int = rows[0]["feed_position"]
            values = {
                **_DEFAULTS["change"],
                "institution_id": self.id,
                "position": position,
                "subject_type": subject_type,
                "subject_id": subject_id,
                **columns,
            }
            await tx.run(_insert_sql("change", values), *values.values())
            return position

        return await self.database.transact(work)

    async def update(self, table: str, row_id: int, **columns: Any) -> None:
        sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 3))
        sql = f"update {table} set {sets} where institution_id = $1 and id = $2"

        async def work(tx: Transaction) -> int:
            return await tx.run(sql, self.id, row_id, *columns.values())

        await self.database.transact(work)

    async def delete(self, table: str, row_id: int) -> None:
        async def work(tx: Transaction) -> int:
            return await tx.run(
                f"delete from {table} where institution_id = $1 and id = $2", self.id, row_id
            )

        await self.database.transact(work)

    def reader(self, rights: Rights | None = None) -> Reader:
        return Reader(institution_id=self.id, shard=SHARD, now=NOW, rights=rights or Rights())

    def viewer(self, *scopes: Scope, rights: Rights | None = None) -> Viewer:
        return Viewer(
            institution_id=self.id,
            institution_slug="demo",
            canvas_url="https://canvas.example.edu",
            shard=SHARD,
            scopes=frozenset(scopes or (Scope.ROSTER_READ,)),
            rights=rights or Rights(),
        )


def _global(canvas: int | None) -> dict[str, int]:
    return {} if canvas is None else {"canvas_id": to_global(str(canvas), SHARD)}


async def _insert(database: Database, table: str, columns: dict[str, Any]) -> int:
    values = _DEFAULTS[table] | columns

    async def work(tx: Transaction) -> int:
        rows = await tx.rows(f"{_insert_sql(table, values)} returning id", *values.values())
        new_id: int = rows[0]["id"]
        return new_id

    return await database.transact(work)


def _insert_sql(table: str, values: dict[str, Any]) -> str:
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    return f"insert into {table} ({', '.join(values)}) values ({places})"
