# SPDX-License-Identifier: Apache-2.0
"""Rendered arguments: values that became text in a template, and text that became values."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from numbers import Integral
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput

# The text that Jinja and its filter tojson render None to.
_RENDERED_NONE = frozenset({"None", "null"})

# Longer numbers are not ids or names, and Python refuses to print very long ones.
_MAX_NUMBER = 10**255


@dataclass(frozen=True, slots=True, repr=False)
class Blank:
    """An argument that rendered to None or to an empty text, or for which another task returned None.

    It is never equal to an argument that the DAG file leaves out.

    :param value: None, an empty text, or the text that Jinja renders None to
    """

    value: str | None

    def __repr__(self) -> str:
        return repr(self.value)


def as_text(value: Any, written: Any, digits: int = 1) -> Any:
    """Return a rendered value; undo what ``render_template_as_native_obj`` has made of text.

    Airflow then evaluates even a plain text, such as the name "2024". That text is returned as it is in the
    DAG file. A whole number out of a template, or from another task, becomes text again.

    :param value: the rendered value
    :param written: the value in the DAG file
    :param digits: the minimum length of the text of a number, as zeros at its beginning are lost
    """
    if isinstance(written, str) and not isinstance(value, str) and _is_literal(written, value):
        return written
    sources = _parts(written)
    if isinstance(value, Mapping):
        return {as_text(name, None): as_text(each, sources.get(str(name))) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [as_text(each, sources.get(str(index))) for index, each in enumerate(value)]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, str):
        return value
    # Airflow sends rendered fields as JSON with 64-bit numbers, and Decimal as text.
    is_sendable = not isinstance(value, (int, float)) or abs(value) < 2**63
    return text_of(value, digits) or (value if is_sendable else Decimal(value))


def mark_blanks(value: Any, written: Any) -> Any:
    """Return a rendered value; a ``Blank`` if it is None or empty because of a template or another task.

    :param value: the rendered value
    :param written: the value in the DAG file
    """
    is_unchanged = value is written or (isinstance(written, str) and value == written)
    is_none = isinstance(written, str) and isinstance(value, str) and value.strip() in _RENDERED_NONE
    if (value is None or is_empty(value) or is_none) and not is_unchanged:
        return Blank(value)
    sources = _parts(written)
    if isinstance(value, Mapping) and sources:
        return {name: mark_blanks(each, sources.get(str(name))) for name, each in value.items()}
    if isinstance(value, (list, tuple)) and sources:
        return [mark_blanks(each, sources.get(str(index))) for index, each in enumerate(value)]
    return value


def text_of(value: Any, digits: int = 1) -> str:
    """Return the text of an id or a name, without blanks around it; an empty text if it is neither.

    Native rendering turns digits into whole numbers, so these count as text.

    :param value: an argument
    :param digits: the minimum length of the text of a number
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) < _MAX_NUMBER:
        return str(int(value)).zfill(digits)
    return ""


def advice_for(value: Any) -> str:
    """Return what to do about a value that must be a text, but is not.

    :param value: an argument
    """
    if isinstance(value, Blank):
        return ". Check the template or the task that it comes from"
    if value is None or isinstance(value, str):
        return ""
    return (
        ". If the DAG sets render_template_as_native_obj, Airflow turns text into Python values: "
        "write the template in quotes, \"'{{ ... }}'\", or pass the value as text"
    )


def parse_literal(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] = dict) -> Any:
    """Return the value of a text that is JSON or a Python literal; None if it is neither.

    :param text: what a template rendered to
    :param pairs: makes a mapping of its pairs; raises ``InvalidInput`` where it may not be one
    """
    for read in (partial(json.loads, object_pairs_hook=pairs), partial(_python, pairs=pairs)):
        try:
            return read(text)
        except InvalidInput:
            raise
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None


def is_blank(value: Any) -> bool:
    """Return whether this is None, or what a template makes of None or of nothing.

    :param value: an argument, after its template was rendered
    """
    if isinstance(value, Blank) or value is None:
        return True
    return isinstance(value, str) and value.strip().lower() in ("", "none", "null")


def is_empty(value: Any) -> bool:
    """Return whether this is a text that is empty or only has blanks.

    :param value: an argument
    """
    return isinstance(value, str) and not value.strip()


def _parts(written: Any) -> dict[str, Any]:
    """Return the parts of a value in the DAG file, by name or index; a text, such as a template, has none."""
    if isinstance(written, Mapping):
        return {str(name): part for name, part in written.items()}
    return {
        str(index): part for index, part in enumerate(written if isinstance(written, (list, tuple)) else ())
    }


def _is_literal(written: str, value: Any) -> bool:
    """Return whether native rendering has evaluated a text that holds no template."""
    try:
        literal = ast.literal_eval(written)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return False
    return type(literal) is type(value) and bool(literal == value)


def _python(text: str, pairs: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    node = ast.parse(text.strip(), mode="eval").body
    if isinstance(node, ast.Dict):
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return pairs(list(zip(keys, map(ast.literal_eval, node.values), strict=True)))
    return ast.literal_eval(node)
