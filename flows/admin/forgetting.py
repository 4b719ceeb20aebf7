"""Forget a person: an owner names them, sees what would be deleted, and confirms it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from flows.erasure import Found, forget
from flows.identifiers import MAX_IDENTIFIERS, Person
from flows.models import Entity, Run

MAX_RUNS_HERE = 20_000
"""A page that looks through more would outlast the patience of whoever waits, and of proxies."""


class ForgetForm(forms.Form):
    """Its `look` counts, its `delete` deletes; the identifiers are typed once and travel along."""

    identifiers = forms.CharField(
        label="Who",
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
        help_text="Phone numbers, e-mail addresses or customer numbers of this one person, each on a line, "
        f"{MAX_IDENTIFIERS} at most. They are not kept.",
    )
    cancel = forms.BooleanField(
        label="End runs that aren't over",
        required=False,
        help_text="Otherwise those are left, and named. What they did outside stays done.",
    )

    def __init__(self, entity: Entity, *args: Any) -> None:
        super().__init__(*args)
        self.entity = entity

    def clean_identifiers(self) -> Person:
        return Person(self.cleaned_data["identifiers"].splitlines())

    def clean(self) -> None:
        if Run.objects.filter(entity=self.entity)[MAX_RUNS_HERE : MAX_RUNS_HERE + 1].exists():
            raise ValidationError(
                f"{self.entity} has more than {MAX_RUNS_HERE:,} runs. Do it in the terminal, where you see how far it is:"
                f" manage.py forget --entity {self.entity.slug} --as YOU --dry-run"
            )

    def search(self, by: User, *, dry_run: bool) -> Found:
        """Look for the person, and delete their runs unless it is a dry run."""
        typed = self.cleaned_data
        return forget(self.entity, typed["identifiers"], by=by, cancel=typed["cancel"], dry_run=dry_run)
