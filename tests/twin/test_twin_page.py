"""The twin's page in the documentation names all there is."""

from dataclasses import fields
from pathlib import Path

import pytest
from starlette.routing import Route

from twin import control
from twin.faults import Kind
from twin.options import Options
from twin.school_changes import CHANGES

PAGE = (Path(__file__).parents[2] / "docs" / "twin.md").read_text()
ROUTES = sorted({route.path for route in control.routes if isinstance(route, Route)})


@pytest.mark.parametrize(
    "name", [*(field.name for field in fields(Options)), *map(str, Kind), *CHANGES]
)
def test_every_switch_fault_and_change_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("route", ROUTES)
def test_every_control_route_is_named(route: str) -> None:
    plain = route.replace(":int", "").replace(":path", "")

    assert plain in PAGE


def test_every_change_names_its_fields() -> None:
    for name, change in CHANGES.items():
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        for field in change.__struct_fields__:
            assert f"`{field}`" in row, f"{name}.{field}"
