"""The Mutation type: what can be changed, and how a change that cannot be made is told."""

from typing import Annotated, Any

import strawberry

from gateway.desk import Settled
from resolvers import changing, desk, mutation_errors, nodes, pins, roster_changes, syncs, webhooks
from resolvers.context import Info
from resolvers.mutation_errors import MutationError
from resolvers.provenance import described
from resolvers.types import User, resolved


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
        errors = [mutation_errors.row_of(problem.code, problem.message, problem.path)]
    return {"user_id": settled.user_id, "errors": errors}


@strawberry.type(
    description="What can be changed. A change that cannot be made is told in `errors` of the payload."
)
class Mutation:
    create_enrollment: changing.EnrollmentPayload = strawberry.mutation(
        resolver=changing.create,
        description="Enroll a person. One who is enrolled so already is refused, for Canvas would reset that enrollment's fields.",
    )
    update_enrollment: changing.EnrollmentPayload = strawberry.mutation(
        resolver=changing.update,
        description="Change an enrollment's dates, limits or state, and nothing else of it.",
    )
    end_enrollment: changing.EnrollmentPayload = strawberry.mutation(
        resolver=changing.end,
        description="Conclude, deactivate or delete an enrollment. One that has ended so already stays as it is.",
    )
    reactivate_enrollment: changing.EnrollmentPayload = strawberry.mutation(
        resolver=changing.reactivate, description="Make an enrollment active again that ended."
    )
    create_user: UserPayload = strawberry.mutation(
        resolver=changing.create_user,
        description="Make a person with a login. Enroll them with `createEnrollment`.",
    )
    pin: pins.PinPayload = strawberry.mutation(
        resolver=pins.pin,
        description="Protect an enrollment, or all of a person's, from changes of many. Needs the scope `admin`.",
    )
    unpin: pins.PinPayload = strawberry.mutation(
        resolver=pins.unpin, description="Take the protection away again. Needs the scope `admin`."
    )
    resolve_identity: UserPayload = strawberry.mutation(
        resolver=_resolve_identity,
        description="Settle a conflict of the identity desk, or take back how it was settled. Needs the scope `admin`.",
    )
    create_webhook: webhooks.WebhookPayload = strawberry.mutation(
        resolver=webhooks.create,
        description="Send changes to an address from now on. Needs a service token with `changes:read`, or the scope `admin`.",
    )
    update_webhook: webhooks.WebhookPayload = strawberry.mutation(
        resolver=webhooks.update, description="Change a webhook, switch it on or off, or send anew."
    )
    rotate_webhook_secret: webhooks.WebhookPayload = strawberry.mutation(
        resolver=webhooks.rotate,
        description="Give a webhook a new secret. For a while both sign, so that nothing is missed.",
    )
    replay_webhook: webhooks.WebhookPayload = strawberry.mutation(
        resolver=webhooks.replay, description="Try anew messages that were given up."
    )
    delete_webhook: webhooks.WebhookPayload = strawberry.mutation(
        resolver=webhooks.delete, description="Send nothing there any more, and forget it."
    )
    plan_roster_change: roster_changes.RosterChangePlanPayload = strawberry.mutation(
        resolver=roster_changes.plan,
        description="Many rows: what would happen, row by row, and by which path. Writes nothing.",
    )
    apply_roster_change: roster_changes.RosterChangePayload = strawberry.mutation(
        resolver=roster_changes.apply,
        description="Does exactly what the plan says, or refuses because the roster moved. It runs as a job: `syncProgress` follows"
        " its `syncRun`. After a pause it goes on.",
    )
    undo_roster_change: roster_changes.RosterChangePayload = strawberry.mutation(
        resolver=roster_changes.undo,
        description="Plans what takes a change back, and says of each row that cannot be taken back why. applyRosterChange does it.",
    )
    pause_roster_change: roster_changes.RosterChangePayload = strawberry.mutation(
        resolver=roster_changes.pause,
        description="Stop after the row that Canvas is being told of, until applyRosterChange goes on.",
    )
    cancel_roster_change: roster_changes.RosterChangePayload = strawberry.mutation(
        resolver=roster_changes.cancel,
        description="Stop, and leave what Canvas was not told of. What was done stays: undoRosterChange takes it back.",
    )
    start_sync: syncs.SyncRunPayload = strawberry.mutation(
        resolver=syncs.start,
        description="Read from Canvas now. A sync of the same scope by the same source that is not over yet is shared."
        " Needs the scope `roster:write` or `admin`, as do the other mutations of syncs.",
    )
    cancel_sync: syncs.SyncRunPayload = strawberry.mutation(
        resolver=syncs.cancel,
        description="Stop a sync. What it has written stays, for each part of it was true.",
    )
    confirm_held: syncs.SyncRunPayload = strawberry.mutation(
        resolver=syncs.confirm,
        description="Let the removals that a run holds through. Whom a newer read has shown since stays; of a membership list"
        " nobody goes who was not seen to be held, and nobody at all where the course was read or one of them seen since.",
    )
    import_report: syncs.SyncRunPayload = strawberry.mutation(
        resolver=syncs.import_report,
        description="Load a provisioning report or a SIS export that an admin sent, by a multipart request. `syncProgress` follows it.",
    )
