"""How the roster is kept: the tables, with the institution at the head of every key.

Ids of rows are ours and never change; what Canvas, LTI or a SIS calls the same thing is a column or,
for people, an alias. References between rows are plain ids without database constraints, so that a
million rows load at the driver's speed (`docs/decisions/0002-no-foreign-keys.md`).
Timestamps are UTC. Texts of states, types, sources and kinds are the words of the graph.
"""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models.columns import ByteOrderedText


def row_id() -> fields.BigIntField:
    return fields.BigIntField(primary_key=True, generated=True)


# One school on one platform. `shard` is the one its Canvas lives on: global id = shard x 10^13 + local id.
#
# `feed_horizon`: the last position of the feed that is not kept any more; null: all are.
class Institution(Model):
    id = fields.IntField(primary_key=True, generated=True)
    slug = fields.CharField(max_length=64, unique=True)
    canvas_url = fields.CharField(max_length=255, null=True)
    root_account = fields.BigIntField(null=True)
    shard = fields.IntField(default=1)
    feed_position = fields.BigIntField(default=0)
    feed_horizon = fields.BigIntField(null=True)

    class Meta:
        table = "institution"


class Account(Model):
    id = row_id()
    institution_id = fields.IntField()
    canvas_id = fields.BigIntField(null=True)
    sis_id = fields.CharField(max_length=255, null=True)
    name = fields.TextField(null=True)
    parent_id = fields.BigIntField(null=True)
    state = fields.CharField(max_length=16, null=True)
    source = fields.CharField(max_length=16)
    as_of = fields.DatetimeField()
    row_hash = fields.BigIntField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "account"
        unique_together = (("institution_id", "canvas_id"),)
        indexes = (
            Index(fields=("institution_id", "sis_id"), name="account_sis"),
            Index(fields=("institution_id", "parent_id"), name="account_parent"),
        )


class Term(Model):
    id = row_id()
    institution_id = fields.IntField()
    canvas_id = fields.BigIntField(null=True)
    sis_id = fields.CharField(max_length=255, null=True)
    name = fields.TextField(null=True)
    state = fields.CharField(max_length=16, null=True)
    start_at = fields.DatetimeField(null=True)
    end_at = fields.DatetimeField(null=True)
    source = fields.CharField(max_length=16)
    as_of = fields.DatetimeField()
    row_hash = fields.BigIntField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "term"
        unique_together = (("institution_id", "canvas_id"),)
        indexes = (Index(fields=("institution_id", "sis_id"), name="term_sis"),)


# `search_key` holds name and code folded for search, `sort_key` the folded name (`models.text`).
class Course(Model):
    id = row_id()
    institution_id = fields.IntField()
    canvas_id = fields.BigIntField(null=True)
    sis_id = fields.CharField(max_length=255, null=True)
    integration_id = fields.CharField(max_length=255, null=True)
    uuid = fields.CharField(max_length=64, null=True)
    lti_context_id = fields.CharField(max_length=255, null=True)
    name = fields.TextField(null=True)
    course_code = fields.TextField(null=True)
    state = fields.CharField(max_length=16, null=True)
    start_at = fields.DatetimeField(null=True)
    end_at = fields.DatetimeField(null=True)
    time_zone = fields.CharField(max_length=64, null=True)
    account_id = fields.BigIntField(null=True)
    term_id = fields.BigIntField(null=True)
    sort_key = ByteOrderedText()
    search_key = fields.TextField()
    source = fields.CharField(max_length=16)
    as_of = fields.DatetimeField()
    row_hash = fields.BigIntField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "course"
        unique_together = (("institution_id", "canvas_id"),)
        indexes = (
            Index(fields=("institution_id", "sis_id"), name="course_sis"),
            Index(fields=("institution_id", "integration_id"), name="course_integration"),
            Index(fields=("institution_id", "lti_context_id"), name="course_lti_context"),
            Index(fields=("institution_id", "account_id", "id"), name="course_account"),
            Index(fields=("institution_id", "term_id", "id"), name="course_term"),
            Index(fields=("institution_id", "id"), name="course_page"),
            Index(fields=("institution_id", "sort_key", "id"), name="course_name"),
        )


# `course_id` is where the section is now; `origin_course_id` where it was cross-listed from.
class Section(Model):
    id = row_id()
    institution_id = fields.IntField()
    canvas_id = fields.BigIntField(null=True)
    sis_id = fields.CharField(max_length=255, null=True)
    integration_id = fields.CharField(max_length=255, null=True)
    name = fields.TextField(null=True)
    state = fields.CharField(max_length=16, null=True)
    start_at = fields.DatetimeField(null=True)
    end_at = fields.DatetimeField(null=True)
    course_id = fields.BigIntField()
    origin_course_id = fields.BigIntField(null=True)
    source = fields.CharField(max_length=16)
    as_of = fields.DatetimeField()
    row_hash = fields.BigIntField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "section"
        unique_together = (("institution_id", "canvas_id"),)
        indexes = (
            Index(fields=("institution_id", "sis_id"), name="section_sis"),
            Index(fields=("institution_id", "integration_id"), name="section_integration"),
            Index(fields=("institution_id", "course_id", "id"), name="section_course"),
        )


# One person, however many identifiers (`Identity`). Three groups of fields, each with its source and age:
#
# name (name … pronouns), login (login_id, sis_id, integration_id, state) and contact (email, avatar_url).
# `sort_key` is the folded sortable name, `search_key` all names folded (`models.text`).
class Person(Model):
    id = row_id()
    institution_id = fields.IntField()
    canvas_id = fields.BigIntField(null=True)
    uuid = fields.CharField(max_length=64, null=True)
    sis_id = fields.CharField(max_length=255, null=True)
    integration_id = fields.CharField(max_length=255, null=True)
    login_id = fields.CharField(max_length=255, null=True)
    state = fields.CharField(max_length=16, null=True)
    name = fields.TextField(null=True)
    sortable_name = fields.TextField(null=True)
    short_name = fields.TextField(null=True)
    given_name = fields.TextField(null=True)
    family_name = fields.TextField(null=True)
    pronouns = fields.TextField(null=True)
    email = fields.TextField(null=True)
    avatar_url = fields.TextField(null=True)
    sort_key = ByteOrderedText()
    search_key = fields.TextField()
    name_source = fields.CharField(max_length=16, null=True)
    name_as_of = fields.DatetimeField(null=True)
    login_source = fields.CharField(max_length=16, null=True)
    login_as_of = fields.DatetimeField(null=True)
    contact_source = fields.CharField(max_length=16, null=True)
    contact_as_of = fields.DatetimeField(null=True)
    row_hash = fields.BigIntField(null=True)
    merged_into_id = fields.BigIntField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "person"
        unique_together = (("institution_id", "canvas_id"),)
        indexes = (
            Index(fields=("institution_id", "id"), name="person_page"),
            Index(fields=("institution_id", "sort_key", "id"), name="person_name"),
            Index(fields=("institution_id", "merged_into_id"), name="person_merged"),
        )


# One identifier ever seen for a person.
#
# `kind`: lti13_sub, lti11_user_id, canvas_global_id, canvas_uuid, sis_user_id, integration_id, login_id, email.
# `scope`: what the value is unique in below the institution (a platform registration, an authentication
# provider), else "". `exclusive` is true while the alias is live and of a kind that names one person (every
# kind but email), else null: the unique constraint then lets one live alias stand and any number of ended ones.
class Identity(Model):
    id = row_id()
    institution_id = fields.IntField()
    person_id = fields.BigIntField()
    kind = fields.CharField(max_length=24)
    scope = fields.CharField(max_length=255, default="")
    value = fields.CharField(max_length=512)
    exclusive = fields.BooleanField(null=True)
    source = fields.CharField(max_length=16)
    context_course_id = fields.BigIntField(null=True)
    first_seen_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "identity"
        unique_together = (("institution_id", "kind", "scope", "value", "exclusive"),)
        indexes = (
            Index(fields=("institution_id", "person_id"), name="identity_person"),
            Index(fields=("institution_id", "kind", "value"), name="identity_value"),
        )


# Two records that claim one identifier, or one that fits two people: a person decides.
#
# `person_id` claims the identifier, `other_person_id` has it. `resolution`: a word of `Resolution`; `done`: what that
# did, as JSON, to be undone by.
class IdentityConflict(Model):
    id = row_id()
    institution_id = fields.IntField()
    kind = fields.CharField(max_length=24)
    scope = fields.CharField(max_length=255, default="")
    value = fields.CharField(max_length=512)
    person_id = fields.BigIntField(null=True)
    other_person_id = fields.BigIntField(null=True)
    source = fields.CharField(max_length=16)
    evidence = fields.TextField()
    proposal = fields.TextField(null=True)
    found_at = fields.DatetimeField()
    resolved_at = fields.DatetimeField(null=True)
    resolved_by_id = fields.BigIntField(null=True)
    resolution = fields.CharField(max_length=16, null=True)
    done = fields.TextField(null=True)

    class Meta:
        table = "identity_conflict"
        indexes = (Index(fields=("institution_id", "resolved_at"), name="identity_conflict_open"),)


# A person in a section, in one role.
#
# Found by its Canvas id when known, else by (section, person, role, associated person). Three groups of
# fields, each with its source and age: standing (type, role, state, section, limits, associated person),
# dates (start_at, end_at) and activity (created_at … sis_import_id). `missing_since`: began of the first whole
# read that should have shown it and did not, while nothing has yet proved that it ended.
class Enrollment(Model):
    id = row_id()
    institution_id = fields.IntField()
    canvas_id = fields.BigIntField(null=True)
    course_id = fields.BigIntField()
    section_id = fields.BigIntField(null=True)
    person_id = fields.BigIntField()
    type = fields.CharField(max_length=16)
    role = fields.CharField(max_length=255, null=True)
    role_id = fields.BigIntField(null=True)
    state = fields.CharField(max_length=20)
    limit_to_section = fields.BooleanField(null=True)
    associated_person_id = fields.BigIntField(null=True)
    start_at = fields.DatetimeField(null=True)
    end_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(null=True)
    updated_at = fields.DatetimeField(null=True)
    last_activity_at = fields.DatetimeField(null=True)
    total_activity_seconds = fields.BigIntField(null=True)
    sis_import_id = fields.BigIntField(null=True)
    standing_source = fields.CharField(max_length=16)
    standing_as_of = fields.DatetimeField()
    dates_source = fields.CharField(max_length=16, null=True)
    dates_as_of = fields.DatetimeField(null=True)
    activity_source = fields.CharField(max_length=16, null=True)
    activity_as_of = fields.DatetimeField(null=True)
    row_hash = fields.BigIntField(null=True)
    missing_since = fields.DatetimeField(null=True)
    removed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "enrollment"
        unique_together = (("institution_id", "canvas_id"),)
        indexes = (
            Index(fields=("institution_id", "course_id", "id"), name="enrollment_course"),
            Index(fields=("institution_id", "section_id", "id"), name="enrollment_section"),
            Index(fields=("institution_id", "person_id", "id"), name="enrollment_person"),
        )


# What NRPS and launches know: a person in a course, roles merged, no section. Never an enrollment.
#
# `types`: the graph's enrollment types, joined by commas; `roles`: role names as the source spells them, a JSON list.
class Membership(Model):
    id = row_id()
    institution_id = fields.IntField()
    course_id = fields.BigIntField()
    person_id = fields.BigIntField()
    types = fields.CharField(max_length=128)
    roles = fields.TextField(null=True)
    state = fields.CharField(max_length=20, null=True)
    source = fields.CharField(max_length=16)
    as_of = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "membership"
        unique_together = (("institution_id", "course_id", "person_id"),)
        indexes = (Index(fields=("institution_id", "person_id"), name="membership_person"),)


# One read of one source: what was asked, under whose authority, and whether the answer was whole.
#
# `scope_kind`: institution, account, course, section or person, with our id in `scope_id` (0 for the
# institution). `groups` and `states` are sorted words joined by commas; `authority` is admin, report, platform,
# or `person:<our id>`. The planner believes this table and nothing else.
class Coverage(Model):
    id = row_id()
    institution_id = fields.IntField()
    scope_kind = fields.CharField(max_length=16)
    scope_id = fields.BigIntField()
    subject = fields.CharField(max_length=16)
    source = fields.CharField(max_length=16)
    authority = fields.CharField(max_length=64)
    groups = fields.CharField(max_length=255)
    states = fields.CharField(max_length=255)
    began_at = fields.DatetimeField()
    ended_at = fields.DatetimeField()
    whole = fields.BooleanField()
    rows = fields.BigIntField(null=True)
    requests = fields.IntField(default=0)
    quota = fields.FloatField(default=0)
    sync_run_id = fields.BigIntField(null=True)

    class Meta:
        table = "coverage"
        indexes = (
            Index(
                fields=("institution_id", "scope_kind", "scope_id", "subject", "began_at"),
                name="coverage_scope",
            ),
            Index(fields=("institution_id", "source", "began_at"), name="coverage_source"),
        )


# One entry of the feed. (institution, position) is the order, given under the institution's lock.
class Change(Model):
    id = row_id()
    institution_id = fields.IntField()
    position = fields.BigIntField()
    at = fields.DatetimeField()
    kind = fields.CharField(max_length=16)
    subject_type = fields.CharField(max_length=16)
    subject_id = fields.BigIntField()
    course_id = fields.BigIntField(null=True)
    before = fields.TextField(null=True)
    after = fields.TextField(null=True)
    source = fields.CharField(max_length=16)
    sync_run_id = fields.BigIntField(null=True)
    sis_import_id = fields.BigIntField(null=True)
    actor_id = fields.BigIntField(null=True)

    class Meta:
        table = "change"
        unique_together = (("institution_id", "position"),)
        indexes = (
            Index(
                fields=("institution_id", "subject_type", "subject_id", "position"),
                name="change_subject",
            ),
            Index(fields=("institution_id", "course_id", "position"), name="change_course"),
        )


# One pass over one source: what it read and what came of it. `read_began_at` dates the facts. `paced_from` is the progress
# that it had at `paced_at`, when the work began that tells how fast it goes.
class SyncRun(Model):
    id = row_id()
    institution_id = fields.IntField()
    source = fields.CharField(max_length=16)
    scope_kind = fields.CharField(max_length=16)
    scope_id = fields.BigIntField()
    state = fields.CharField(max_length=16)
    label = fields.TextField(null=True)
    fingerprint = fields.CharField(max_length=64, null=True)
    started_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    read_began_at = fields.DatetimeField(null=True)
    progress = fields.FloatField(default=0)
    rows_read = fields.BigIntField(default=0)
    created = fields.BigIntField(default=0)
    updated = fields.BigIntField(default=0)
    removed = fields.BigIntField(default=0)
    unchanged = fields.BigIntField(default=0)
    set_aside = fields.BigIntField(default=0)
    held = fields.BigIntField(default=0)
    requests = fields.IntField(default=0)
    quota = fields.FloatField(default=0)
    message = fields.TextField(null=True)
    paced_from = fields.FloatField(null=True)
    paced_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sync_run"
        indexes = (Index(fields=("institution_id", "id"), name="sync_run_page"),)


# A job that was asked for, or one to be cancelled, on its way to the processes that run jobs; they take the row away.
class QueuedJob(Model):
    id = row_id()
    institution_id = fields.IntField()
    key = fields.CharField(max_length=128)
    name = fields.CharField(max_length=64)
    arguments = fields.TextField()
    cancelled = fields.BooleanField(default=False)
    asked_at = fields.DatetimeField()

    class Meta:
        table = "queued_job"
        unique_together = (("institution_id", "key"),)


# A process that runs jobs, and when it last said that it lives. PostgreSQL alone: with SQLite there is one.
class JobRunner(Model):
    id = row_id()
    name = fields.CharField(max_length=128, unique=True)
    seen_at = fields.DatetimeField()

    class Meta:
        table = "job_runner"


# A row of a run that could not be used, and why. `line` counts from 1, the header included.
class SetAside(Model):
    id = row_id()
    institution_id = fields.IntField()
    sync_run_id = fields.BigIntField()
    file = fields.CharField(max_length=255)
    line = fields.BigIntField()
    reason = fields.TextField()

    class Meta:
        table = "set_aside"
        indexes = (Index(fields=("institution_id", "sync_run_id"), name="set_aside_run"),)


# Somebody whom a membership list lacked when too many were missing at once: a person decides whether they go.
class HeldRemoval(Model):
    id = row_id()
    institution_id = fields.IntField()
    sync_run_id = fields.BigIntField()
    course_id = fields.BigIntField()
    person_id = fields.BigIntField()

    class Meta:
        table = "held_removal"
        unique_together = (("institution_id", "course_id", "person_id"),)
        indexes = (Index(fields=("institution_id", "sync_run_id"), name="held_removal_run"),)


# A piece of a report that an admin sent, until it is loaded: the process that loads it may run on another machine.
class UploadPart(Model):
    id = row_id()
    institution_id = fields.IntField()
    sync_run_id = fields.BigIntField()
    place = fields.IntField()
    content = fields.BinaryField()

    class Meta:
        table = "upload_part"
        unique_together = (("institution_id", "sync_run_id", "place"),)


# An answer that the same mutation with the same key gets again. `digest`: of the input.
class MutationAnswer(Model):
    id = row_id()
    institution_id = fields.IntField()
    caller = fields.CharField(max_length=64)
    key = fields.CharField(max_length=255)
    digest = fields.CharField(max_length=64)
    answer = fields.TextField()
    answered_at = fields.DatetimeField()

    class Meta:
        table = "mutation_answer"
        unique_together = (("institution_id", "caller", "key"),)


# A change that was asked for: written before Canvas is told, ended with what came of it, and kept as the audit.
#
# `caller` and `key`: whose idempotency key; `digest`: of `asked`, the input as JSON. `authority`: on whose rights Canvas
# was told (SERVICE, MASQUERADE, OWN_TOKEN). `state`: ASKED (nothing was told yet), TOLD (perhaps done), DONE, REFUSED.
# `target`: what no other change may touch meanwhile; `step`: what Canvas is told and what it is to become of it, `answer`:
# what Canvas said, both as JSON. `problem`: why it was not done, as JSON. `read_back`: the answer was lost, and looked up.
# `busy_until`: as long as a process that may still be at it is waited for.
class Intent(Model):
    id = row_id()
    institution_id = fields.IntField()
    operation = fields.CharField(max_length=32)
    caller = fields.CharField(max_length=64)
    key = fields.CharField(max_length=255, null=True)
    digest = fields.CharField(max_length=64)
    asked = fields.TextField()
    service = fields.CharField(max_length=255, null=True)
    actor_id = fields.BigIntField(null=True)
    real_user = fields.CharField(max_length=64, null=True)
    authority = fields.CharField(max_length=16, null=True)
    state = fields.CharField(max_length=8)
    target = fields.CharField(max_length=128, null=True)
    step = fields.TextField(null=True)
    answer = fields.TextField(null=True)
    problem = fields.TextField(null=True)
    read_back = fields.BooleanField(default=False)
    person_id = fields.BigIntField(null=True)
    course_id = fields.BigIntField(null=True)
    enrollment_id = fields.BigIntField(null=True)
    asked_at = fields.DatetimeField()
    told_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    busy_until = fields.DatetimeField()

    class Meta:
        table = "intent"
        unique_together = (("institution_id", "caller", "key"),)
        indexes = (
            Index(fields=("institution_id", "id"), name="intent_page"),
            Index(fields=("institution_id", "state", "target"), name="intent_open"),
            Index(fields=("institution_id", "person_id", "id"), name="intent_person"),
        )


# Rows that no change of many may touch. `enrollment_id` null: all of the person's; `person_id` is the enrollment's own.
class Pin(Model):
    id = row_id()
    institution_id = fields.IntField()
    person_id = fields.BigIntField()
    enrollment_id = fields.BigIntField(null=True)
    why = fields.TextField(null=True)
    pinned_by_id = fields.BigIntField(null=True)
    pinned_at = fields.DatetimeField()

    class Meta:
        table = "pin"
        indexes = (
            Index(fields=("institution_id", "person_id"), name="pin_person"),
            Index(fields=("institution_id", "id"), name="pin_page"),
        )


# A link that was mailed to somebody whom a launch brought and nobody knows, found again by its key, once.
#
# `held`: the launch, sealed (`gateway.lti.strangers`). `person_id`: whose account it is to be linked to; null: a new one.
# `address_digest`: SHA-256 of the address, so that nobody is sent too many.
class MailedLink(Model):
    id = row_id()
    institution_id = fields.IntField()
    digest = fields.CharField(max_length=64, unique=True)
    address_digest = fields.CharField(max_length=64)
    person_id = fields.BigIntField(null=True)
    held = fields.TextField()
    made_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "mailed_link"
        indexes = (
            Index(
                fields=("institution_id", "address_digest", "made_at"), name="mailed_link_address"
            ),
        )


# A service's credential; only the SHA-256 of the secret is kept. `scopes` are joined by spaces.
class ServiceToken(Model):
    id = row_id()
    institution_id = fields.IntField()
    name = fields.CharField(max_length=255)
    digest = fields.CharField(max_length=64, unique=True)
    scopes = fields.TextField()
    created_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)

    class Meta:
        table = "service_token"
        indexes = (Index(fields=("institution_id",), name="service_token_institution"),)


# A login on its way: what was asked of the platform, found again by the state that comes back, once.
#
# `state_digest` is the SHA-256 of the state; `jwks_url` tells two platforms apart that share issuer and client id.
class LtiLogin(Model):
    id = row_id()
    state_digest = fields.CharField(max_length=64, unique=True)
    nonce = fields.CharField(max_length=64)
    issuer = fields.CharField(max_length=255)
    client_id = fields.CharField(max_length=255)
    jwks_url = fields.CharField(max_length=1024)
    deployment_id = fields.CharField(max_length=255, null=True)
    target = fields.CharField(max_length=1024, null=True)
    storage_target = fields.CharField(max_length=255, null=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "lti_login"
        indexes = (Index(fields=("expires_at",), name="lti_login_expiry"),)


# A nonce that a launch has used; `scope` is the platform's registration or consumer key.
class LtiNonce(Model):
    id = row_id()
    scope = fields.CharField(max_length=512)
    digest = fields.CharField(max_length=64)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "lti_nonce"
        unique_together = (("scope", "digest"),)
        indexes = (Index(fields=("expires_at",), name="lti_nonce_expiry"),)


# A signing key of ours: one a period, so that two processes cannot both make it. `sealed` is its private JWK.
class LtiKey(Model):
    id = row_id()
    period = fields.IntField(unique=True)
    kid = fields.CharField(max_length=64)
    sealed = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "lti_key"


# A platform that registered us by itself (dynamic registration), beside those of the configuration.
class LtiRegistration(Model):
    id = row_id()
    institution_id = fields.IntField()
    issuer = fields.CharField(max_length=255)
    client_id = fields.CharField(max_length=255)
    auth_url = fields.CharField(max_length=1024)
    token_url = fields.CharField(max_length=1024)
    jwks_url = fields.CharField(max_length=1024)
    platform_guid = fields.CharField(max_length=255, null=True)
    registered_at = fields.DatetimeField()

    class Meta:
        table = "lti_registration"
        unique_together = (("institution_id", "issuer", "client_id"),)


# An installation of the tool that launched without being configured: refused until an operator accepts it.
class LtiDeployment(Model):
    id = row_id()
    institution_id = fields.IntField()
    issuer = fields.CharField(max_length=255)
    client_id = fields.CharField(max_length=255)
    deployment_id = fields.CharField(max_length=255)
    platform_guid = fields.CharField(max_length=255, null=True)
    platform_name = fields.TextField(null=True)
    first_seen_at = fields.DatetimeField()
    last_seen_at = fields.DatetimeField()
    accepted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "lti_deployment"
        unique_together = (("institution_id", "issuer", "client_id", "deployment_id"),)


# Where a course was launched from, and where its roster can be asked for over LTI.
class LtiContext(Model):
    id = row_id()
    institution_id = fields.IntField()
    issuer = fields.CharField(max_length=255)
    client_id = fields.CharField(max_length=255)
    context_id = fields.CharField(max_length=255)
    deployment_id = fields.CharField(max_length=255)
    course_id = fields.BigIntField()
    memberships_url = fields.TextField(null=True)
    resource_link_id = fields.CharField(max_length=255, null=True)
    launched_at = fields.DatetimeField()

    class Meta:
        table = "lti_context"
        unique_together = (("institution_id", "issuer", "client_id", "context_id"),)
        indexes = (Index(fields=("institution_id", "course_id"), name="lti_context_course"),)


# A launched person at work: who, where, with which roles. Its secrets are `SessionSecret`s.
#
# `types` and `shown` are words joined by spaces: enrollment types that the launch's roles mean in `course_id`, and what
# the privacy level let through (name, email, picture, sis). `real_user`: the Canvas id of whoever acts as this person.
class LaunchSession(Model):
    id = row_id()
    institution_id = fields.IntField()
    person_id = fields.BigIntField(null=True)
    course_id = fields.BigIntField(null=True)
    account_canvas_id = fields.BigIntField(null=True)
    types = fields.CharField(max_length=128)
    roles = fields.TextField()
    shown = fields.CharField(max_length=64)
    real_user = fields.CharField(max_length=64, null=True)
    platform_origin = fields.CharField(max_length=255, null=True)
    started_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    ended_at = fields.DatetimeField(null=True)
    # Canvas ids of the only sections whose people are seen; null: not limited.
    sections = fields.TextField(null=True)

    class Meta:
        table = "launch_session"
        indexes = (Index(fields=("institution_id", "person_id"), name="launch_session_person"),)


# What opens a session: a cookie, a code for a host product (once), or the token it was exchanged for.
class SessionSecret(Model):
    id = row_id()
    institution_id = fields.IntField()
    session_id = fields.BigIntField()
    kind = fields.CharField(max_length=8)
    digest = fields.CharField(max_length=64, unique=True)
    host = fields.CharField(max_length=255, null=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "session_secret"
        indexes = (Index(fields=("institution_id", "session_id"), name="session_secret_session"),)


# What Canvas answered that a person may do, with its age.
#
# `scope_kind`: course or account, with our id in `scope_id`; root (the root account) and accounts (that it was asked
# which ones they administer), with 0. `rights` are Canvas's names joined by spaces; `sections`: a JSON list of the Canvas
# ids of the only sections that they see of a course, null where Canvas does not cut it.
class PermissionAnswer(Model):
    id = row_id()
    institution_id = fields.IntField()
    person_id = fields.BigIntField()
    scope_kind = fields.CharField(max_length=16)
    scope_id = fields.BigIntField()
    rights = fields.TextField()
    sections = fields.TextField(null=True)
    asked_at = fields.DatetimeField()

    class Meta:
        table = "permission_answer"
        unique_together = (("institution_id", "person_id", "scope_kind", "scope_id"),)


# A connection to Canvas that a person is about to grant, found again by the state that comes back, once.
#
# `verifier_sealed`: of the PKCE challenge. `session_id`: the launched session that asked; another browser's is refused.
class OauthRequest(Model):
    id = row_id()
    institution_id = fields.IntField()
    person_id = fields.BigIntField()
    session_id = fields.BigIntField()
    state_digest = fields.CharField(max_length=64, unique=True)
    verifier_sealed = fields.TextField()
    scopes = fields.TextField()
    return_to = fields.CharField(max_length=1024, null=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "oauth_request"
        indexes = (Index(fields=("expires_at",), name="oauth_request_expiry"),)


# A person's own Canvas token. `version` counts its values: whoever renews one says which they saw, and others wait until
# `renewing_until`, because Canvas lets the last one die as it makes the next.
#
# `scopes`: what was asked for when it was granted. `broken_at`: since when Canvas does not take it, and `broken_why`.
class CanvasToken(Model):
    id = row_id()
    institution_id = fields.IntField()
    person_id = fields.BigIntField()
    client_id = fields.CharField(max_length=255)
    version = fields.IntField(default=1)
    access_sealed = fields.TextField()
    refresh_sealed = fields.TextField(null=True)
    scopes = fields.TextField()
    expires_at = fields.DatetimeField(null=True)
    renewing_until = fields.DatetimeField(null=True)
    granted_at = fields.DatetimeField()
    renewed_at = fields.DatetimeField(null=True)
    broken_at = fields.DatetimeField(null=True)
    broken_why = fields.TextField(null=True)

    class Meta:
        table = "canvas_token"
        unique_together = (("institution_id", "person_id"),)


# The key of the pseudonyms by which one client knows people; `client` is the name of its service token.
class PseudonymKey(Model):
    id = row_id()
    institution_id = fields.IntField()
    client = fields.CharField(max_length=255)
    sealed = fields.TextField()
    made_at = fields.DatetimeField()

    class Meta:
        table = "pseudonym_key"
        unique_together = (("institution_id", "client"),)


# Who read whose data. On SQLite these rows stand in a file of their own (`gateway.store.access_log`).
#
# `credential`: service or session, with its id in `credential_id`. `person_id`: who asked, or for whom the service did;
# `real_user`: the Canvas id of whoever acted as them. `subject_kind`: User or Course (of a list of its people), with our
# id in `subject_id`, 0 for the institution's. `shown`: the fields of the graph, joined by spaces.
class AccessRecord(Model):
    id = row_id()
    institution_id = fields.IntField()
    at = fields.DatetimeField()
    credential = fields.CharField(max_length=16)
    credential_id = fields.BigIntField()
    person_id = fields.BigIntField(null=True)
    real_user = fields.CharField(max_length=64, null=True)
    subject_kind = fields.CharField(max_length=16)
    subject_id = fields.BigIntField()
    people = fields.IntField()
    shown = fields.TextField()
    request_id = fields.CharField(max_length=64, null=True)

    class Meta:
        table = "access_record"
        indexes = (
            Index(
                fields=("institution_id", "subject_kind", "subject_id", "at"),
                name="access_record_subject",
            ),
            Index(fields=("institution_id", "at"), name="access_record_time"),
        )


# Where a client is sent what changed. `client` is the name of its service tokens, which say what it may be told.
#
# `which`: the changes that are meant, as JSON. `position`: up to where in the feed messages were made. `former_sealed` signs
# beside the new secret until `former_until`. `failing_since`: of the first attempt since the last that succeeded.
# `claimed_until`: while a process sends.
class Webhook(Model):
    id = row_id()
    institution_id = fields.IntField()
    client = fields.CharField(max_length=255)
    url = fields.CharField(max_length=1024)
    which = fields.TextField()
    position = fields.BigIntField()
    secret_sealed = fields.TextField()
    former_sealed = fields.TextField(null=True)
    former_until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    failing_since = fields.DatetimeField(null=True)
    disabled_at = fields.DatetimeField(null=True)
    disabled_why = fields.TextField(null=True)
    claimed_until = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook"
        indexes = (Index(fields=("institution_id", "client"), name="webhook_client"),)


# A stretch of the feed on its way to a webhook, kept until it is delivered; its text is made from the feed for each attempt.
#
# Waiting while `delivered_at` and `dead_at` are null; dead once it was tried for as long as is tried.
class WebhookMessage(Model):
    id = row_id()
    institution_id = fields.IntField()
    webhook_id = fields.BigIntField()
    name = fields.CharField(max_length=64)
    after_position = fields.BigIntField()
    until_position = fields.BigIntField()
    made_at = fields.DatetimeField()
    attempts = fields.IntField(default=0)
    next_at = fields.DatetimeField()
    last_status = fields.IntField(null=True)
    last_error = fields.TextField(null=True)
    delivered_at = fields.DatetimeField(null=True)
    dead_at = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook_message"
        indexes = (Index(fields=("institution_id", "webhook_id", "id"), name="webhook_messages"),)


# A Live Event that was taken in, so that it is not taken twice. `digest`: SHA-256 of what tells it from others.
class LiveEvent(Model):
    id = row_id()
    institution_id = fields.IntField()
    digest = fields.CharField(max_length=64)
    name = fields.CharField(max_length=64)
    happened_at = fields.DatetimeField(null=True)
    received_at = fields.DatetimeField()

    class Meta:
        table = "live_event"
        unique_together = (("institution_id", "digest"),)


# A scope of which something was told that only a read can complete: reads that began before `since` do not answer for it.
class DueScope(Model):
    id = row_id()
    institution_id = fields.IntField()
    scope_kind = fields.CharField(max_length=16)
    scope_id = fields.BigIntField()
    since = fields.DatetimeField()
    why = fields.TextField()

    class Meta:
        table = "due_scope"
        unique_together = (("institution_id", "scope_kind", "scope_id"),)


# What one kind of call to Canvas was found to cost (`gateway.prices`). On SQLite a file beside the database keeps it.
class LearnedPrice(Model):
    id = row_id()
    institution_id = fields.IntField()
    endpoint = fields.CharField(max_length=64)
    quota = fields.FloatField()
    seconds = fields.FloatField()
    calls = fields.IntField()

    class Meta:
        table = "learned_price"
        unique_together = (("institution_id", "endpoint"),)


# A change of many enrollments: planned, and perhaps carried out.
#
# `person_id`: on whose rights; null: the admin token's. `drop_state`: how whoever goes ends. `path`: the chosen one;
# `costs`: of each, as JSON. `removals` of `people` go; `held`: that waits for a person. `wish`: PAUSE or CANCEL, for the
# job to see. `file_sent_at`: when the SIS file was about to be sent; `import_id`: as what Canvas took it. `data_set`: which
# enrollments its file speaks of (`sis_data_set.scope`), where Canvas may compare it with the one before; `sent_as`: a word of
# `SisSending`, and `sent_because` why. `exactly`: the sections that are to have its rows and nobody else
# (`gateway.roster_change.Exactly`), as JSON.
class RosterChange(Model):
    id = row_id()
    institution_id = fields.IntField()
    state = fields.CharField(max_length=16)
    caller = fields.CharField(max_length=64)
    person_id = fields.BigIntField(null=True)
    path = fields.CharField(max_length=16)
    costs = fields.TextField()
    removals = fields.IntField(default=0)
    people = fields.IntField(default=0)
    held = fields.BooleanField(default=False)
    as_of = fields.DatetimeField(null=True)
    planned_at = fields.DatetimeField()
    asked_at = fields.DatetimeField(null=True)
    checked_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    wish = fields.CharField(max_length=8, null=True)
    message = fields.TextField(null=True)
    undoes_id = fields.BigIntField(null=True)
    sync_run_id = fields.BigIntField(null=True)
    file_sent_at = fields.DatetimeField(null=True)
    import_id = fields.CharField(max_length=32, null=True)
    import_state = fields.CharField(max_length=32, null=True)
    data_set = fields.CharField(max_length=64, null=True)
    sent_as = fields.CharField(max_length=12, null=True)
    sent_because = fields.TextField(null=True)
    exactly = fields.TextField(null=True)
    requests = fields.IntField(default=0)
    quota = fields.FloatField(default=0)

    class Meta:
        table = "roster_change"
        indexes = (Index(fields=("institution_id", "id"), name="roster_change_page"),)


# A row of a change. `place` orders them; `row` is the caller's number, null for who goes unnamed.
#
# `said`: the row as it was given; `step`: what it was found to mean (`gateway.change_paths.Carried`), as JSON; null where
# it means nothing that is known. `line`: its first in the SIS file. `status`: a word of `gateway.store.roster_changes`.
class RosterChangeRow(Model):
    id = row_id()
    institution_id = fields.IntField()
    roster_change_id = fields.BigIntField()
    place = fields.IntField()
    row = fields.IntField(null=True)
    said = fields.TextField(null=True)
    outcome = fields.CharField(max_length=8)
    reason = fields.TextField(null=True)
    step = fields.TextField(null=True)
    by_file = fields.BooleanField(default=False)
    line = fields.IntField(null=True)
    status = fields.CharField(max_length=12)
    message = fields.TextField(null=True)
    advice = fields.TextField(null=True)
    enrollment_id = fields.BigIntField(null=True)

    class Meta:
        table = "roster_change_row"
        unique_together = (("institution_id", "roster_change_id", "place"),)


# What Canvas was told of a row of a change, once for each time, on whose rights (`gateway.store.intended.Authority`), and what
# it answered, both as JSON; null: the answer was lost, and looked up.
class RosterExchange(Model):
    id = row_id()
    institution_id = fields.IntField()
    roster_change_id = fields.BigIntField()
    place = fields.IntField()
    told_at = fields.DatetimeField()
    authority = fields.CharField(max_length=12)
    told = fields.TextField()
    answer = fields.TextField(null=True)

    class Meta:
        table = "roster_exchange"
        indexes = (
            Index(
                fields=("institution_id", "roster_change_id", "place"), name="roster_exchange_row"
            ),
        )


# A SIS file that Canvas compares with the one before it, or will the next with it; of each data set the last that was imported.
#
# `scope`: which enrollments it speaks of (`roster_change.data_set`); `identifier`: what Canvas knows the data set by;
# `differing`: lines of `file` that differ from the one before, as JSON, null where Canvas compares nothing.
class SisDataSet(Model):
    id = row_id()
    institution_id = fields.IntField()
    scope = fields.CharField(max_length=64)
    identifier = fields.CharField(max_length=64)
    roster_change_id = fields.BigIntField()
    file = fields.TextField()
    differing = fields.TextField(null=True)
    import_id = fields.CharField(max_length=32, null=True)
    imported_at = fields.DatetimeField(null=True)

    class Meta:
        table = "sis_data_set"
        unique_together = (("institution_id", "roster_change_id"),)
        indexes = (Index(fields=("institution_id", "scope"), name="sis_data_set_scope"),)
