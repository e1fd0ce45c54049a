"""The three questions every server is asked, and the shape that every answer must have.

q1: one course, its first 100 enrollments; q2: the same, all (up to 5,000) of the largest course;
q3: 50 courses x their sections x the first 20 enrollments of each (the N+1 shape).
"""

from dataclasses import dataclass

_ENROLLMENT = "id type state user { id name email sisId } section { id name }"


@dataclass(frozen=True, kw_only=True)
class Question:
    name: str
    document: str
    first: int | None


QUESTIONS = (
    Question(
        name="q1",
        document="query Q1($course: ID!) { course(by: {canvasId: $course}) { id name"
        f" enrollments(first: 100) {{ nodes {{ {_ENROLLMENT} }} }} }} }}",
        first=100,
    ),
    Question(
        name="q2",
        document="query Q2($course: ID!) { course(by: {canvasId: $course}) { id name"
        f" enrollments(first: 5000) {{ nodes {{ {_ENROLLMENT} }} }} }} }}",
        first=5000,
    ),
    Question(
        name="q3",
        document="query Q3 { courses(first: 50) { nodes { id name sections(first: 50) { nodes { id name"
        f" enrollments(first: 20) {{ nodes {{ {_ENROLLMENT} }} }} }} }} }} }} }}",
        first=None,
    ),
)
