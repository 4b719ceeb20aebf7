"""Taking secrets out of answers: a service that echoes what it was sent must not carry them into runs and to partners."""

from __future__ import annotations

from functools import lru_cache

from flows.known_secrets import MIN_SECRET_CHARS
from flows.masking import Mask


@lru_cache(maxsize=512)
def mask_of(secrets: tuple[str, ...]) -> Mask:
    """What takes the secrets of one login out of its answers. Made once: it takes longer than to use it."""
    return Mask(secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS)
