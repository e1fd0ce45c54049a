"""A whole school from the seed: accounts, terms, roles, keys, the cast and the crowd around it."""

import gc

from twin import making, opaque_ids
from twin.calendar import half_year
from twin.cast import Cast, add_cast
from twin.cast_people import TOKEN_HOLDERS
from twin.clock import Clock, FixedClock
from twin.crowd import Crowd
from twin.developer_keys import BUILT_IN_KEY, add_keys, key_id
from twin.observing import Observing
from twin.options import Options
from twin.records import AuthenticationProvider
from twin.roles import add_roles
from twin.school import ROOT_ACCOUNT_ID, School


def generate(options: Options, clock: Clock) -> tuple[School, Cast]:
    """The school as it stood when the current term began; from here on `clock` counts."""
    begin = half_year(clock.now()).start_at
    school = School(FixedClock(begin), options)
    collecting = gc.isenabled()
    gc.disable()  # half a million rows without a cycle among them
    try:
        add_roles(school, begin)
        school.add(
            AuthenticationProvider(
                id=1, account_id=ROOT_ACCOUNT_ID, type="canvas", created_at=begin, updated_at=begin
            )
        )
        school.listeners.append(Observing(school))
        cast = add_cast(school)
        Crowd(school, cast).add()
        add_keys(school)
        add_tokens(school, cast)
    finally:
        if collecting:
            gc.enable()
    school.clock = clock
    return school, cast


def add_tokens(school: School, cast: Cast) -> None:
    """A manual token for everybody in the cast who needs one."""
    manual_key = key_id(school, BUILT_IN_KEY)
    for key in TOKEN_HOLDERS:
        value = opaque_ids.token_value(school.options.seed, key)
        making.make_token(school, cast.people[key], manual_key, value, purpose=f"twin: {key}")
        cast.tokens[key] = value
