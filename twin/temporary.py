"""Temporary enrollments: a role lent to somebody for some days, then ended.

Fact sheet enrollments-api.md section 7.5. The school's feature `temporary_enrollments` turns it on.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twin.changes import set_enrollment_state
from twin.records import Enrollment, Row
from twin.school import Change, School

ENDING_STATES = ("deleted", "completed", "inactive")


@dataclass(slots=True, eq=False)
class Pairing:
    """Who lends to whom: the enrollments that carry its id begin and end together."""

    id: int
    ending_enrollment_state: str = "deleted"
    workflow_state: str = "active"


class Pairings(dict[int, Pairing]):
    """Every pairing by id: a listener that notes lent rows, and a worker that ends them."""

    def __init__(self, school: School) -> None:
        super().__init__()
        self._school = school
        self._lent: dict[int, Enrollment] = {}
        school.listeners.append(self._note)

    def make(self, ending_enrollment_state: str) -> Pairing:
        pairing = Pairing(len(self) + 1, ending_enrollment_state)
        self[pairing.id] = pairing
        return pairing

    def living(self) -> list[Pairing]:
        return [pairing for pairing in self.values() if pairing.workflow_state == "active"]

    def lent_rows(self) -> list[Enrollment]:
        return [row for row in self._lent.values() if row.workflow_state != "deleted"]

    async def catch_up(self, now: datetime) -> None:
        """Give the rows whose end is past the pairing's ending state."""
        for row in self.lent_rows():
            if row.end_at and row.end_at < now and row.workflow_state in {"active", "invited"}:
                pairing = self.get(row.temporary_pairing_id or 0)
                ending = pairing.ending_enrollment_state if pairing else "deleted"
                set_enrollment_state(self._school, row, ending)

    def _note(self, _change: Change, row: Row, _old: dict[str, Any]) -> None:
        if not isinstance(row, Enrollment):
            return
        if row.temporary_source_user_id is None:
            self._lent.pop(row.id, None)
        else:
            self._lent[row.id] = row
