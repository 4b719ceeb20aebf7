"""The filters of the language, in one table; docs/language.md lists them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flows.engine.filters import dates, encodings, lists, numbers, texts
from flows.engine.filters.base import Filter

FILTERS: Mapping[str, Filter] = MappingProxyType(
    {**texts.FILTERS, **lists.FILTERS, **numbers.FILTERS, **dates.FILTERS, **encodings.FILTERS}
)

__all__ = ["FILTERS", "Filter"]
