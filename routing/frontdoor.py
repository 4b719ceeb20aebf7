"""The front door: METHOD /dynamic/<route id>. From an HTTP request to a run, and from the run to the answer.

Every check stands in `initial` and `_admitted`, in the order in which a request meets it (docs/front-door.md); a
request that is refused leaves nothing behind. Then the run: at once and waited for, or accepted and told later.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

import structlog
from django.core.handlers.wsgi import WSGIRequest
from django.db import IntegrityError
from rest_framework.request import Request
from rest_framework.views import APIView

from flows import runs
from flows.contents import ContentRefused
from flows.engine.payload_schema import problems_of_payload
from flows.execution import Also
from flows.lending import give_back
from flows.models import Run
from routing import admission, answers, body, crowd, idempotency, modes, refusals, replays
from routing.contract import schema_of, target_of
from routing.errors import NoNegotiation
from routing.models import Mode, Route, Token
from routing.problem import Answer, Problem
from routing.route_tokens import note_use

log = logging.getLogger(__name__)


class Door(APIView):
    """What both addresses of a route share. Checks run in `initial`; Accept and `?format=` choose nothing."""

    content_negotiation_class = NoNegotiation
    route: Route
    token: Token

    def allowed_method(self) -> str:
        raise NotImplementedError

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: DRF would put its own Allow over ours."""
        return {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        meta = request.META
        self.route = admission.route_of(kwargs["route_id"])
        admission.check_address(self.route, meta)
        admission.check_method(meta["REQUEST_METHOD"], self.allowed_method())  # Django's would be in capitals
        self.token = admission.token_of(self.route, meta)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, Problem):
            seen = {name: self.request.META.get(name, "")[:200] for name in ("REMOTE_ADDR", "HTTP_X_FORWARDED_FOR")}
            log.info("Refused with %s: %s %s", exc.code, exc.reason, seen)
            refusals.note(self.kwargs["route_id"], self.request.META, exc)
        return super().handle_exception(exc)


class FrontDoor(Door):
    """METHOD /dynamic/<route id>"""

    def allowed_method(self) -> str:
        return self.route.method

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        admission.check_rate(self.route)

    def run(self, request: Request, route_id: str) -> Answer:
        give_back()
        with crowd.place(self.route):
            return self._run(request)

    get = post = put = delete = run

    def _run(self, request: Request) -> Answer:
        received = request._request
        assert isinstance(received, WSGIRequest)
        data = body.raw(received)
        body.refuse_encoding(request.META.get("HTTP_CONTENT_ENCODING", ""))
        content_type = request.META.get("CONTENT_TYPE", "")
        how = body.kind(content_type, data, self.route.method)
        query = body.query(received)
        payload = body.payload(how, data, query)
        body.refuse_unnoticed_cut(request.META, how, payload)
        admitted = self._admitted(request, payload, query)
        key = idempotency.key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
        note_use(self.token)
        if key is None:
            return self._answer(self._start(admitted, None))
        return self._once(admitted, key, idempotency.fingerprint(self.route.method, query, content_type, data))

    def _admitted(self, request: Request, payload: Any, query: body.Query) -> runs.Admitted:
        """What is to run, with what. 503 where nothing can, 422 where the payload doesn't meet the schema."""
        route = self.route
        try:
            target = target_of(route)
        except ContentRefused as error:
            raise Problem("content_refused") from error
        if target is None:
            raise Problem("not_deployed", headers={"Retry-After": "60"})
        schema = schema_of(target.plan, route.step)
        if schema is not None and (wrong := problems_of_payload(schema, payload)):
            raise Problem("payload_refused", "The payload doesn't meet the schema of this route.", errors=wrong)
        return runs.Admitted(
            entity_id=route.entity_id,
            flow_id=route.flow_id,
            version_id=target.version_id,
            plan=target.plan,
            environment=route.environment,
            request={
                "payload": payload,
                "query": dict(query.last),
                "query_all": {name: [*values] for name, values in query.all.items()},
                "headers": dict(body.headers(request.META)),
                "route": {"id": route.pk, "name": route.name, "method": route.method, "environment": route.environment},
            },
            step=route.step,
            route=route.pk,
            token_prefix=self.token.prefix,
            is_async=route.is_async,
            draft=target.draft,
        )

    def _start(self, admitted: runs.Admitted, also: Also | None) -> Run:
        route = self.route
        admission.check_mode(route)
        if not route.is_async:
            return runs.run_now(admitted, deadline_seconds=route.deadline_seconds, also=also)
        held = route.mode == Mode.PAUSED
        try:
            run = runs.accept(admitted, also=also, held=held)
        except runs.QueueFull as error:
            raise Problem("queue_full", headers={"Retry-After": "30"}) from error
        if held:
            modes.let_go_if_open(route.pk)
        return run

    def _answer(self, run: Run) -> Answer:
        """The flow's answer, or 202 where the caller needn't or can't wait for it."""
        structlog.contextvars.bind_contextvars(run_id=str(run.pk))
        if self.route.is_async or not answers.is_over(run):
            return answers.accepted(self.route, run)
        return answers.finished(run)

    def _once(self, admitted: runs.Admitted, key: str, fingerprint: str) -> Answer:
        """Run it, unless this key was seen before: then what became of it."""
        earlier = replays.earlier_run(self.route, key, fingerprint)
        if earlier is None:
            try:
                return self._answer(self._start(admitted, replays.remember(self.route, key, fingerprint)))
            except IntegrityError:
                earlier = replays.earlier_run(self.route, key, fingerprint)
                if earlier is None:
                    raise
        return self._again(earlier)

    def _again(self, run: Run) -> Answer:
        if not run.is_async and not answers.is_over(run):
            url = answers.status_url(self.route.pk, run)
            raise Problem("request_in_progress", headers={"Retry-After": "1"}, run_id=run.pk, status_url=url)
        try:
            answer = answers.accepted(self.route, run) if run.is_async else answers.finished(run)
        except Problem as problem:
            problem.headers["Idempotent-Replayed"] = "true"
            raise
        answer["Idempotent-Replayed"] = "true"
        return answer


class RunStatus(Door):
    """GET /dynamic/<route id>/runs/<run id>"""

    def allowed_method(self) -> str:
        return "GET"

    def get(self, request: Request, route_id: str, run_id: UUID) -> Answer:
        run = Run.objects.filter(pk=run_id, route=self.route.pk).first()
        if run is None:
            raise Problem("run_not_found")
        return answers.told(run)
