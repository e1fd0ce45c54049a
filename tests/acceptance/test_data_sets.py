"""A school that asks for diffing, through the whole stack: whole rosters over HTTP, and what their imports cost is kept."""

import json
from pathlib import Path

from gateway.app import create_app, roster_graph
from gateway.settings import load
from tests.acceptance.test_roster_changes import PLAN, ask, newcomer, over, section_of, states
from tests.acceptance.upstream import configured, connected, filled, twin_served
from tests.twin.serving import served


async def test_a_school_that_asks_for_diffing_gets_it_and_what_it_costs_is_kept(
    tmp_path: Path,
) -> None:
    sent = """mutation ($input: ApplyRosterChangeInput!) { applyRosterChange(input: $input) {
      rosterChange { id removals syncRun { id } } errors { code } } }"""
    find = "query ($id: ID!) { rosterChange(id: $id) { state sentAs sentBecause } }"
    with twin_served(sis_queue_seconds=0.1) as twin:
        file = configured(twin, f"sqlite://{tmp_path / 'roster.db'}", tmp_path)
        text = file.read_text()
        file.write_text(text.replace("[[institution]]", "[[institution]]\nsis_diffing = true"))
        settings, section = load(file), section_of(twin)
        token = filled(twin, settings, tmp_path)
        people = [newcomer(twin, f"whole{number}") for number in range(4)]
        with served(create_app(settings, make_graph=roster_graph, jobs=True)) as address:
            async with connected(address, token) as client:
                told = []
                for named in (people[:3], people[1:]):
                    rows = [f"SIS-{one.name},{section.sis_source_id},STUDENT" for one in named]
                    asked = {
                        "csv": "\n".join(["sis_user_id,sis_section_id,type", *rows]),
                        "exactly": {"sections": [{"sisId": section.sis_source_id}]},
                        "path": "SIS_IMPORT",
                        "maxAge": "PT0S",
                    }
                    plan = (await ask(client, PLAN, input=asked))["plan"]
                    asked = {"rosterChange": plan["id"], "confirmRemovals": plan["removals"]}
                    begun = (await ask(client, sent, input=asked))["rosterChange"]
                    await over(client, plan, begun["syncRun"]["id"])
                    told.append(await ask(client, find, id=plan["id"]))
    assert [(one["state"], one["sentAs"]) for one in told] == [
        ("SUCCEEDED", "WHOLE"),
        ("SUCCEEDED", "DIFFERENCE"),
    ]
    assert [states(twin, one) for one in people] == [["deleted"], *[["active"]] * 3]
    learned = json.loads((tmp_path / "roster.db.prices").read_text())
    assert {"SIS upload", "enrollment page"} <= {name for kept in learned.values() for name in kept}
