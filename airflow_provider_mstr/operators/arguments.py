# SPDX-License-Identifier: Apache-2.0
"""Arguments of the operators: templates, default arguments, booleans."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from airflow_provider_mstr.refresh.literals import Blank, as_text, is_empty, mark_blanks
from airflow_provider_mstr.rest.errors import InvalidInput

# The words that Airflow's own to_boolean accepts, and their opposites.
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})

_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


class NotSet(Enum):
    """The type of :data:`NOTSET`, the default of an argument for which None is a value."""

    NOTSET = "not set"

    def __repr__(self) -> str:
        return self.name

    __str__ = __repr__


NOTSET = NotSet.NOTSET


class Templated:
    """A template field that remembers what the DAG file contains.

    Airflow replaces a field with its rendered value. ``None`` in the DAG file and a template that renders to
    ``None`` are different things: only the first one means "left out".

    :param is_id: whether the value is an object's id, which a template may make a number
    """

    def __init__(self, *, is_id: bool = False) -> None:
        self._is_id = is_id

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"_mstr_{name}"

    def __get__(self, operator: Any, owner: type | None = None) -> Any:
        if operator is None:
            return self
        _, value = self._values(operator)
        return None if value is NOTSET else value

    def __set__(self, operator: Any, value: Any) -> None:
        values = (value, value)
        if self._key in vars(operator):
            # The first value stays the same object, by which Airflow recognizes the output of another task.
            written, current = self._values(operator)
            written = written if _is_equal(value, current) else current
            values = (written, as_text(value, written, self._digits()))
        vars(operator)[self._key] = values

    def argument(self, operator: Any, *, is_mapped: bool) -> Any:
        """Return the rendered value: None only if the DAG file contains None or leaves the field out.

        :param operator: the operator that has the field
        :param is_mapped: whether the task is mapped: a value may then come from another task
        """
        written, value = self._values(operator)
        if value is NOTSET or (value is None and written is NOTSET):
            return None
        if is_mapped and (value is None or is_empty(value)):
            return Blank(value)
        return mark_blanks(value, written)

    def _digits(self) -> int:
        """Return the minimum length of the text of a number."""
        from airflow_provider_mstr.rest.text import ID_LENGTH

        return ID_LENGTH if self._is_id else 1

    def _values(self, operator: Any) -> tuple[Any, Any]:
        try:
            values: tuple[Any, Any] = vars(operator)[self._key]
        except KeyError:
            raise AttributeError(self._key) from None
        return values


def as_boolean(name: str, value: Any) -> bool:
    """Return a boolean.

    :param name: the name of the argument
    :param value: a boolean, 1 or 0, or one of the words that Airflow's configuration accepts
    :raises InvalidInput: if it is anything else
    """
    if isinstance(value, (bool, int)) and value in (0, 1):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidInput(f"{name} is {value!r}; it must be True or False")


def nearest(arguments: Mapping[str, Any], *levels: Mapping[str, Any]) -> set[str]:
    """Return the names of the arguments that are set nearest to the task.

    :param arguments: the arguments that apply
    :param levels: the default arguments, from the DAG to the task; each level overrides those before it
    """
    merged: list[dict[str, Any]] = [{}]
    for level in levels:
        merged.append(merged[-1] | dict(level))
    # A level sets a value if the value differs before that level, and no longer after it.
    set_at = {
        name: max((index for index, level in enumerate(merged) if not _has(level, name, value)), default=-1)
        for name, value in arguments.items()
    }
    return {name for name, index in set_at.items() if index == max(set_at.values())}


def default_levels(dag: Any, task_group: Any) -> list[Mapping[str, Any]]:
    """Return the default arguments of a DAG and of its task groups, from the outermost to the innermost.

    :param dag: the DAG, or None
    :param task_group: the innermost task group, or None
    """
    groups: list[Mapping[str, Any]] = []
    while task_group is not None:
        groups.insert(0, task_group.default_args or {})
        task_group = task_group.parent_group
    return [*([dag.default_args or {}] if dag else []), *groups]


def _has(level: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in level and _is_equal(level[name], value)


def _is_equal(one: Any, other: Any) -> bool:
    try:
        return one is other or (type(one) is type(other) and bool(one == other))
    except Exception:
        # Arrays and data frames have no truth value.
        return False
