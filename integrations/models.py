"""The tables of integrations: services, their secrets, what is called on them, keys. Rules live in their own modules.

No table shows a secret: `sealed` is ciphertext, opened only by the door (integrations/door.py).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from flows.models import Entity, Environment


class Auth(models.TextChoices):
    NONE = "none", "None"
    BASIC = "basic", "Basic (user:password)"
    BEARER = "bearer", "Bearer token"
    API_KEY_HEADER = "api_key_header", "API key in a header"
    API_KEY_QUERY = "api_key_query", "API key in the query"


class Method(models.TextChoices):
    GET = "GET", "GET"
    HEAD = "HEAD", "HEAD"
    POST = "POST", "POST"
    PUT = "PUT", "PUT"
    PATCH = "PATCH", "PATCH"
    DELETE = "DELETE", "DELETE"


class BodyType(models.TextChoices):
    JSON = "json", "JSON"
    FORM = "form", "Form"
    TEXT = "text", "Text"
    NONE = "none", "None"


class Repeat(models.TextChoices):
    SAFE = "safe", "Safe: changes nothing, may be sent again"
    IDEMPOTENCY_KEY = "idempotency_key", "The service honours Idempotency-Key"
    NEVER = "never", "Never: a person looks first"


class KeyKind(models.TextChoices):
    AES_256 = "aes-256", "AES-256"
    RSA_PUBLIC = "rsa-public", "RSA public key"
    HMAC = "hmac", "HMAC"


class Definition(models.Model):
    """What every definition has: an owner, a name that flows use, and who touched it."""

    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=64)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True
        ordering = ["entity", "name"]
        constraints = [models.UniqueConstraint(fields=["entity", "name"], name="%(class)s_name_in_entity")]

    def __str__(self) -> str:
        return self.name


class Connection(Definition):
    """A service: where it is and how one logs in there. Without a sandbox address its effects there are pretended."""

    title = models.CharField(max_length=200, blank=True)
    production_address = models.CharField(max_length=500)
    sandbox_address = models.CharField(max_length=500, blank=True)
    auth = models.CharField(max_length=16, choices=Auth.choices, default=Auth.NONE)
    auth_name = models.CharField(max_length=64, blank=True)


class Secret(models.Model):
    """A connection's secret in one environment, for one host (`connections.host_of`) and no other.

    When the address moves to another host the row stays, so that deployed versions that still name the old one go on.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="secrets")
    environment = models.CharField(max_length=16, choices=Environment.choices)
    host = models.CharField(max_length=300)
    sealed = models.TextField(editable=False)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    set_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["connection", "environment", "host"]
        constraints = [models.UniqueConstraint(fields=["connection", "environment", "host"], name="secret_of_host")]

    def __str__(self) -> str:
        return f"{self.environment} secret for {self.host}"


class Endpoint(Definition):
    """A reusable call on a connection. `query` and `headers` are JSON lists of {"name", "value"}.

    `body` is JSON text for a JSON or form body, the text itself for a text body.
    """

    title = models.CharField(max_length=200, blank=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="endpoints")
    method = models.CharField(max_length=8, choices=Method.choices, default=Method.GET)
    path = models.CharField(max_length=2000)
    query = models.TextField(default="[]", blank=True)
    headers = models.TextField(default="[]", blank=True)
    body = models.TextField(blank=True)
    body_type = models.CharField(max_length=8, choices=BodyType.choices, default=BodyType.NONE)
    decides = models.CharField(max_length=200, default="code")
    base_element = models.CharField(max_length=200, blank=True)
    timeout_seconds = models.PositiveSmallIntegerField(default=10)
    repeat = models.CharField(max_length=16, choices=Repeat.choices, default=Repeat.NEVER)
    sample = models.TextField(blank=True)


class Key(Definition):
    """Material for the encrypt node, sealed; a public key too, so that nobody swaps it in the table.

    The sandbox has material of its own. Without it a key is pretended there; a public key serves both.
    """

    kind = models.CharField(max_length=16, choices=KeyKind.choices)
    sealed = models.TextField(editable=False)
    sandbox_sealed = models.TextField(default="", editable=False)
