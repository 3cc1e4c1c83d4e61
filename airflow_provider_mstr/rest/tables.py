# SPDX-License-Identifier: Apache-2.0
"""Which tables of a data model to publish, and with which refresh policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_provider_mstr.rest.errors import InvalidInput, NotFound
from airflow_provider_mstr.rest.literals import is_nothing, value_of
from airflow_provider_mstr.rest.text import clean

_HEX = frozenset("0123456789abcdefABCDEF")


class RefreshPolicy(StrEnum):
    """What a publish does with the rows of a table (seed page, Publish)."""

    REPLACE = "replace"
    ADD = "add"
    UPDATE = "update"
    UPSERT = "upsert"

    @classmethod
    def of(cls, typed: Any, name: str = "refresh_policy") -> RefreshPolicy:
        """Return the policy that was typed.

        :param typed: a policy's name in any casing
        :param name: how the error calls it
        :raises InvalidInput: where there is no such policy
        """
        try:
            return cls(str(typed).strip().lower())
        except ValueError:
            raise InvalidInput(f"{name} is {typed!r}; there is {', '.join(cls)}") from None


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a data model, as the server lists it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class TableRefresh:
    """A table that is to be published, or was, with its policy."""

    id: str
    name: str
    policy: RefreshPolicy


@dataclass(frozen=True, slots=True)
class TableChoice:
    """The tables a DAG author chose, not yet looked up.

    :param policies: table name or id to policy; empty means every table of the model
    :param default: the policy of every table when none is named
    """

    policies: Mapping[str, RefreshPolicy]
    default: RefreshPolicy

    @classmethod
    def of(cls, tables: Any, refresh_policy: Any, *, none_is_every: bool = True) -> TableChoice:
        """Return the choice that was typed.

        :param tables: None for every table; a list of names or ids; a mapping of name or id to policy; or
            either of these as the text that a template renders to
        :param refresh_policy: the policy of the tables that name none
        :param none_is_every: whether None was typed, and is not what came of a template
        :raises InvalidInput: where this names no table, one twice, or a policy that does not exist
        """
        default = RefreshPolicy.of(refresh_policy)
        if tables is None and none_is_every:
            return cls({}, default)
        if is_nothing(tables):
            raise InvalidInput(
                f"tables is {tables!r}, which a template or a task made of nothing; "
                "leave tables out to publish every table"
            )
        typed = _parsed(tables) if isinstance(tables, str) else tables
        if isinstance(typed, Mapping):
            pairs = [
                (
                    name,
                    default
                    if policy is None
                    else RefreshPolicy.of(policy, f"the policy of {name!r} in tables"),
                )
                for name, policy in typed.items()
            ]
        elif isinstance(typed, Sequence) and not isinstance(typed, (str, bytes)):
            pairs = [(name, default) for name in typed]
        else:
            raise InvalidInput(f"tables must be a list or a mapping of table names or ids, not {typed!r}")
        return cls(_unique(pairs), default)

    @property
    def needs_listing(self) -> bool:
        """Whether the model's tables must be listed first: for names, and for every table."""
        return not self.policies or not all(is_id(name) for name in self.policies)

    def resolve(self, model: Sequence[Table], model_name: str) -> tuple[TableRefresh, ...]:
        """Return the tables to publish.

        :param model: the tables of the data model; unused where :attr:`needs_listing` is false
        :param model_name: how to call the data model in an error
        :raises NotFound: where a table is not in the model, or the model has none
        :raises InvalidInput: where a name stands for several tables, or two names for one
        """
        if not self.needs_listing:
            return tuple(TableRefresh(name, name, policy) for name, policy in self.policies.items())
        if not model:
            raise NotFound(f"{model_name} has no tables to publish")
        if not self.policies:
            return tuple(TableRefresh(table.id, table.name, self.default) for table in model)
        chosen = [(_find(name, model, model_name), policy) for name, policy in self.policies.items()]
        _refuse_twice(table.id for table, _ in chosen)
        return tuple(TableRefresh(table.id, table.name, policy) for table, policy in chosen)


def is_id(text: str) -> bool:
    """Return whether a text has the form of a Strategy object id: 32 hexadecimal digits.

    :param text: a name or an id
    """
    return len(text) == 32 and _HEX.issuperset(text)


def _parsed(text: str) -> Any:
    said = value_of(text, _once)
    if isinstance(said, (Mapping, list, tuple, set)):
        return said
    return [said if isinstance(said, str) else text]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a mapping, which must name nothing twice."""
    _refuse_twice(name for name, _ in pairs)
    return dict(pairs)


def _unique(pairs: Iterable[tuple[Any, RefreshPolicy]]) -> dict[str, RefreshPolicy]:
    pairs = list(pairs)
    policies: dict[str, RefreshPolicy] = {}
    for typed, policy in pairs:
        if not isinstance(typed, str) or not typed.strip():
            raise InvalidInput(f"tables holds {typed!r}, which is no table name or id")
        policies[typed.strip()] = policy
    _refuse_twice(_same(typed) for typed, _ in pairs)
    if not policies:
        raise InvalidInput(
            "tables is empty: nothing would be published; leave tables out to publish every table"
        )
    return policies


def _find(name: str, model: Sequence[Table], model_name: str) -> Table:
    name = clean(name)
    found = [table for table in model if table.id.upper() == name.upper() or table.name == name]
    found = found or [table for table in model if table.name.casefold() == name.casefold()]
    if not found:
        there_is = ", ".join(sorted(table.name for table in model)[:50])
        raise NotFound(f"{model_name} has no table {name!r}; it has {there_is}")
    if len(found) > 1:
        ids = ", ".join(table.id for table in found)
        raise InvalidInput(f"{model_name} has {len(found)} tables called {name!r}; name one by its id: {ids}")
    return found[0]


def _same(typed: str) -> str:
    return typed.strip().upper() if is_id(typed.strip()) else typed.strip()


def _refuse_twice(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"tables names the table {name} twice")
        seen.add(name)
