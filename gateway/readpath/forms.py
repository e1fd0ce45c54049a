"""What a response shows of a value: how it is written as JSON, and the members of an object in their order.

Forms are made of a valid selection (`resolvers.compiling`); what writes values in them is generated (`writers`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False, slots=True)
class Leaf:
    """A scalar. A value of the type `kept`, if any, stands in the response as it is; `write` makes one of any other."""

    kept: type | None
    write: Callable[[Any], Any]


@dataclass(frozen=True, eq=False, slots=True)
class Words:
    """An enumeration: the graph's word for each value."""

    words: Mapping[Any, str]


@dataclass(frozen=True, eq=False, slots=True)
class Each:
    """A list."""

    of: "Value"


@dataclass(frozen=True, eq=False, slots=True)
class Written:
    """Something that stands already as it is shown."""


@dataclass(frozen=True, eq=False, slots=True)
class Member:
    """A field of an object: `key` in the response, `name` in the graph.

    `value` None: it is resolved on its own, for all such objects at once, and set when that is done; what does so is
    `resolved`, which is nobody's business here.
    """

    key: str
    name: str
    value: "Value | None"
    resolved: Any = None


@dataclass(frozen=True, eq=False, slots=True)
class Object:
    """An object of one type; `members` may hold `__typename`. `waiting`: those that are resolved on their own."""

    type_name: str
    members: tuple[Member, ...]
    waiting: tuple[Member, ...] = field(init=False)

    def __post_init__(self) -> None:
        waiting = tuple(one for one in self.members if one.value is None)
        object.__setattr__(self, "waiting", waiting)  # the class is frozen


@dataclass(frozen=True, eq=False, slots=True)
class OneOf:
    """An object of one of several types; its row tells which under `__typename`."""

    objects: Mapping[str, Object]


Form = Leaf | Words | Each | Written | Object | OneOf


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    form: Form
    required: bool


TYPE_NAME = "__typename"
