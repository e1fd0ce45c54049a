"""What a team writes first: Strawberry types over Tortoise models, a DataLoader for each relation, nothing else."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypedDict

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.relay import GlobalID
from tortoise import Tortoise
from tortoise.models import Model

from gateway.uow import orm_config
from models import tables

INSTITUTION = 1
STATES = ["ACTIVE", "INVITED", "CREATION_PENDING"]


class Loaders(TypedDict):
    person: DataLoader[int, Any]
    section: DataLoader[int, Any]
    sections: DataLoader[int, list[Any]]


def by_id(model: type[Model]) -> DataLoader[int, Any]:
    async def load(keys: list[int]) -> list[Any]:
        found = {row.pk: row for row in await model.filter(institution_id=INSTITUTION, id__in=keys)}
        return [found.get(key) for key in keys]

    return DataLoader(load)


async def sections_of(keys: list[int]) -> list[list[Any]]:
    rows: dict[int, list[Any]] = {key: [] for key in keys}
    found = tables.Section.filter(institution_id=INSTITUTION, course_id__in=keys, removed_at=None)
    for section in await found.order_by("id"):
        rows[section.course_id].append(section)
    return [rows[key] for key in keys]


def loaders() -> Loaders:
    return {
        "person": by_id(tables.Person),
        "section": by_id(tables.Section),
        "sections": DataLoader(sections_of),
    }


def global_id(kind: str, row: Any) -> strawberry.ID:
    return strawberry.ID(str(GlobalID(kind, str(row.id))))


@strawberry.type
class User:
    row: strawberry.Private[Any]
    name: str | None
    email: str | None
    sis_id: str | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return global_id("User", self.row)

    @classmethod
    def of(cls, row: Any) -> "User":
        return cls(row=row, name=row.name, email=row.email, sis_id=row.sis_id)


@strawberry.type
class Enrollment:
    row: strawberry.Private[Any]
    type: str
    state: str

    @strawberry.field
    def id(self) -> strawberry.ID:
        return global_id("Enrollment", self.row)

    @strawberry.field
    async def user(self, info: strawberry.Info[Any]) -> User:
        return User.of(await info.context["person"].load(self.row.person_id))

    @strawberry.field
    async def section(self, info: strawberry.Info[Any]) -> "Section | None":
        if self.row.section_id is None:
            return None
        return Section.of(await info.context["section"].load(self.row.section_id))

    @classmethod
    def of(cls, row: Any) -> "Enrollment":
        return cls(row=row, type=row.type, state=row.state)


@strawberry.type
class Enrollments:
    nodes: list[Enrollment]


async def enrollments(first: int, **where: object) -> Enrollments:
    rows: Sequence[Any] = (
        await tables.Enrollment.filter(
            institution_id=INSTITUTION, state__in=STATES, removed_at=None, **where
        )
        .order_by("id")
        .limit(first)
    )
    return Enrollments(nodes=[Enrollment.of(row) for row in rows])


@strawberry.type
class Section:
    row: strawberry.Private[Any]
    name: str | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return global_id("Section", self.row)

    @strawberry.field
    async def enrollments(self, first: int = 50) -> Enrollments:
        return await enrollments(first, section_id=self.row.id)

    @classmethod
    def of(cls, row: Any) -> "Section":
        return cls(row=row, name=row.name)


@strawberry.type
class Sections:
    nodes: list[Section]


@strawberry.type
class Course:
    row: strawberry.Private[Any]
    name: str | None

    @strawberry.field
    def id(self) -> strawberry.ID:
        return global_id("Course", self.row)

    @strawberry.field
    async def enrollments(self, first: int = 50) -> Enrollments:
        return await enrollments(first, course_id=self.row.id)

    @strawberry.field
    async def sections(self, info: strawberry.Info[Any], first: int = 50) -> Sections:
        rows = await info.context["sections"].load(self.row.id)
        return Sections(nodes=[Section.of(row) for row in rows[:first]])

    @classmethod
    def of(cls, row: Any) -> "Course":
        return cls(row=row, name=row.name)


@strawberry.type
class Courses:
    nodes: list[Course]


@strawberry.input(one_of=True)
class CourseBy:
    canvas_id: strawberry.Maybe[strawberry.ID]


@strawberry.type
class Query:
    @strawberry.field
    async def course(self, by: CourseBy) -> Course | None:
        if by.canvas_id is None:
            return None
        canvas_id = 10_000_000_000_000 + int(by.canvas_id.value)
        row = await tables.Course.get_or_none(institution_id=INSTITUTION, canvas_id=canvas_id)
        return Course.of(row) if row else None

    @strawberry.field
    async def courses(self, first: int = 50) -> Courses:
        rows = (
            await tables.Course.filter(institution_id=INSTITUTION, removed_at=None)
            .order_by("id")
            .limit(first)
        )
        return Courses(nodes=[Course.of(row) for row in rows])


class View(GraphQL[Any, Any]):
    async def get_context(
        self, request: Request | WebSocket, response: Response | WebSocket
    ) -> Loaders:
        return loaders()


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    url = os.environ["BENCH_DATABASE"]
    await Tortoise.init(config=orm_config(url), _enable_global_fallback=True)
    yield
    await Tortoise.close_connections()


app = Starlette(
    routes=[Route("/graphql", View(strawberry.Schema(Query), graphql_ide=None), methods=["POST"])],
    lifespan=lifespan,
)
