"""The documentation is true: its examples run, its answers are what is really said, and nothing is left out."""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import ProgrammingError, connection
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from flows import contents, lifecycle
from flows.drafts import import_file
from flows.engine.node import NODE_TYPES
from flows.engine.strictjson import loads, pretty
from flows.issues import KINDS
from flows.issues.base import FINDERS
from routing.problem import PROBLEMS
from routing.setup_file import read_setup, setup_schema
from tests.flows.issues.test_golden import test_a_flow_has_exactly_the_issues_that_its_case_says as check_issue_case
from tests.flows.makers import make_entity
from tests.flows.test_nodes import test_a_node_does_what_its_cases_say as check_node_case
from tests.pages import PAGES, ROOT, Block, blocks, prose
from tests.story import Story

BLOCKS = [block for page in PAGES for block in blocks(page)]
VAT = next(block for block in BLOCKS if block.file == "vat.json")
JSON = [block for block in BLOCKS if block.language == "json"]
STORIES = [page for page in PAGES if any(block.language in ("sh", "console") for block in blocks(page))]
LANGUAGES = {"json", "sh", "console", "python", "sql", "ini", "nginx", "text", "language"}
OURS = {"chatflow", "flows", "routing", "integrations"}


def name(page: Path) -> str:
    return page.name


def page_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


# --- Examples run ------------------------------------------------------------------------------------------------------


@pytest.fixture
def story(
    live_server: LiveServer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Story]:
    """A server, an empty database, and a folder to be in."""
    url = f"http://127.0.0.1:{live_server.thread.port}"
    settings.PUBLIC_URL = url
    settings.DEBUG = True
    settings.ROOT_URLCONF = "tests.docs_urls"
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    monkeypatch.setenv("CHATFLOW_DEMO_URL", url)
    monkeypatch.setattr(
        "flows.hints._publisher.put", lambda run_id: None
    )  # there is no broker; Story.work takes its place
    monkeypatch.chdir(tmp_path)
    contents.forget()
    yield Story(tmp_path, url, monkeypatch)
    contents.forget()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("told", STORIES, ids=name)
def test_the_commands_of_a_page_do_what_it_says(story: Story, told: Path) -> None:
    story.play(told)


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert block.language in LANGUAGES, f"{block} is {block.language!r}, which nothing checks"


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_is_strict(block: Block) -> None:
    loads(block.text)


@pytest.mark.django_db
@pytest.mark.parametrize("block", [block for block in JSON if '"nodes"' in block.text], ids=str)
def test_flow_files_can_be_imported(block: Block) -> None:
    import_file(make_entity("shop", ana="builder"), block.text, by=User.objects.get(username="ana"))


@pytest.mark.parametrize("block", [block for block in JSON if '"entities"' in block.text], ids=str)
def test_setup_files_can_be_read(block: Block) -> None:
    read_setup(block.text)


EXAMPLES = {block.file: block for block in BLOCKS if block.page.name == "architecture.md" and block.file}


def test_the_example_of_a_node_type_does_what_its_cases_say(tmp_path: Path) -> None:
    try:
        load(EXAMPLES["flows/nodes/word_count.py"], tmp_path)
        for case in loads(EXAMPLES["tests/flows/nodes/word_count.json"].text):
            check_node_case("word_count", case)
    finally:
        NODE_TYPES.pop("word_count", None)


def test_the_example_of_an_issue_is_found(tmp_path: Path) -> None:
    before = len(FINDERS)
    try:
        load(EXAMPLES["flows/issues/no_label.py"], tmp_path)
        for case in loads(EXAMPLES["tests/flows/issues/no_label.json"].text):
            check_issue_case(case)
    finally:
        KINDS.pop("no_label", None)
        del FINDERS[before:]


def load(block: Block, directory: Path) -> None:
    """Import the module that a block shows."""
    file = directory / Path(block.file).name
    file.write_text(block.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[file.stem] = importlib.util.module_from_spec(spec)  # where pydantic looks annotations up
    spec.loader.exec_module(sys.modules[file.stem])


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "ini"], ids=str)
def test_services_have_command_lines_that_are_read(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in re.findall(r"^ExecStart=\S+/bin/(.+)$", block.text, re.MULTILINE):
        Story(tmp_path, "", monkeypatch).run(shlex.split(line))


@pytest.mark.django_db(transaction=True)
def test_the_role_of_the_application_can_work_and_cannot_drop_triggers() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("Roles are PostgreSQL's.")
    (sql,) = [block.text for block in BLOCKS if block.language == "sql"]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        try:
            cursor.execute("SET ROLE chatflow_app")
            shop = make_entity("shop", ana="builder", cleo="approver")
            flow = import_file(shop, VAT.text, by=User.objects.get(username="ana"))
            version = lifecycle.submit(flow, by=User.objects.get(username="ana"))
            lifecycle.perform("approve", version, by=User.objects.get(username="cleo"))
            with pytest.raises(ProgrammingError, match="must be owner"):
                cursor.execute("DROP TRIGGER chatflow_version_frozen ON flows_version")
        finally:
            cursor.execute("RESET ROLE; DROP OWNED BY chatflow_app; DROP ROLE chatflow_app")


# --- Nothing is left out -----------------------------------------------------------------------------------------------


def test_the_example_of_settings_and_the_settings_name_the_same() -> None:
    """The one list is for people, the other is what is read; `docs/operations.md` says what each means."""
    in_example = set(re.findall(r"^#?([A-Z_]+)=", page_of(".env.example"), re.MULTILINE))
    assert in_example == set(settings_read())
    assert [each for each in sorted(in_example) if f"`{each}`" not in page_of("docs/operations.md")] == []


def settings_read() -> Iterator[str]:
    for node in ast.walk(ast.parse(page_of("chatflow/settings.py"))):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        reader = ast.unparse(node.func)
        if reader == "_secret" or (reader.startswith("env.") and reader != "env.read_env"):
            yield from (str(name) for name in [node.args[0].value] if str(name).isupper())


COMMANDS = {each: load_command_class(app, each) for each, app in sorted(get_commands().items()) if app in OURS}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_and_their_options_are_documented(command: str) -> None:
    page = page_of("docs/commands.md")
    missing = [words for words in words_of(COMMANDS[command], command) if not re.search(rf"{words}\b", page)]
    assert missing == []


def words_of(command: BaseCommand, name: str) -> Iterator[str]:
    """`flow`, `flow import`, `--as` and so on, without what every command of Django has."""
    everybodys = {option for action in BaseCommand().create_parser("", "")._actions for option in action.option_strings}
    yield f"manage.py {name}"
    for action in command.create_parser("manage.py", name)._actions:
        if isinstance(action, argparse._SubParsersAction):
            for verb, parser in action.choices.items():
                yield f"{name} {verb}"
                yield from (each for one in parser._actions for each in one.option_strings if each not in everybodys)
        else:
            yield from (each for each in action.option_strings if each not in everybodys)


@pytest.mark.parametrize(
    ("told", "codes"),
    [("docs/front-door.md", PROBLEMS), ("docs/issues.md", KINDS), ("docs/nodes.md", NODE_TYPES)],
    ids=["problems", "issues", "node types"],
)
def test_every_code_is_documented(told: str, codes: dict[str, Any]) -> None:
    assert [code for code in codes if f"`{code}`" not in page_of(told)] == []


def test_every_part_of_the_setup_file_is_documented() -> None:
    page, schema = page_of("docs/setup-file.md"), setup_schema()
    keys = {key for each in [schema, *schema["$defs"].values()] for key in each["properties"]}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_the_schema_of_the_setup_file_is_up_to_date() -> None:
    assert page_of("docs/setup-file.schema.json") == pretty(setup_schema()), (
        "make it anew: python manage.py setup --schema > docs/setup-file.schema.json"
    )


# --- What is said is there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", PAGES, ids=name)
def test_links_lead_somewhere(told: Path) -> None:
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(told)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (told.parent / file).resolve() if file else told
        if not there.exists() or (anchor and anchor not in anchors(there)):
            wrong.append(target)
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """As the usual viewers of Markdown make them of headings; and those that are written."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("told", PAGES, ids=name)
def test_files_that_are_named_exist(told: Path) -> None:
    """`flows/runs.py`, and `contents.deployed()` after the file that has it."""
    files = re.findall(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|md|json|lark|html))`", told.read_text(encoding="utf-8"))
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("told", PAGES, ids=name)
def test_functions_that_are_named_exist(told: Path) -> None:
    """`lifecycle.perform`, `runs.run_now()`: a name behind a module of ours, wherever it lies."""
    assert [each for each in set(re.findall(r"`(\w+\.\w+)(?:\(\))?`", prose(told))) if not is_there(each)] == []


def is_there(dotted: str) -> bool:
    """Whether a module of that name has it; true for what names no module of ours."""
    module, _, attribute = dotted.partition(".")
    files = [file for block in OURS for file in (ROOT / block).rglob(f"{module}.py") if "migrations" not in file.parts]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return not names or attribute == "py" or any(hasattr(importlib.import_module(one), attribute) for one in names)


def test_the_readme_is_short_and_its_folders_are_there() -> None:
    text = page_of("README.md")
    assert len(text.splitlines()) < 150
    folders = re.findall(r"^\| `([\w/]+)/` \|", text, re.MULTILINE)
    assert [folder for folder in folders if not (ROOT / folder).is_dir()] == []
    assert {*OURS, "docs", "launch", "tests", "templates"} <= set(folders)


@pytest.mark.parametrize("told", PAGES, ids=name)
def test_no_page_knows_the_machine_it_was_written_on(told: Path) -> None:
    assert re.findall(r"/(?:tmp|work|root|home)/\S*", told.read_text(encoding="utf-8")) == []
