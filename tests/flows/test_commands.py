"""`manage.py flow`: what it runs and checks in the terminal, and what it says to a slip."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from flows import lifecycle
from flows.drafts import import_file
from tests.flows.makers import make_entity
from tests.flows.stage import Stage

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = {"type": "object", "required": ["total"], "properties": {"total": {"type": "number"}}}


def run(*words: Any) -> str:
    out = io.StringIO()
    call_command(*map(str, words), stdout=out)
    return out.getvalue()


def refusal(*words: Any) -> str:
    with pytest.raises(CommandError) as refused:
        run(*words)
    return str(refused.value)


def a_flow(slug: str = "echo", body: Any = None, start: Any = None, **more: Any) -> dict[str, Any]:
    """Start and answer."""
    nodes = [
        {"number": 1, "type": "start", "settings": start or {}, "exits": {"next": 2}},
        {"number": 2, "type": "api_end", "settings": {"body": body}},
    ]
    return {"format": 1, "slug": slug, "name": slug, "nodes": nodes, **more}


@pytest.fixture
def saved(tmp_path: Path) -> Any:
    """Saves a flow file and gives its path."""

    def save(file: dict[str, Any]) -> Path:
        path = tmp_path / f"{file['slug']}.json"
        path.write_text(json.dumps(file))
        return path

    return save


# --- flow run ----------------------------------------------------------------------------------------------------------


def test_a_payload_that_does_not_meet_the_schema_is_refused_as_at_the_route(saved: Any) -> None:
    path = saved(a_flow(start={"payload_schema": SCHEMA}))
    assert "Answer 200" in run("flow", "run", path, "--payload", '{"total": 1}')
    said = refusal("flow", "run", path, "--payload", '{"total": "x"}')
    assert said == "422 payload_refused: The payload doesn't meet the schema: /total must be of type number."
    assert "Answer 200" in run("flow", "run", path, "--payload", '{"total": "x"}', "--step", "2")


def test_a_schema_that_is_none_gets_one_clear_line(saved: Any) -> None:
    path = saved(a_flow(start={"payload_schema": {"type": 5}}))
    assert refusal("flow", "run", path).startswith("The payload_schema can't be used: /type ")


@pytest.mark.parametrize("step", [0, -1, 9])
def test_a_step_that_is_not_there_is_refused(saved: Any, step: int) -> None:
    assert refusal("flow", "run", saved(a_flow()), "--step", step) == f"There is no step {step}. The flow has 1, 2."


def test_queries_and_headers_are_given_as_a_caller_would(saved: Any) -> None:
    path = saved(a_flow(body=["{{ query.a }}", "{{ query_all.a }}", "{{ headers.x_key }}"]))
    words = ["--query", "a=1", "--query", "a=2=3", "--header", "X-Key=s"]
    told = run("flow", "run", path, *words)
    assert json.loads(told.partition("Answer 200\n")[2]) == ["2=3", ["1", "2=3"], "s"]
    assert refusal("flow", "run", path, "--query", "a") == "--query takes NAME=VALUE; 'a' has no =."
    assert refusal("flow", "run", path, "--header", "=a") == "--header takes NAME=VALUE; '=a' has no name."


@pytest.mark.parametrize("stand_in", [{"code": "x"}, 5, None, {"code": 200, "headers": 5}])
def test_a_stand_in_that_is_none_gets_one_clear_line(saved: Any, stand_in: Any) -> None:
    path = saved(a_flow(cases=[{"name": "a", "stand_ins": {"api_end_2": stand_in}}]))
    assert refusal("flow", "run", path).startswith("cases[0].stand_ins.api_end_2")


def jumping(step: int = 1) -> dict[str, Any]:
    """Sets `who` and goes on in the flow `echo`."""
    file = a_flow("jump")
    file["nodes"][0]["exits"] = {"next": 3}
    setter = {"assignments": [{"name": "who", "value": "Ann"}]}
    file["nodes"].append(
        {"number": 3, "type": "set_variable", "settings": setter, "exits": {"yes": {"flow": "echo", "step": step}}}
    )
    return file


def test_without_an_entity_a_jump_ends_the_try(saved: Any) -> None:
    told = run("flow", "run", saved(jumping()))
    assert told.endswith("Goes on in flow echo at step 1, which isn't in this file.\n")


@pytest.mark.django_db
def test_with_an_entity_a_jump_goes_on_in_the_draft_of_the_other_flow(saved: Any) -> None:
    shop = make_entity("shop", ana="builder")
    path = saved(jumping())
    assert "CT04 There is no flow 'echo' to go on in." in refusal("flow", "run", path, "--entity", "shop")
    import_file(shop, json.dumps(a_flow(body="Hello {{ who }}")), by=User.objects.get(username="ana"))
    told = run("flow", "run", path, "--entity", "shop")
    assert "Goes on in flow echo at step 1.\n" in told
    assert told.endswith('Answer 200\n"Hello Ann"\n')
    assert "CT04 Flow echo has no step 7." in refusal("flow", "run", saved(jumping(7)), "--entity", "shop")


# --- The rest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["check", "run"])
@pytest.mark.parametrize("name", ["none.json", "./none", "/nowhere/none.json"])
def test_a_file_that_is_not_there_is_said_to_be(verb: str, name: str) -> None:
    assert refusal("flow", verb, name) == f"There is no file {name}."


def test_flow_list_shows_the_numbers_that_one_can_roll_back_to(stage: Stage) -> None:
    flow = stage.draft()
    for _ in range(2):
        stage.deployed(flow)
    assert run("flow", "list").split("\t")[2] == "deployed 2; retired 1"
    retired = flow.versions.get(number=1)
    lifecycle.perform("deploy", retired, by=stage.cleo)
    assert run("flow", "list").split("\t")[2] == "deployed 1; retired 2"


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "manage.py", "setup", "--schema"]
    env = {**os.environ, "DEBUG": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_steps_are_told_as_a_run_would_keep_them(saved: Any) -> None:
    schema = {"properties": {"card": {"x-sensitive": True}}}
    path = saved(a_flow(body="{{ payload.card }}", start={"payload_schema": schema}))
    file = json.loads(path.read_text())
    setter = {"assignments": [{"name": "said", "value": "card {{ payload.card }}"}, {"name": "pin", "value": "4711"}]}
    file["nodes"][0]["exits"] = {"next": 3}
    file["nodes"].append({"number": 3, "type": "set_variable", "settings": setter, "exits": {"yes": 2}})
    told = run("flow", "run", saved(file), "--payload", '{"card": "4111-1111"}')
    steps, _, answer = told.partition("Answer 200\n")
    assert '{"said":"card ••••","pin":"••••"}' in steps
    assert json.loads(answer) == "4111-1111"
