"""Keys of the encrypt node. Material goes in here and never comes out; only a public key is shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows.scoping import person
from flows.vault import SecretUnreadable
from integrations.admin.definitions import DefinitionForm, DefinitionPage
from integrations.keys import delete_key, new_aes_material, public_key_of, save_key
from integrations.models import Key, KeyKind

MATERIAL_HELP = (
    "AES-256: 32 bytes in base64. RSA: the public key in PEM. HMAC: the secret text. It is sealed when you save and, but"
    " for a public key, never shown. "
)
SANDBOX_HELP = (
    "What drafts and sandbox routes use in its place, of the same kind. Without it they use a pretended key. A public key"
    " serves both. "
)


class WriteOnly(forms.Textarea):
    """A text area that never shows what was typed before, as a password input doesn't."""

    def format_value(self, value: Any) -> str | None:
        return None


class KeyForm(DefinitionForm):
    material = forms.CharField(
        required=False,
        widget=WriteOnly(attrs={"rows": 6, "class": "vLargeTextField cf-json", "autocomplete": "off"}),
    )
    sandbox_material = forms.CharField(
        required=False,
        widget=WriteOnly(attrs={"rows": 6, "class": "vLargeTextField cf-json", "autocomplete": "off"}),
    )
    generate = forms.BooleanField(
        label="Make a new AES-256 key here and show it to me once",
        required=False,
        help_text="To pass it on to whoever decrypts. A new AES key without material is made here and known to nobody.",
    )
    made = ""
    """What was generated, for the one answer that shows it."""

    class Meta:
        fields = ("entity", "name", "kind")
        help_texts = {"name": "What flows call it: letters, digits and _. It can't be changed later."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "material" in self.fields:
            keep = "" if self.is_new else "Leave it blank to keep what is there."
            self.fields["material"].help_text = MATERIAL_HELP + keep
        if "sandbox_material" in self.fields:
            self.fields["sandbox_material"].help_text = SANDBOX_HELP + sandbox_state(self.instance)

    def write(self) -> Key:
        typed, known = self.cleaned_data, self.instance
        entity, name, kind = (
            (typed["entity"], typed["name"], typed["kind"]) if self.is_new else (known.entity, known.name, known.kind)
        )
        if self.is_new:
            self.check_name_is_free(Key, entity, name)
        material = typed["material"]
        if typed["generate"]:
            if kind != KeyKind.AES_256:
                raise ValidationError({"generate": "Only an AES-256 key is made here; give the material of this one."})
            if material:
                raise ValidationError({"generate": "Either give material or have it made, not both."})
            material = self.made = new_aes_material()
        sandbox_material = typed["sandbox_material"]
        return save_key(entity, by=self.by, name=name, kind=kind, material=material, sandbox_material=sandbox_material)


def sandbox_state(key: Key) -> str:
    """Whether the sandbox has material of its own."""
    return "There is some. Leave it blank to keep that." if key.sandbox_sealed else "There is none."


@admin.register(Key)
class KeyPage(DefinitionPage):
    ability = "manage keys"
    form = KeyForm
    named_once = ("entity", "name", "kind")
    fieldsets = ((None, {"fields": ["entity", "name", "kind", "material", "generate", "sandbox_material"]}),)
    write_only = ("material", "generate", "sandbox_material")
    search_fields = ("name",)
    about = "A key is what the encrypt node encrypts, signs or hashes with."
    when_empty = "No key yet. An integrator adds one."
    list_display = ("name", "kind", "entity", "changed_by", "changed_at")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or obj.kind != KeyKind.RSA_PUBLIC:
            return fieldsets
        return [*fieldsets[:1], ("Public key", {"fields": ["public_key"]}), *fieldsets[1:]]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), "public_key")

    @admin.display(description="PEM")
    def public_key(self, key: Key) -> SafeString | str:
        try:
            return format_html('<pre class="cf-json" tabindex="0">{}</pre>', public_key_of(key))
        except SecretUnreadable:
            return "It can't be read with today's CHATFLOW_KEYS. Give it again below."

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        request.__dict__["_made_key"] = form.made

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return self._shown_once(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._shown_once(request, obj) or super().response_change(request, obj)

    def _shown_once(self, request: HttpRequest, key: Key) -> HttpResponse | None:
        """The answer of the POST itself shows what was made; it is in no message, session or history."""
        made = request.__dict__.pop("_made_key", "")
        if not made:
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": f"The new key {key.name}",
            "what": "32 bytes in base64",
            "secret": made,
            "advice": "Pass it on to whoever decrypts, by a safe way.",
            "back_url": self.page_of(key),
            "back_text": key.name,
        }
        return TemplateResponse(request, "admin/shown_once.html", context)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_key(obj, by=person(request))
