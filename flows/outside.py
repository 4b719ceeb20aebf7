"""Where `integrations` registers the real Door and Catalog; the rest of `flows` asks here and knows no service."""

from __future__ import annotations

from collections.abc import Callable

from flows.engine.protocols import Catalog, Door
from flows.models import Entity, Kind

MakeDoor = Callable[[int | None], Door]
MakeCatalog = Callable[[Entity, str, str], Catalog]

_registered: dict[str, Callable[..., object]] = {}


def register(*, door: MakeDoor, catalog: MakeCatalog) -> None:
    """Called once, from `AppConfig.ready()` of integrations."""
    _registered.update(door=door, catalog=catalog)


def door(entity_id: int | None = None) -> Door:
    """The real way out, for calls of that entity; what it does is decided by the definitions of the content that runs."""
    made: Door = _registered["door"](entity_id)  # type: ignore[assignment]
    return made


def catalog(entity: Entity, environment: str, kind: str = Kind.DYNAMIC_API) -> Catalog:
    """The definitions and flows of an entity, as they are in that environment; flows of that kind."""
    made: Catalog = _registered["catalog"](entity, environment, kind)  # type: ignore[assignment]
    return made
