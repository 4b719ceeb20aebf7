"""Finding secret texts again, in whatever form they come back, and putting a mask in their place.

    Mask(["hunter2!"]).text("pw=hunter2%21")    "pw=••••"

A form is the text as it is, escaped as in JSON, Python and HTML, percent-encoded, in base64 (three alignments, both
alphabets) and in hex, in capitals and small letters. What is derived in another way, a hash or a part, isn't found.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, quote_plus

import re2

from flows.engine.strictjson import JSON, dumps_bytes, number_text

MASK = "••••"

MIN_CHARS = 3
"""A shorter text is masked only where it stands alone: within others it would be found everywhere."""

MIN_ENCODED_CHARS = 4
MIN_PART_CHARS = 6
"""Of the beginning of a secret, where something cut it off."""

HEAD_BYTES = 6
"""What is searched for; where it is found, the whole form is compared."""

MAX_TEXTS = 500
MAX_CHARS = 200_000
"""Beyond these a mask takes everything away: it fails closed rather than take seconds."""

_WITHIN = frozenset(b"-_=+/%.\\0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""A byte that goes on with what stands before it, so that this wasn't cut off there."""


class Mask:
    """Takes some secret texts out of texts and JSON values. Immutable; made once, used often."""

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        texts = {secret for secret in secrets if secret}
        self.everything = len(texts) > MAX_TEXTS or sum(map(len, texts)) > MAX_CHARS
        texts = set() if self.everything else texts
        searched = {text for text in texts if len(text) >= MIN_CHARS}
        self._alone = frozenset(text for text in texts if isinstance(text, str))
        self._digits = [t for t in searched if isinstance(t, str) and len(t) >= MIN_PART_CHARS and t.isdigit()]
        self._has_short = len(searched) < len(texts)
        forms = {form.lower() for secret in searched for form in _forms(secret)}
        self._head_bytes = min([HEAD_BYTES, *map(len, forms)])
        self._by_head: dict[bytes, list[bytes]] = {}
        for form in sorted(forms, key=len, reverse=True):
            self._by_head.setdefault(form[: self._head_bytes], []).append(form)
        self._heads = _any_of(self._by_head) if forms else None

    @classmethod
    def of_everything(cls) -> Mask:
        """One that takes everything away."""
        return cls(map(str, range(MAX_TEXTS + 1)))

    def __bool__(self) -> bool:
        return bool(self._by_head or self._alone or self.everything)

    def is_in(self, data: bytes) -> bool:
        """Whether any form stands in these bytes."""
        return self.everything or next(self.found(data, parts=False), None) is not None

    def text(self, text: str) -> str:
        """The text without any form of a secret."""
        return replaced(text, [self], parts=False)

    def message(self, text: str) -> str:
        """Like `text`, for what may quote a secret and cut it off: its beginnings go too."""
        return replaced(text, [self], parts=True)

    def value(self, value: JSON) -> JSON:
        """A JSON value without any form of a secret, names of members included; the value itself where there is none."""
        if not self or not (self._has_short or self.is_in(dumps_bytes(value))):
            return value
        return self._walked(value)

    def _walked(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return MASK if value in self._alone else self.text(value)
        if isinstance(value, list | tuple):
            return [self._walked(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self._walked(item) for name, item in value.items()}
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            return value
        return MASK if self._is_secret_number(value) else value

    def _is_secret_number(self, number: int | Decimal) -> bool:
        texts = number_texts(number)
        return (
            self.everything
            or not self._alone.isdisjoint(texts)
            or any(digits in text for digits in self._digits for text in texts)
        )

    def is_all(self, text: str) -> bool:
        """Whether the text is to go as a whole."""
        return bool(text) and (self.everything or text in self._alone)

    def found(self, data: bytes, *, parts: bool) -> Iterator[tuple[int, int]]:
        """Where forms stand, in the order of their beginnings; they may overlap."""
        position = 0
        while self._heads is not None and (hit := self._heads.search(data, position)) is not None:
            start = hit.start()
            if length := self._length_at(data, start, parts):
                yield start, start + length
            position = start + 1

    def _length_at(self, data: bytes, start: int, parts: bool) -> int:
        """How long the form is that begins there; 0 where it was only a head."""
        longest = 0
        for form in self._by_head.get(data[start : start + self._head_bytes].lower(), ()):
            here = data[start : start + len(form)].lower()
            if here == form:
                return max(len(form), longest)
            if parts:
                longest = max(longest, _part(here, form))
        follows = data[start + longest : start + longest + 1]
        return 0 if follows and follows[0] in _WITHIN else longest


def replaced(text: str, masks: Iterable[Mask], *, parts: bool) -> str:
    """The text without what any of the masks finds in it. Together, as what one takes out may be a part of another's."""
    masks = tuple(masks)
    if any(mask.is_all(text) for mask in masks):
        return MASK
    data = text.encode("utf-8", "surrogatepass")
    spans = [span for mask in masks for span in mask.found(data, parts=parts)]
    if not spans:
        return text
    kept: list[bytes] = []
    end = 0
    for start, stop in sorted(spans):
        if start > end or not kept:
            kept += [data[end:start], MASK.encode()]
        end = max(end, stop)
    return b"".join([*kept, data[end:]]).decode("utf-8", "replace")


def number_texts(number: int | Decimal) -> tuple[str, ...]:
    """A number as texts may show it: as it was written, and without trailing zeros."""
    written = number_text(number)
    if isinstance(number, Decimal) and number.is_finite():
        return written, number_text(number.normalize()), format(number.normalize(), "f")
    return (written,)


def _part(here: bytes, form: bytes) -> int:
    """The length of the beginning that both share, if it says enough."""
    length = next((i for i, (a, b) in enumerate(zip(here, form, strict=False)) if a != b), min(len(here), len(form)))
    return length if length >= MIN_PART_CHARS else 0


def _any_of(heads: Iterable[bytes]) -> Any:
    """One linear search for all of them."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = False
    options.never_capture = True
    options.max_mem = 64 << 20
    pattern = b"|".join(b"".join(b"\\x%02x" % byte for byte in head) for head in heads)
    return re2.compile(pattern, options)


def _forms(secret: str | bytes) -> Iterator[bytes]:
    """Everything that one might write for it. Capitals don't matter."""
    raw = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    yield raw
    encoded = {raw.hex(), repr(raw)[2:-1], "".join(f"%{byte:02x}" for byte in raw)}
    for safe in ("", "/", "-_.!~*'()", ";,/?:@&=+$-_.!~*'()#"):
        once = quote(raw, safe=safe)
        encoded |= {once, quote(once, safe="")}
    encoded.add(quote_plus(raw))
    for standard in _base64_within(raw):
        encoded |= {standard, standard.translate(_URLSAFE), quote(standard, safe="")}
    if isinstance(secret, str):
        encoded |= _escaped(secret)
    for form in encoded:
        if len(form) >= MIN_ENCODED_CHARS:
            yield form.encode("utf-8", "surrogatepass")


_URLSAFE = str.maketrans("+/", "-_")


def _base64_within(raw: bytes) -> set[str]:
    """What `raw` is in base64 whatever stands before it, and either whatever stands behind it or nothing."""
    found = set()
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw).decode()
        first = -(-offset * 8 // 6)
        found |= {text[first : (offset + len(raw)) * 8 // 6], text[first:]}
    return found


def _escaped(text: str) -> set[str]:
    """As JSON, Python and HTML write it within quotes; JSON within JSON too; as a header of Latin-1 shows its UTF-8."""
    found = {html.escape(text), html.escape(text, quote=False), repr(text)[1:-1], text.upper(), text.lower()}
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1], once.replace("/", "\\/")}
    if not text.isascii():
        found.add(text.encode("utf-8", "surrogatepass").decode("latin-1"))
    return found
