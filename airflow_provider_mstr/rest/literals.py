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
    :param pairs: makes a JSON object of its pairs; raises ``InvalidInput`` where it may not be one
    """
    for read in (partial(json.loads, object_pairs_hook=pairs), ast.literal_eval):
        try:
            return read(text)
        except InvalidInput:
            raise
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None
