"""The office of one school that changes many enrollments, as the app puts it together."""

from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.canvas.client import Canvas
from gateway.canvas.credentials import Credentials
from gateway.canvas.sis_imports import SisImports, Sleep
from gateway.merge import Guard
from gateway.prices import PriceBook
from gateway.readpath.connections import Connections
from gateway.uow import Database
from gateway.writes.acting import Actors
from gateway.writes.roster_jobs import Office
from gateway.writes.roster_planning import Planning
from gateway.writes.roster_reading import RosterReading
from models.roster import EnrollmentState


def made_office(
    database: Database,
    connections: Connections,
    canvas: Canvas,
    institution_id: int,
    *,
    credentials: Credentials,
    clock: Callable[[], datetime],
    sleep: Sleep,
    guard: Guard = Guard(),  # noqa: B008  frozen
) -> Office:
    prices = PriceBook()
    return Office(
        planning=Planning(
            database=database,
            connections=connections,
            prices=prices,
            guard=guard,
            reading=RosterReading(
                database=database,
                canvas=canvas,
                prices=prices,
                clock=clock,
                institution_id=institution_id,
                shard=1,
            ),
        ),
        actors=Actors(
            institution_id=institution_id, shard=1, database=database, credentials=credentials
        ),
        imports=SisImports(canvas=canvas, account="self", sleep=sleep),
        drop=EnrollmentState.DELETED,
        max_age=timedelta(minutes=15),
    )
