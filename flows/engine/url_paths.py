"""Paths with references in them: a rendered value stays one segment, or a part of one, and can't lead anywhere else.

A path is split at `/` before anything is rendered, and what is rendered is percent-encoded whole. What the author wrote
stands for itself; characters that a path can't hold are written as %20 and so on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from flows.engine.errors import NodeError

_PIECES = re.compile(r"""\{\{(?:'[^']*'|"[^"]*"|(?!\}\})[^'"])*\}\}|/|[^/{]+|\{""")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_STANDS_FOR_ITSELF = "!$&'()*+,;=:@%"


class PathRefused(NodeError):
    """A path that can't be called as it is."""

    code = "bad_path"


def split_path(template: str) -> list[str]:
    """The segments of an unrendered path. A `/` within `{{ }}` doesn't split; a last "" stands for a `/` at the end."""
    segments = ["".join(pieces) for pieces in _split(template)]
    return [] if segments == [""] else segments


def join_path(rendered_segments: Sequence[str]) -> str:
    """The path of rendered segments, each encoded whole. Refuses an empty one, and dots: they would lead elsewhere."""
    for segment in rendered_segments:
        _check_rendered(segment)
    return "".join("/" + quote(segment, safe="") for segment in rendered_segments)


def render_path(template: str, render: Callable[[str], str]) -> str:
    """An encoded path, each `{{ }}` filled in by `render`. Only what the author wrote may end in `/` or escape a character."""
    path = ""
    for pieces in _split(template):
        texts = [(piece, render(piece)) if piece.startswith("{{") else (piece, piece) for piece in pieces]
        if pieces:
            _check_rendered("".join(text for _, text in texts))
        encoded = (quote(text, safe="" if text is not piece else _STANDS_FOR_ITSELF) for piece, text in texts)
        path += "/" + "".join(encoded)
    return "" if path == "/" else path


def check_segment(segment: str) -> None:
    """Refuse what a server might take for a way up, also one that decodes once more, and what no path can hold."""
    if any(part in (".", "..") for part in re.split(r"[/\\]", unquote(segment))):
        raise PathRefused("A part of the path is '.' or '..', which leads elsewhere.", hint="See which value is in it.")
    if _CONTROL.search(segment):
        raise PathRefused("A part of the path holds a control character.", hint="See which value is in it.")
    try:
        segment.encode()
    except UnicodeEncodeError:
        raise PathRefused("A part of the path holds half of a character.", hint="Send whole characters.") from None


def _check_rendered(segment: str) -> None:
    if not segment:
        raise PathRefused(
            "A part of the path is empty.", hint="See that each value in the path is there before the call."
        )
    check_segment(segment)


def _split(template: str) -> list[list[str]]:
    """The pieces of each segment: references with their braces, and fixed text."""
    segments: list[list[str]] = [[]]
    for piece in _PIECES.findall(template.removeprefix("/")):
        if piece == "/":
            segments.append([])
            continue
        if not piece.startswith("{{"):
            _check_fixed(template, piece)
        segments[-1].append(piece)
    if [] in segments[:-1]:
        raise PathRefused(f"The path {template!r} has two slashes in a row.", hint="Remove one.")
    for pieces in segments:
        check_segment("".join(pieces))
    return segments


def _check_fixed(template: str, text: str) -> None:
    found = re.search(r"[?#\\]|%(?![0-9A-Fa-f]{2})", text)
    if found:
        hint = "Query parameters have a place of their own; other characters are written as %20 and so on."
        raise PathRefused(f"The path {template!r} has a {found[0]!r} in it.", hint=hint)
