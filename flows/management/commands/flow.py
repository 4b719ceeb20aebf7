"""Flows from the terminal: import, check, run, and every transition of the lifecycle."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows import drafts, lifecycle, terminal
from flows.commanding import acting, add_actor, entity_for, flow_of, is_file, one_clear_line, pairs, read_text
from flows.issues import Issue
from flows.models import Environment, Flow, Status, Version
from flows.notices import next_actors

MEANT: dict[str, tuple[Status, ...]] = {
    "recall": (Status.SUBMITTED,),
    "approve": (Status.SUBMITTED,),
    "decline": (Status.SUBMITTED,),
    "withdraw": (Status.APPROVED,),
    "deploy": (Status.APPROVED,),
    "retire": (Status.DEPLOYED,),
}
"""Transitions of a version, and the status of the version that is meant where no number is given."""


SHOWN = 5
"""Versions of one status that `flow list` names, the newest."""


class Command(BaseCommand):
    help = "Import, export, check, run, submit, approve and deploy flows."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        def verb(name: str, text: str) -> ArgumentParser:
            made = verbs.add_parser(name, help=text, description=text)
            add_actor(made)
            return made

        one = verb("import", "Create a flow from its file, or replace its draft.")
        one.add_argument("file", help="flow file, or - for standard input")
        one = verb("export", "Print a flow's file.")
        one.add_argument("flow", help="slug of the flow")
        one = verb("check", "Say what is wrong with a draft or a file; exit code 1 where there are errors.")
        one.add_argument("flow", help="slug of the flow, or a flow file")
        one = verb("run", "Run a flow file in this terminal; outside calls are pretended unless --real.")
        one.add_argument("file", help="flow file, or the slug of a flow whose draft is meant")
        one.add_argument("--payload", metavar="JSON", help="the payload; default: the start node's sample")
        one.add_argument("--query", action="append", metavar="NAME=VALUE", help="a query parameter; repeatable")
        one.add_argument("--header", action="append", metavar="NAME=VALUE", help="a header; repeatable")
        one.add_argument("--step", type=int, metavar="N", help="enter at this step; default: the start node")
        one.add_argument("--real", action="store_true", help="make outside calls, to the sandbox addresses of --entity")
        one = verb("submit", "Submit a flow's draft for approval.")
        one.add_argument("flow", help="slug of the flow")
        one.add_argument("--comment", default="", metavar="TEXT", help="summary for the approver")
        for name in MEANT:
            one = verb(name, f"{name.capitalize()} a version of a flow.")
            one.add_argument("flow", help="slug of the flow")
            one.add_argument(
                "--number", type=int, metavar="N", help="the version; default: the one that waits for this"
            )
            one.add_argument("--comment", default="", metavar="TEXT", help="the reason")
        verb("list", "List flows with what is deployed.")

    def handle(self, *args: Any, **options: Any) -> None:
        with one_clear_line():
            if options["verb"] in MEANT:
                self.transition(**options)
            else:
                getattr(self, f"do_{options['verb']}")(**options)

    def do_import(self, **options: Any) -> None:
        user = acting(options["actor"])
        entity = entity_for(options["entity"], user)
        flow = drafts.import_file(entity, read_text(options["file"]), by=user)
        self.stdout.write(f"Imported {flow.slug} into {entity.slug} (draft revision {flow.draft_revision}).")
        self.show_issues(drafts.issues_of(flow, Environment.PRODUCTION))

    def do_export(self, **options: Any) -> None:
        self.stdout.write(drafts.export_file(self.flow(**options)), ending="")

    def do_check(self, **options: Any) -> None:
        if is_file(options["flow"]):
            issues = terminal.issues_of_file(read_text(options["flow"]), self.catalog_entity(**options))
        else:
            issues = drafts.issues_of(self.flow(**options), Environment.PRODUCTION)
        if self.show_issues(issues):
            raise CommandError("There are errors; they keep the flow from being submitted.")

    def do_run(self, **options: Any) -> None:
        entity = self.catalog_entity(**options)
        if options["real"] and entity is None:
            raise CommandError("--real needs the connections of an entity: --entity E.")
        name = options["file"]
        text = read_text(name) if is_file(name) else drafts.export_file(self.flow(flow=name, **options))
        result = terminal.run_file(
            text,
            options["payload"],
            entity=entity,
            real=options["real"],
            step=options["step"],
            query=pairs("--query", options["query"]),
            headers=pairs("--header", options["header"]),
        )
        for line in result.lines:
            self.stdout.write(line)
        if result.failed:
            raise CommandError(result.failed)

    def do_submit(self, **options: Any) -> None:
        user = acting(options["actor"])
        flow = flow_of(entity_for(options["entity"], user), options["flow"])
        version = lifecycle.submit(flow, by=user, summary=options["comment"], via=lifecycle.Via.COMMAND)
        self.stdout.write(f"Submitted {flow.slug} as version {version.number}. {next_actors(version)}".strip())

    def transition(self, **options: Any) -> None:
        user = acting(options["actor"])
        flow = flow_of(entity_for(options["entity"], user), options["flow"])
        version = meant_version(flow, options["verb"], options["number"])
        done = lifecycle.perform(
            options["verb"], version, by=user, comment=options["comment"], via=lifecycle.Via.COMMAND
        )
        self.stdout.write(f"{flow.slug} version {version.number} is {done.to_status}.")

    def do_list(self, **options: Any) -> None:
        user = acting(options["actor"]) if options["actor"] else None
        entity = entity_for(options["entity"], user)
        for flow in Flow.objects.filter(entity=entity).order_by("slug")[:1000]:
            self.stdout.write(f"{flow.slug}\t{flow.kind}\t{versions_of(flow) or 'draft only'}\t{flow.name}")

    def flow(self, *, flow: str, actor: str | None = None, entity: str | None = None, **_: Any) -> Flow:
        user = None if actor is None else acting(actor)
        return flow_of(entity_for(entity, user), flow)

    def catalog_entity(self, *, entity: str | None = None, actor: str | None = None, **_: Any) -> Any:
        user = None if actor is None else acting(actor)
        return entity_for(entity, user) if entity or actor else None

    def show_issues(self, issues: list[Issue]) -> bool:
        """Print issues, a line each; whether any is an error."""
        for issue in issues:
            where = f" node {issue.node}" if issue.node else ""
            self.stdout.write(f"{issue.severity}{where} [{issue.code}] {issue.message} {issue.hint}".rstrip())
        if not issues:
            self.stdout.write("No issues.")
        return any(issue.severity == "error" for issue in issues)


def versions_of(flow: Flow) -> str:
    """What there is of a flow, with the retired versions that one is likeliest to roll back to: `deployed 3; retired 2, 1`."""
    numbers: dict[str, list[str]] = {}
    for status, number in flow.versions.order_by("-number").values_list("status", "number"):
        numbers.setdefault(status, []).append(str(number))
    shown = ("deployed", "approved", "submitted", "retired")
    return "; ".join(f"{status} {', '.join(numbers[status][:SHOWN])}" for status in shown if status in numbers)


def meant_version(flow: Flow, name: str, number: int | None) -> Version:
    """The version a transition is about. Raises CommandError."""
    versions = flow.versions.order_by("-number")
    if number is not None:
        found = versions.filter(number=number).first()
        if found is None:
            raise CommandError(f"{flow.slug} has no version {number}.")
        return found
    found = versions.filter(status__in=MEANT[name]).first()
    if found is None:
        raise CommandError(f"No version of {flow.slug} is {MEANT[name][0]}; `manage.py flow list` shows what there is.")
    return found
