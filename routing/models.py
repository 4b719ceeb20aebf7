"""The tables of routing: how an entity's flows are reached. Rules live in their own modules."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from flows.models import Entity, Environment, Flow, Run


class ChannelKind(models.TextChoices):
    DYNAMIC_API = "dynamic_api", "Dynamic API"


class Method(models.TextChoices):
    GET = "GET", "GET"
    POST = "POST", "POST"
    PUT = "PUT", "PUT"
    DELETE = "DELETE", "DELETE"


class Mode(models.TextChoices):
    OPEN = "open", "Open"
    PAUSED = "paused", "Paused: asynchronous calls are kept and wait"
    DRAINING = "draining", "Draining: what was accepted is finished, new calls are refused"


MAX_DEADLINE_SECONDS = 60
"""Proxies and clients give up around here, and would never see the status URL."""


def new_route_id() -> str:
    """128 random bits: nobody guesses a route, though its id is no secret."""
    return secrets.token_hex(16)


class Channel(models.Model):
    """A way to an entity's flows that was onboarded. Without it no route can be added."""

    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="channels")
    kind = models.CharField(max_length=16, choices=ChannelKind.choices, default=ChannelKind.DYNAMIC_API)
    onboarded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False
    )
    onboarded_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["entity", "kind"]
        constraints = [models.UniqueConstraint(fields=["entity", "kind"], name="channel_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.entity}"


class Route(models.Model):
    """An address at which partners call a flow. `allow` is the canonical text of its allow-list, empty for nobody.

    `concurrency` bounds the calls that are worked on at once, null for the default (routing/crowd.py). `get_reason` is
    why a GET may change something outside; without one it may not.
    """

    id = models.CharField(primary_key=True, max_length=32, default=new_route_id, editable=False)
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="routes", editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="routes")
    name = models.CharField(max_length=200, blank=True)
    step = models.PositiveIntegerField(default=1)
    method = models.CharField(max_length=8, choices=Method.choices, default=Method.POST)
    allow = models.TextField("allow-list", blank=True)
    is_async = models.BooleanField("asynchronous", default=False)
    environment = models.CharField(max_length=16, choices=Environment.choices, default=Environment.PRODUCTION)
    deadline_seconds = models.PositiveSmallIntegerField(
        default=25, validators=[MinValueValidator(1), MaxValueValidator(MAX_DEADLINE_SECONDS)]
    )
    rate_per_minute = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    concurrency = models.PositiveSmallIntegerField(
        "calls at once", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.OPEN, editable=False)
    get_reason = models.CharField("why a GET may have effects", max_length=200, blank=True)
    is_active = models.BooleanField("active", default=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["entity", "flow", "created_at"]

    def __str__(self) -> str:
        return self.name or f"{self.method} {self.flow}"


class Token(models.Model):
    """What a partner shows at a route. The token itself is shown once; `prefix` finds it, `digest` proves it."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="tokens")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["route", "-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix} · {self.name}" if self.name else self.prefix


class IdempotencyRecord(models.Model):
    """Which run a request with an Idempotency-Key became. Written in one transaction with the run."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_by_age")]
        constraints = [models.UniqueConstraint(fields=["route", "key"], name="idempotency_key_in_route")]

    def __str__(self) -> str:
        return self.key


class Refusal(models.Model):
    """A call that a route refused: what was seen of it, and which rule refused. Some hundred a route are kept."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="refusals", db_index=False)
    at = models.DateTimeField()
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=300, blank=True)
    method = models.CharField(max_length=16, blank=True)
    seen = models.CharField(max_length=64, blank=True)
    forwarded = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)
    token_prefix = models.CharField(max_length=16, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["route", "id"], name="refusal_of_route"),
            models.Index(fields=["at"], name="refusal_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.address}"
