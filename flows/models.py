"""The tables of flows: who owns them, what they are, what was decided, what ran. Rules live in their own modules."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from flows.ids import new_run_id


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    BUILDER = "builder", "Builder"
    APPROVER = "approver", "Approver"
    INTEGRATOR = "integrator", "Integrator"
    VIEWER = "viewer", "Viewer"


class Kind(models.TextChoices):
    DYNAMIC_API = "dynamic_api", "Dynamic API"
    STANDARD = "standard", "Standard"


class Environment(models.TextChoices):
    SANDBOX = "sandbox", "Sandbox"
    PRODUCTION = "production", "Production"


class Status(models.TextChoices):
    SUBMITTED = "submitted", "Submitted"
    APPROVED = "approved", "Approved"
    DECLINED = "declined", "Declined"
    RECALLED = "recalled", "Recalled"
    DEPLOYED = "deployed", "Deployed"
    RETIRED = "retired", "Retired"


class RunState(models.TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    WAITING = "waiting", "Waiting"
    IN_DOUBT = "in_doubt", "In doubt"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    DEAD = "dead", "Dead"
    CANCELLED = "cancelled", "Cancelled"


TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.DEAD, RunState.CANCELLED})


KEEP_RUNS_DAYS_AT_LEAST = 3
"""A request may be repeated under its Idempotency-Key for 72 hours, and gets the answer of its run."""


class Entity(models.Model):
    """The account that owns everything. Its finished runs are deleted after `keep_runs_days`; null keeps them."""

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(max_length=200)
    keep_runs_days = models.PositiveIntegerField(
        "keep runs for (days)", null=True, blank=True, validators=[MinValueValidator(KEEP_RUNS_DAYS_AT_LEAST)]
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "entities"
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One role of one user in one entity. Granted by somebody else."""

    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    granted_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["entity", "user", "role"]
        constraints = [
            models.UniqueConstraint(fields=["entity", "user", "role"], name="membership_once"),
            models.CheckConstraint(condition=~Q(user=F("granted_by")), name="membership_not_by_oneself"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()} · {self.entity}"


class Flow(models.Model):
    """A named flow and its draft. `draft` is the `nodes` list of the flow file (docs/flow-file.md) as JSON text."""

    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="flows")
    slug = models.SlugField(max_length=64)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DYNAMIC_API)
    draft = models.TextField()
    last_number = models.PositiveIntegerField(default=1, editable=False)
    draft_revision = models.PositiveIntegerField(default=1, editable=False)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["entity", "slug"]
        constraints = [models.UniqueConstraint(fields=["entity", "slug"], name="flow_slug_in_entity")]

    def __str__(self) -> str:
        return self.name


class DynamicApiFlow(Flow):
    """The flows behind routes, under their own name in the menu."""

    class Meta:
        proxy = True
        verbose_name = "Dynamic API flow"


class StandardFlow(Flow):
    """The flows that customers start."""

    class Meta:
        proxy = True
        verbose_name = "standard flow"


class Edit(models.Model):
    """Somebody changed a draft or a definition that flows embed. `subject` is `flow:<id>`, `endpoint:<id>` and so on."""

    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="+")
    subject = models.CharField(max_length=64)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["subject", "at"], name="edit_of_subject")]

    def __str__(self) -> str:
        return f"{self.subject} by {self.by}"


class Case(models.Model):
    """A test case of a flow: request, stand-ins and expected answer, as JSON text. Never part of the sealed content."""

    flow = models.ForeignKey(Flow, on_delete=models.CASCADE, related_name="cases")
    name = models.CharField(max_length=200)
    text = models.TextField()

    class Meta:
        ordering = ["flow", "name"]
        constraints = [models.UniqueConstraint(fields=["flow", "name"], name="case_name_in_flow")]

    def __str__(self) -> str:
        return self.name


class Content(models.Model):
    """Write-once canonical text: a graph and every definition it uses. Its SHA-256 is its key."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256[:12]


class Version(models.Model):
    """A submitted content of a flow. Only `status` ever changes, and only by `lifecycle.perform`."""

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="versions")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.SUBMITTED)
    summary = models.TextField(blank=True)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["-submitted_at"]
        constraints = [
            models.UniqueConstraint(fields=["flow", "number"], name="version_number_in_flow"),
            models.UniqueConstraint(fields=["flow"], condition=Q(status="submitted"), name="one_submitted_per_flow"),
            models.UniqueConstraint(fields=["flow"], condition=Q(status="deployed"), name="one_deployed_per_flow"),
        ]

    def __str__(self) -> str:
        return f"{self.flow} · version {self.number}"


class Contributor(models.Model):
    """Somebody whose work is in a version, as counted when it was submitted: may neither approve it nor deploy it first."""

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="contributors")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "user"], name="contributor_once")]

    def __str__(self) -> str:
        return str(self.user)


class Decision(models.Model):
    """The record of one transition of a version. `seal` binds its fields with a key that the database doesn't hold."""

    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="decisions")
    name = models.CharField(max_length=16)
    from_status = models.CharField(max_length=16, blank=True)
    to_status = models.CharField(max_length=16, choices=Status.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    comment = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64)
    by_command = models.BooleanField(default=False)
    os_user = models.CharField(max_length=64, blank=True)
    seal = models.CharField(max_length=64)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} by {self.by}"


class Run(models.Model):
    """One execution of one content (design §7). The row is the truth; a broker message is only a hint.

    `wake_at` is when somebody has to look at the run again: to publish it (queued), because its lease ran out
    (running) or its timer did (waiting), or since its owners aren't told yet (in_doubt, dead); null where nobody has
    to, as for a queued run whose route is paused. `fence` counts claims: a write that names an older one is refused.
    `durable` runs go on after a crash; others fail as interrupted. `sealed` holds, encrypted, what `request` shows
    masked, for as long as the run needs it.
    """

    id = models.UUIDField(primary_key=True, default=new_run_id, editable=False)
    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="+", db_index=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+", null=True, db_index=False)
    content = models.ForeignKey(Content, on_delete=models.PROTECT, related_name="+", db_index=False)
    environment = models.CharField(max_length=16, choices=Environment.choices)
    route = models.CharField(max_length=32, blank=True)
    token_prefix = models.CharField(max_length=16, blank=True)
    step = models.PositiveIntegerField(default=1)
    is_async = models.BooleanField(default=False)
    durable = models.BooleanField(default=False)
    state = models.CharField(max_length=16, choices=RunState.choices)
    fence = models.PositiveIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=0)
    request = models.TextField()
    sealed = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    wake_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True)
    error = models.TextField(blank=True)
    trace = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["entity", "id"], name="run_of_entity"),
            models.Index(fields=["flow", "id"], name="run_of_flow"),
            models.Index(fields=["route", "id"], name="run_of_route"),
            models.Index(fields=["wake_at"], condition=Q(wake_at__isnull=False), name="run_to_wake"),
            models.Index(fields=["flow"], condition=Q(state="in_doubt"), name="run_in_doubt"),
            models.Index(fields=["route"], condition=Q(state="queued", wake_at__isnull=True), name="run_held"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Segment(models.Model):
    """A checkpoint: the engine's state after it, and the steps since the one before. Appended, never rewritten."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="segments", db_index=False)
    number = models.PositiveIntegerField()
    state = models.TextField()
    steps = models.TextField()
    at = models.DateTimeField()

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="segment_number_in_run")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number}"


class EffectState(models.TextChoices):
    STARTED = "started", "Started"
    DONE = "done", "Done"
    IN_DOUBT = "in_doubt", "In doubt"
    NOT_SENT = "not_sent", "Not sent"


class Effect(models.Model):
    """One outside action that isn't safe, written before it is tried. Its key is `<run>:<step>:<call>`.

    `settled_by` said whether one in doubt had arrived.
    """

    key = models.CharField(max_length=80, primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="effects")
    state = models.CharField(max_length=16, choices=EffectState.choices, default=EffectState.STARTED)
    repeat = models.CharField(max_length=16)
    request = models.TextField()
    outcome = models.TextField(blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)

    class Meta:
        ordering = ["started_at"]

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """Which process does a piece of work that only one may do, and when it was last seen."""

    name = models.CharField(max_length=32, primary_key=True)
    owner = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Change(models.Model):
    """The record of one change to roles, tokens, allow-lists, connections or settings: append-only (docs/security.md).

    `subject` is `route:<id>`, `membership:<id>` and so on, `title` its name then; `before` and `after` are JSON texts
    of what changed, never a secret. `place` is where it came from: an address, or a command and its OS user. `seal`
    binds the row, and the one before it in the entity, with a key that the database doesn't hold.
    """

    entity = models.ForeignKey(Entity, on_delete=models.PROTECT, related_name="+", null=True, db_index=False)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    place = models.CharField(max_length=200, blank=True)
    action = models.CharField(max_length=32)
    subject = models.CharField(max_length=80)
    title = models.CharField(max_length=200, blank=True)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    seal = models.CharField(max_length=64)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["entity", "id"], name="change_of_entity"),
            models.Index(fields=["subject", "id"], name="change_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.title or self.subject}"
