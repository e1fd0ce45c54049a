"""Arguments that the graph's lists have in common."""

from datetime import datetime
from typing import Annotated

import strawberry

from resolvers import inputs

First = Annotated[
    int | None,
    strawberry.argument(description="How many, from the front. Omitted: 50; at most 5000."),
]
After = Annotated[
    str | None, strawberry.argument(description="Those behind this cursor: `endCursor` of a page.")
]
Last = Annotated[
    int | None, strawberry.argument(description="How many, from the end. At most 5000.")
]
Before = Annotated[
    str | None,
    strawberry.argument(description="Those before this cursor: `startCursor` of a page."),
]
Fresh = Annotated[
    inputs.Freshness | None,
    strawberry.argument(name="freshness", description="How old the answer may be."),
]
_WHICH = strawberry.argument(name="filter", description="Which ones; omitted: as said above.")
WhichEnrollments = Annotated[inputs.EnrollmentFilter | None, _WHICH]
WhichCourses = Annotated[inputs.CourseFilter | None, _WHICH]
WhichSections = Annotated[inputs.SectionFilter | None, _WHICH]
WhichUsers = Annotated[inputs.UserFilter | None, _WHICH]
WhichRuns = Annotated[inputs.SyncRunFilter | None, _WHICH]
AsOf = Annotated[
    datetime | None,
    strawberry.argument(
        name="asOf",
        description="As it was known then, and what each row links to; Canvas is not asked. Omitted: now.",
    ),
]
_BY = strawberry.argument(description="The order; omitted: by ID.")
EnrollmentsBy = Annotated[inputs.EnrollmentOrder | None, _BY]
CoursesBy = Annotated[inputs.CourseOrder | None, _BY]
UsersBy = Annotated[inputs.UserOrder | None, _BY]
