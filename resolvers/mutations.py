"""The Mutation type: what can be changed, and how a change that cannot be made is told."""

from typing import Annotated, Any

import strawberry

from gateway.desk import Settled
from models.roster import MutationErrorCode
from resolvers import desk, nodes
from resolvers.context import Info
from resolvers.provenance import described
from resolvers.types import User, resolved


@strawberry.interface(description="Why a mutation was not carried out.")
class MutationError:
    code: MutationErrorCode = described("What kind of reason it is.")
    message: str = described("The same in words.")
    path: list[str] | None = described("The field of the input that it is about.")


@strawberry.type(description="A reason that lies in what was asked, or in how things stand.")
class InputError(MutationError):
    @classmethod
    def is_type_of(cls, _row: object, _info: object) -> bool:
        """There is no other kind yet."""
        return True


@strawberry.type(description="A person, after a mutation.")
class UserPayload:
    errors: list[MutationError] = described("Why it was not done; empty where it was.")

    user: User | None = resolved(
        nodes.link("User", "user_id"), "The person whom it was about; null where it was not done."
    )


async def _resolve_identity(
    info: Info,
    input: Annotated[  # noqa: A002  the graph's name
        desk.ResolveIdentityInput, strawberry.argument(description="What is decided.")
    ],
) -> Any:
    return _payload(await desk.decide(info, input))


def _payload(settled: Settled) -> dict[str, object]:
    problem = settled.problem
    errors = []
    if problem is not None:
        path = list(problem.path) or None
        errors = [{"code": problem.code, "message": problem.message, "path": path}]
    return {"user_id": settled.user_id, "errors": errors}


@strawberry.type(
    description="What can be changed. A change that cannot be made is told in `errors` of the payload."
)
class Mutation:
    resolve_identity: UserPayload = strawberry.mutation(
        resolver=_resolve_identity,
        description="Settle a conflict of the identity desk, or take back how it was settled. Needs the scope `admin`.",
    )
