"""The graph as one viewer asks it in either way, and by plain Python what they must be shown."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from gateway.readpath import node_ids
from models.roster import EnrollmentState
from resolvers.compiled import Compiled, Way
from resolvers.context import Context
from resolvers.documents import Documents
from resolvers.limits import Limits
from resolvers.schema import schema
from tests.resolvers.conftest import Graph
from tests.resolvers.eyes import Eyes
from tests.resolvers.mixed_school import Facts, MixedSchool

DOCUMENTS = Documents(schema, Limits())
COMPILED = Compiled(schema)
PERSON = "id canvasId name sortableName email loginId sisId state"
FIELDS = {
    "name": "name",
    "sortableName": "sortable_name",
    "email": "email",
    "loginId": "login_id",
    "sisId": "sis_id",
}
STATES = [str(state) for state in EnrollmentState]


class Asking:
    """The graph as one viewer asks it, compiled or by ordinary resolvers, and what they must be shown.

    `cells`: fields that were judged, shown or not; `ways`: how the questions were answered.
    """

    def __init__(
        self, graph: Graph, mixed: MixedSchool, eyes: Eyes, *, compiled: bool = False
    ) -> None:
        self.graph, self.mixed, self.eyes, self.compiled = graph, mixed, eyes, compiled
        self.cells = 0
        self.ways = Counter[Way]()

    async def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        data, errors = await self.answer(query, **variables)
        assert not errors, errors
        return data

    async def answer(self, query: str, **variables: Any) -> tuple[Any, list[Any]]:
        """Data and errors, as `gateway` answers: what has no plan, or meets an error, is left to the ordinary resolvers."""
        if self.compiled:
            operation = DOCUMENTS.operation(query, None, variables)
            way, data = await COMPILED.read(operation, self._context())
            self.ways[way] += 1
            if way is Way.COMPILED:
                return orjson.loads(orjson.dumps(data)), []
        result = await schema.execute(
            query, variable_values=variables, context_value=self._context()
        )
        errors = [(one.message, one.extensions) for one in result.errors or ()]
        return result.data, errors

    def _context(self) -> Context:
        return self.graph.context(rights=self.eyes.rights)

    def id(self, type_name: str, row_id: int) -> str:
        return node_ids.encode(type_name, row_id, self.eyes.rights.pseudonyms)

    def person(self, row_id: int) -> Facts | None:
        """Every field of a person as it must be shown."""
        self.cells += len(FIELDS) + 3
        if not self.eyes.sees_person(self.mixed, row_id):
            return None
        row = self.mixed.by_id(self.mixed.people, row_id)
        assert row is not None

        def sees(field: str) -> bool:
            return self.eyes.sees_field(self.mixed, row_id, field)

        state = "DELETED" if row["removed_at"] is not None else row["state"]
        shown = {field: row[column] if sees(field) else None for field, column in FIELDS.items()}
        return {
            "id": self.id("User", row_id),
            "canvasId": None if self.eyes.service else str(row["canvas"]),
            "state": state if sees("state") else None,
            **shown,
        }

    def enrollments(self, **columns: int) -> list[Facts]:
        self.cells += len(self.mixed.enrollments)
        return [
            row
            for row in self.mixed.enrollments
            if all(row[name] == value for name, value in columns.items())
            and self.eyes.sees_enrollment(self.mixed, row)
        ]

    def edges(self, rows: Iterable[Facts]) -> list[Any]:
        return sorted(
            (self.id("Enrollment", row["id"]), self.person(row["person_id"])) for row in rows
        )
