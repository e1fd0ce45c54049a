"""Which changes may go as a SIS file that Canvas compares with the one before it: those that say a whole roster (pure)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.change_paths import Carried, Names, Path, divided, not_by_sis
from gateway.roster_change import Exactly, Outcome, Step
from models.roster import EnrollmentState


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A SIS file that says all of a roster, so that Canvas may compare it with the one before.

    `scope`: which roster; `staying`: steps that change nothing, and are said all the same.
    """

    scope: str
    staying: tuple[Step, ...]


def data_set(rows: Sequence[Carried], exactly: Exactly, names: Names) -> DataSet | None:
    """None where the change reaches beyond the sections whose roster is said whole: their file must not speak of others."""
    division = divided(Path.SIS_IMPORT, rows)
    places = {
        part.section
        for step in division.imported
        for part in (step.key, *([] if step.leaves is None else [step.leaves.key]))
    }
    if not division.imported or not places <= exactly.sections:
        return None
    said = f"{sorted(exactly.sections)} {sorted(exactly.types)}"
    return DataSet(
        scope=hashlib.sha256(said.encode()).hexdigest(),
        staying=tuple(
            one.step
            for one in rows
            if _stays(one.step)
            and one.step.key.section in exactly.sections
            and not_by_sis(one.step, names) is None
        ),
    )


def _stays(step: Step) -> bool:
    """Not one that is not there and need not be, nor the row that says where somebody moves from."""
    known = step.before
    return (
        step.outcome is Outcome.NOTHING
        and step.reason is None
        and known is not None
        and known.state is not EnrollmentState.DELETED
        and not known.pinned
    )
