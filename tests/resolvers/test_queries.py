"""What a caller gets who asks the stored roster."""

from tests.factories import School
from tests.resolvers.conftest import Graph


async def test_a_course_brings_its_sections_people_and_enrollments(
    graph: Graph, school: School
) -> None:
    account = await school.add("account", name="Science", canvas_id=None)
    course = await school.course(canvas=412, name="Botany", account_id=account, sis_id="BOT1")
    section = await school.section(course, canvas=918, name="Morning")
    zoe = await school.person(canvas=2231, name="Zoe Neil", email="Zoe@example.edu")
    await school.enroll(zoe, section, course, canvas=90412)

    data = await graph.ask(
        """{ course(by: {canvasId: "412"}) {
            canvasId name state account { name }
            sections { nodes { canvasId name course { name } } }
            enrollments { nodes { canvasId type state user { canvasId name email } section { name } } }
            members { nodes { user { name } types roles state sections { name } } }
            enrollmentCounts { counts { type role state section { name } count } }
        } }"""
    )

    assert data == {
        "course": {
            "canvasId": "412",
            "name": "Botany",
            "state": "AVAILABLE",
            "account": {"name": "Science"},
            "sections": {
                "nodes": [{"canvasId": "918", "name": "Morning", "course": {"name": "Botany"}}]
            },
            "enrollments": {
                "nodes": [
                    {
                        "canvasId": "90412",
                        "type": "STUDENT",
                        "state": "ACTIVE",
                        "user": {
                            "canvasId": "2231",
                            "name": "Zoe Neil",
                            "email": "Zoe@example.edu",
                        },
                        "section": {"name": "Morning"},
                    }
                ]
            },
            "members": {
                "nodes": [
                    {
                        "user": {"name": "Zoe Neil"},
                        "types": ["STUDENT"],
                        "roles": ["StudentEnrollment"],
                        "state": "ACTIVE",
                        "sections": [{"name": "Morning"}],
                    }
                ]
            },
            "enrollmentCounts": {
                "counts": [
                    {
                        "type": "STUDENT",
                        "role": "StudentEnrollment",
                        "state": "ACTIVE",
                        "section": {"name": "Morning"},
                        "count": 1,
                    }
                ]
            },
        }
    }
