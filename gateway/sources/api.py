"""Canvas's API as one source: rosters from lists of enrollments, courses from lists of courses."""

from collections.abc import Sequence
from datetime import datetime

from gateway.batch import Taken
from gateway.canvas.client import Meter
from gateway.needs import Need, Subject
from gateway.offers import Offer
from gateway.sources.courses import CoursesSource
from gateway.sources.enrollments import EnrollmentsSource
from gateway.viewer import Viewer
from models.roster import Source


class ApiSource:
    """Of one institution."""

    source = Source.ENROLLMENTS_API

    def __init__(self, *, enrollments: EnrollmentsSource, courses: CoursesSource) -> None:
        self._enrollments = enrollments
        self._courses = courses

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        return [
            *await self._enrollments.offers(needs, viewer, now),
            *await self._courses.offers(needs, viewer, now),
        ]

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,
    ) -> Sequence[Taken]:
        lists = self._courses if Subject.COURSES in offer.subjects else self._enrollments
        return await lists.fill(offer, needs, viewer, meter, background=background, run_id=run_id)
