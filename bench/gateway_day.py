"""A day's traffic through the real gateway: every answer is held against the truth as it was at the answer's as-of."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bench.kept_truth import History, contradictions, shown_of
from bench.policies import Price, Result, Tariff
from bench.school_twin import CLIENT_ID, ISSUER, URL, SchoolTwin
from bench.traffic import HOUR, Ask, Churn, Event, Nightly, Wants
from gateway.canvas.client import Call, Meter
from gateway.canvas.enrollment_lists import Lists, Place
from gateway.canvas.members import LONGEST_PAGE, MEDIA_TYPE
from gateway.canvas.service_tokens import NRPS
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.outcomes import Asking, Outcome
from gateway.uow import Transaction
from models.canvas_ids import to_global
from models.roster import MEMBER_STATES, ROSTER_STATES, FieldGroup
from twin.records import Course, Enrollment
from twin.school_changes import CHANGES

_GROUPS = {
    Wants.MEMBERS: frozenset({FieldGroup.NAME}),
    Wants.STANDING: frozenset({FieldGroup.STANDING, FieldGroup.NAME}),
    Wants.CONTACT: frozenset({FieldGroup.STANDING, FieldGroup.NAME, FieldGroup.CONTACT}),
    Wants.ACTIVITY: frozenset({FieldGroup.STANDING, FieldGroup.NAME, FieldGroup.ACTIVITY}),
}
_EVERYBODY = Scope(kind=ScopeKind.INSTITUTION, id=0)


class GatewayDay:
    """One at a time: who comes while somebody is served is served right after, as of then."""

    def __init__(self, twin: SchoolTwin) -> None:
        self.twin = twin
        self.result = Result(name="**the gateway**")
        self.reports: list[datetime] = []
        self.history: defaultdict[int, History] = defaultdict(History)
        self.examples: list[str] = []
        self._ours: dict[int, int] = {}
        self._launched: set[int] = set()
        self._students = sorted(
            {
                row.user_id
                for row in twin.school.enrollments.values()
                if row.type == "StudentEnrollment"
            }
        )
        self._judged: set[tuple[int, Wants, datetime, int, int]] = set()
        self._reads: Counter[int] = Counter()

    async def prepare(self, courses: Sequence[int]) -> None:
        """The report of the evening before, which nobody is charged for."""
        for course in courses:
            self._remember(course)
        await self._report()
        rows = await self.twin.database.rows(
            "select id, canvas_id from course where institution_id = $1", self.twin.institution.id
        )
        shard = self.twin.institution.shard
        ours = {int(row["canvas_id"]): int(row["id"]) for row in rows}
        self._ours = {course: ours[to_global(str(course), shard)] for course in courses}

    async def run(self, events: Sequence[Event], *, said: Callable[[str], None]) -> Result:
        """`said`: is told how far it is, every hour of the day."""
        hour = -1
        self.twin.app.state.bill.clear()
        self.result.requests, self.result.units = 0, 0.0
        self.result.bought.clear()
        for event in events:
            clock = self.twin.clock
            clock.advance(max(timedelta(0), event.at - clock.now()))
            if event.at.hour != hour:
                hour = event.at.hour
                said(f"{event.at:%H:%M} in the school: {self.result.answers:,} rosters shown")
            if isinstance(event, Churn):
                self._change(event)
            elif isinstance(event, Nightly):
                await self._report()
            else:
                await self._serve(event)
        lines = self.twin.bill()
        self.result.requests = int(sum(line["requests"] for line in lines.values()))
        self.result.units = sum(line["units"] for line in lines.values())
        self.result.token_units = sum(
            line["units"] for endpoint, line in lines.items() if endpoint.endswith("/token")
        )
        return self.result

    def changed(self, course: int, after: datetime, until: datetime) -> bool:
        return self.history[course].changed(after, until)

    async def _serve(self, ask: Ask) -> None:
        if ask.launch and ask.courses[0] not in self._launched:
            await self._launch(ask.courses[0])
        needs = [self._need(ask, course) for course in ask.courses]
        asking = Asking(viewer=self.twin.viewer, now=self.twin.clock.now())
        outcomes = await self.twin.reads.ensure(needs, asking)
        waited = self.twin.clock.now() - asking.now
        self.result.waits.append(waited.total_seconds())
        await self._judge(ask, needs, outcomes, asking.now)
        if any(outcome.wants_refresh(asking.now) for outcome in outcomes):
            await self.twin.reads.refreshed()
            self._reads.update(ask.courses)
        self._book(ask.at)

    async def _judge(
        self, ask: Ask, needs: Sequence[Need], outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        self._reads.update(
            course for course, one in zip(ask.courses, outcomes, strict=True) if one.tries
        )
        told = await self.twin.local.offers(needs, self.twin.viewer, self.twin.clock.now())
        for place, outcome in enumerate(outcomes):
            self.result.answers += 1
            self.result.local += outcome.served_locally and outcome.by is not None
            as_of = next((one.as_of for one in told if place in one.needs), None)
            if outcome.by is None or as_of is None:
                self.result.unmet += 1
                self._example(f"unmet: {ask}: {outcome.gap}")
                continue
            if now - as_of > ask.max_age:
                self.result.said_old += ask.allow_stale
                self.result.too_old += not ask.allow_stale
            await self._compare(ask.courses[place], ask.wants, as_of)

    async def _compare(self, course: int, wants: Wants, as_of: datetime) -> None:
        """Once for each state of the store: between two reads of a course it does not change."""
        judged = course, wants, as_of, self._reads[course], len(self.reports)
        if judged in self._judged:
            return
        self._judged.add(judged)
        shown = await shown_of(self.twin, self._ours[course], wants)
        spoken = self.history[course].spoken(wants, as_of, self.twin.clock.now())
        wrong = contradictions(shown.told, spoken)
        self.result.held += len(wrong & shown.held)
        if wrong := wrong - shown.held:
            self.result.wrong += 1
            self._example(f"contradicts: course {course}, {wants}, {as_of}: {sorted(wrong)[:4]}")

    def _example(self, words: str) -> None:
        if len(self.examples) < 20:
            self.examples.append(words)

    def _book(self, at: datetime) -> None:
        """What was spent since it was last looked."""
        items = self.twin.app.state.bill._items.values()  # noqa: SLF001  its JSON is dear to make so often
        units = sum(item.units for item in items)
        if self.result.units != units:
            self.result.bought.append((at, units - self.result.units))
            self.result.units = units

    def _need(self, ask: Ask, course: int) -> Need:
        members = ask.wants is Wants.MEMBERS
        return Need(
            scope=Scope(kind=ScopeKind.COURSE, id=self._ours[course]),
            subject=Subject.MEMBERS if members else Subject.ENROLLMENTS,
            groups=_GROUPS[ask.wants],
            states=frozenset(MEMBER_STATES if members else ROSTER_STATES),
            max_age=ask.max_age,
            allow_stale=ask.allow_stale,
        )

    async def _report(self) -> None:
        """As an operator's timer would have it."""
        need = Need(
            scope=_EVERYBODY,
            subject=Subject.ENROLLMENTS,
            groups=_GROUPS[Wants.CONTACT],
            states=frozenset(ROSTER_STATES),
            max_age=HOUR,
            deadline=2 * HOUR,
        )
        asking = Asking(viewer=self.twin.viewer, now=self.twin.clock.now(), background=True)
        [outcome] = await self.twin.reads.ensure([need], asking)
        [offer] = await self.twin.local.offers([need], self.twin.viewer, self.twin.clock.now())
        if outcome.by is None or offer.as_of is None:
            raise RuntimeError(f"the nightly report did not come: {outcome.gap}")
        self.reports.append(offer.as_of)
        self._book(asking.now)

    async def _launch(self, course: int) -> None:
        """What a launch tells of where the course's roster is."""
        self._launched.add(course)
        record = self._course(course)

        async def work(tx: Transaction) -> None:
            await tx.run(
                "insert into lti_context (institution_id, course_id, issuer, client_id, deployment_id, context_id,"
                " memberships_url, launched_at) values ($1, $2, $3, $4, '1:bench', $5, $6, $7)",
                self.twin.institution.id,
                self._ours[course],
                ISSUER,
                CLIENT_ID,
                record.lti_context_id,
                f"{URL}/api/lti/courses/{course}/names_and_roles",
                self.twin.clock.now(),
            )

        await self.twin.database.transact(work)

    def _change(self, churn: Churn) -> None:
        """Every other time somebody leaves, else comes."""
        school, course = self.twin.school, self._course(churn.course)
        here = sorted(
            {
                row.user_id
                for row in self._rows(course)
                if row.type == "StudentEnrollment" and row.workflow_state == "active"
            }
        )
        if churn.draw < 0.5 and here:
            user = here[int(churn.draw * 2 * len(here))]
            CHANGES["drop"](user=str(user), course=str(course.id)).apply(school)
        else:
            user = self._students[int((churn.draw * 2 % 1) * len(self._students))]
            CHANGES["enrol"](user=str(user), course=str(course.id)).apply(school)
        self._remember(course.id)

    def _course(self, course: int) -> Course:
        found: Course = self.twin.school.courses[course]
        return found

    def _rows(self, course: Course) -> Sequence[Enrollment]:
        return list(self.twin.school.enrollments_of_course.of(course.id))

    def _remember(self, course: int) -> None:
        self.history[course].note(self.twin.clock.now(), self._rows(self._course(course)))


async def measured(
    twin: SchoolTwin, courses: Sequence[int], report: Price, lasts: timedelta
) -> Tariff:
    """What a whole read of each course costs, asked as plainly as can be."""
    api: dict[int, Price] = {}
    nrps: dict[int, Price] = {}
    for course in courses:
        began, meter = twin.clock.now(), Meter()
        place = Place(
            path=f"/courses/{course}/enrollments",
            kind="course",
            id=to_global(str(course), twin.institution.shard),
        )
        call = Call(credential=twin.credentials.admin(), meter=meter)
        lists = Lists(canvas=twin.canvas, call=call, place=place, shard=twin.institution.shard)
        await lists.read(frozenset(ROSTER_STATES))
        api[course] = _price(meter, twin.clock.now() - began)
        began, meter = twin.clock.now(), Meter()
        call = Call(credential=twin.tokens.credential(twin.registration, NRPS), meter=meter)
        url = f"{URL}/api/lti/courses/{course}/names_and_roles?limit={LONGEST_PAGE}"
        async for _ in twin.canvas.containers(call, url, MEDIA_TYPE, names_its_pages=True):
            pass
        nrps[course] = _price(meter, twin.clock.now() - began)
        await twin_rests(twin)
    return Tariff(api=api, nrps=nrps, report=report, report_lasts=lasts)


async def twin_rests(twin: SchoolTwin) -> None:
    """Let the buckets leak, so that nothing of the next price is waiting."""
    twin.clock.advance(timedelta(seconds=2))


def _price(meter: Meter, waited: timedelta) -> Price:
    return Price(requests=meter.requests, units=meter.quota, seconds=waited.total_seconds())
