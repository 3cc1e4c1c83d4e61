# SPDX-License-Identifier: Apache-2.0
"""Values that a template has made text of."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput


def value_of(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] = dict) -> Any:
    """Return the value that a text stands for, as JSON or as Python writes it; None where it is neither.

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


def is_nothing(typed: Any) -> bool:
    """Return whether this is None, or what a template makes of None or of nothing.

    :param typed: an argument, after its template was rendered
    """
    return typed is None or (isinstance(typed, str) and typed.strip().lower() in ("", "none", "null"))


def _python(text: str, pairs: Callable[[list[tuple[str, Any]]], Any]) -> Any:
    said = ast.parse(text.strip(), mode="eval").body
    if isinstance(said, ast.Dict):
        keys = [ast.literal_eval(key) for key in said.keys if key is not None]
        return pairs(list(zip(keys, map(ast.literal_eval, said.values), strict=True)))
    return ast.literal_eval(said)
