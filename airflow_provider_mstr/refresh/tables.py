# SPDX-License-Identifier: Apache-2.0
"""Which tables of a data model to publish, and with which refresh policy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from airflow_provider_mstr.refresh.literals import Blank, advice_for, parse_literal, text_of
from airflow_provider_mstr.rest.endpoints.data_models import Table, TableRefresh
from airflow_provider_mstr.rest.errors import InvalidInput, NotFound, ServerReply
from airflow_provider_mstr.rest.refresh_policy import RefreshPolicy
from airflow_provider_mstr.rest.text import clean, is_id
from airflow_provider_mstr.rest.words import find_by_name, suggest


@dataclass(frozen=True, slots=True)
class TableChoice:
    """The tables that a DAG author names, not yet found in the model.

    :param policies: table name or id to policy; empty means every table of the model
    :param default: the policy of every table when none is named
    """

    policies: Mapping[str, RefreshPolicy]
    default: RefreshPolicy

    @classmethod
    def of(cls, tables: Any, refresh_policy: Any) -> TableChoice:
        """Return the choice that a DAG author wrote.

        :param tables: None for every table; a collection of names or ids; a mapping of name or id to policy;
            or either of these as the text that a template renders to
        :param refresh_policy: the policy of the tables that name none
        :raises InvalidInput: where this names no table, one twice, or a policy that does not exist
        """
        default = RefreshPolicy.of(refresh_policy)
        if tables is None:
            return cls({}, default)
        if isinstance(tables, Blank) or (isinstance(tables, str) and tables.strip() in ("", "None", "null")):
            raise InvalidInput(
                f"tables is {tables!r}: a template or another task returned no value; "
                "leave tables out to publish every table, or name the tables in a list"
            )
        value = _parsed(tables) if isinstance(tables, str) else tables
        if isinstance(value, int) and (name := text_of(value)):
            value = [name]
        if isinstance(value, Mapping):
            pairs = [
                (
                    name,
                    default
                    if policy is None
                    else RefreshPolicy.of(policy, f"the policy of {name!r} in tables"),
                )
                for name, policy in value.items()
            ]
        elif isinstance(value, Collection) and not isinstance(value, (str, bytes, bytearray)):
            names = sorted(value, key=str) if isinstance(value, Set) else value
            pairs = [(name, default) for name in names]
        else:
            raise InvalidInput(
                f"tables must be a list or a mapping of table names or ids, not {value!r}{advice_for(value)}"
            )
        return cls(_unique(pairs), default)

    @property
    def needs_listing(self) -> bool:
        """Whether the model's tables must be listed first: for names, and for every table."""
        return not self.policies or not all(is_id(name) for name in self.policies)

    def resolve(
        self, model: Sequence[Table], model_name: str, about: str | None = None
    ) -> tuple[TableRefresh, ...]:
        """Return the tables to publish.

        :param model: the tables of the data model; unused where :attr:`needs_listing` is false
        :param model_name: how to call the data model in an error
        :param about: its id for the end of the error, if the name is not known
        :raises NotFound: where a table is not in the model, or the model has none
        :raises InvalidInput: if a name belongs to several tables, or two names to one
        """
        if not self.needs_listing:
            return tuple(TableRefresh(name, name, policy) for name, policy in self.policies.items())
        if not model:
            raise NotFound(
                f"{model_name} has no tables to publish",
                ServerReply(about=about),
                advice="Add a table to the data model in Strategy.",
            )
        if not self.policies:
            return tuple(TableRefresh(table.id, table.name, self.default) for table in model)
        resolved = [(_find(name, model, model_name, about), policy) for name, policy in self.policies.items()]
        _refuse_twice(table.id for table, _ in resolved)
        return tuple(TableRefresh(table.id, table.name, policy) for table, policy in resolved)


EVERY_TABLE = TableChoice({}, RefreshPolicy.REPLACE)


def _parsed(text: str) -> Any:
    data = parse_literal(text, _once)
    if isinstance(data, (Mapping, list, tuple, set)):
        return data
    return [data if isinstance(data, str) else text]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a mapping, which must name nothing twice."""
    _refuse_twice(name for name, _ in pairs)
    return dict(pairs)


def _unique(pairs: Iterable[tuple[Any, RefreshPolicy]]) -> dict[str, RefreshPolicy]:
    named = [(_table_text(value), policy) for value, policy in pairs]
    policies = dict(named)
    _refuse_twice(_same(name) for name, _ in named)
    if not policies:
        raise InvalidInput(
            "tables is empty: nothing would be published; leave tables out to publish every table"
        )
    return policies


def _find(name: str, model: Sequence[Table], model_name: str, about: str | None) -> Table:
    name = clean(name)
    found = [table for table in model if table.id.upper() == name.upper() or table.name == name]
    found = found or find_by_name(name, model, lambda table: table.name)
    if not found:
        names = suggest(name, (table.name for table in model))
        raise NotFound(
            f"no table named {name!r} in {model_name}; {names}",
            ServerReply(about=about),
            advice="Correct the argument tables.",
        )
    if len(found) > 1:
        ids = ", ".join(table.id for table in found)
        raise InvalidInput(
            f"{len(found)} tables of {model_name} are named {name!r}; use the id of one: {ids}",
            ServerReply(about=about),
        )
    return found[0]


def _table_text(value: Any) -> str:
    text = text_of(value)
    if not text:
        raise InvalidInput(f"tables contains {value!r}, which is not a table name or id{advice_for(value)}")
    return text


def _same(name: str) -> str:
    return name.upper() if is_id(name) else name


def _refuse_twice(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInput(f"tables names the table {name} twice: remove one")
        seen.add(name)
