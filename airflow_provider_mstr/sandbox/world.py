# SPDX-License-Identifier: Apache-2.0
"""What a Library server holds before anybody logs in: users, projects and data models."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

DataServeMode = Literal["in_memory", "connect_live", "off_memory"]
FailureKind = Literal["schema_comparison_error", "error", "negative_status", "status_3", "http_500"]

MOSAIC_EXT_TYPE = 448
PUSH_DATA_EXT_TYPE = 256


@dataclass(frozen=True)
class PublishFailure:
    """How a publish goes wrong.

    :param kind: ``schema_comparison_error`` and ``error`` end one table that way, and the rest loads;
        ``negative_status`` and ``status_3`` show at the top of publishStatus; ``http_500`` answers
        publishStatus with an error.
    :param table: name or id of the table it happens to; the last one published if left out. A publish that
        does not contain the table does not fail.
    :param code: error code, a signed 32-bit number.
    :param message: text that comes with the code.
    """

    kind: FailureKind
    table: str | None = None
    code: int | None = None
    message: str = "(QueryEngine encountered error: parallel mode execution stalled.)"

    def __post_init__(self) -> None:
        if self.kind not in get_args(FailureKind):
            raise ValueError(f"kind is one of {', '.join(get_args(FailureKind))}, not {self.kind!r}")


@dataclass(frozen=True)
class User:
    """Someone who can log in.

    :param name: what is typed as ``username``.
    :param password: for standard and LDAP logins.
    :param api_token: for API token logins, where it is sent as ``username``.
    :param can_publish: whether the user has the privilege to publish.
    :param can_monitor: whether the user has the privilege to see the sessions of all users.
    :param can_administer: whether the user may read a project's settings.
    """

    name: str
    password: str = ""
    api_token: str | None = None
    can_publish: bool = True
    can_monitor: bool = True
    can_administer: bool = True


@dataclass(frozen=True)
class Project:
    """A project.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param loaded: whether the Intelligence Server has it loaded; if not, it is listed but of no use.
    """

    id: str
    name: str
    loaded: bool = True


@dataclass(frozen=True)
class Source:
    """A table of a database that a logical table loads from.

    :param table: its name.
    :param namespace: the database's schema it is in.
    :param data_source_id: the data source the database is known as, 32 hexadecimal digits.
    """

    table: str
    namespace: str = "public"
    data_source_id: str = "E93B0C144F9EAF781E3993B5C439220D"


@dataclass(frozen=True)
class Table:
    """A logical table of a data model.

    :param id: 32 hexadecimal digits; what publish asks for.
    :param name: its name.
    :param refresh_policy: the policy stored with the table.
    :param sources: what it loads from, joined into one where there are several.
    """

    id: str
    name: str
    refresh_policy: str = "replace"
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class DataModel:
    """A Mosaic data model, or a dataset that is mistaken for one.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param project_id: the project it is in.
    :param tables: its tables.
    :param data_serve_mode: only a model that is not ``connect_live`` can be published.
    :param ext_type: 448 for a Mosaic model; other datasets share its subtype 779 but not this number.
    :param publish_seconds: how long its publish takes, in seconds; the server's setting if left out.
    :param failure: how its publish goes wrong, if it does.
    :param last_update_time: when it was last loaded; never, if left out.
    """

    id: str
    name: str
    project_id: str
    tables: tuple[Table, ...] = ()
    data_serve_mode: DataServeMode = "in_memory"
    ext_type: int = MOSAIC_EXT_TYPE
    publish_seconds: float | None = None
    failure: PublishFailure | None = None
    last_update_time: datetime | None = None

    @classmethod
    def named(
        cls, name: str, tables: Iterable[str], project: Project | None = None, **details: Any
    ) -> DataModel:
        """Return a data model whose ids, and those of its tables, follow from their names.

        :param name: its name.
        :param tables: the names of its tables.
        :param project: the project it is in; the first of the usual world if left out.
        :param details: the other fields.
        """
        made = tuple(Table(_id_of(f"{name}/{table}"), table) for table in tables)
        return cls(_id_of(name), name, (project or TUTORIAL).id, made, **details)

    def table(self, key: str) -> Table | None:
        """Find the table with this name or id, if there is one."""
        return next((table for table in self.tables if key in (table.id, table.name)), None)


@dataclass(frozen=True)
class World:
    """Everything a server holds.

    :param users: those with a name and a password; the first one is used for the Airflow connection.
    :param projects: the first one is used for the Airflow connection.
    :param data_models: of all projects.
    :param guest: who an anonymous login becomes; such logins are refused if left out.
    """

    users: tuple[User, ...]
    projects: tuple[Project, ...]
    data_models: tuple[DataModel, ...] = ()
    guest: User | None = None

    def project(self, project_id: str) -> Project | None:
        """Find the project with this id, if there is one."""
        return next((project for project in self.projects if project.id == project_id), None)

    def data_model(self, project_id: str, data_model_id: str) -> DataModel | None:
        """Find the data model with this id in this project, if there is one."""
        return next((model for model in self.in_project(project_id) if model.id == data_model_id), None)

    def in_project(self, project_id: str) -> tuple[DataModel, ...]:
        """Return all data models of a project."""
        return tuple(model for model in self.data_models if model.project_id == project_id)


def _id_of(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest().upper()


TUTORIAL = Project("B7CA92F04B9FAE8D941C3E9B7E0CD754", "Tutorial")
SALES = Project("4C09350211E69712BAEE0080EFB56D41", "Sales")

RETAIL = DataModel(
    id="9F4772B837604551B4D3CC916ADC5598",
    name="Retail",
    project_id=TUTORIAL.id,
    tables=(
        Table("B8A627B44A7A421C81741B868401E446", "ytd_day", sources=(Source("ytd_day_sls"),)),
        Table("612801B773AF4EFD974FF1F54FFAFB32", "city_mnth_sls", sources=(Source("city_mnth_sls"),)),
        Table(
            "0D1436DF3004418086D8BD3FD985EC4A",
            "lu_store",
            "upsert",
            (Source("lu_store"), Source("lu_region")),
        ),
        Table("7C2E0F5A9B1D4E6F8A3B5C7D9E1F2A4B", "order_detail", "add", (Source("order_detail", "sales"),)),
    ),
    last_update_time=datetime(2026, 1, 1, 6, tzinfo=UTC),
)
FINANCE = DataModel(
    id="3E5D1A7C4F8B4B0E9A6C2D8F1E7B5A90",
    name="Finance",
    project_id=TUTORIAL.id,
    tables=(
        Table("A1F4C7E2B5D84930861E3C5A7F9B2D40", "gl_balance", sources=(Source("gl_balance"),)),
        Table("C9E2B7D5A1F34860952B4E6C8A0D1F73", "lu_account", "upsert"),
    ),
)
SUPPLY_CHAIN = DataModel(
    id="5B8E3F1C7D2A4960B4E8A1C6F3D90B27",
    name="Supply Chain",
    project_id=TUTORIAL.id,
    tables=(
        Table("D3A6F1B8C4E74520973C5E1A8B6D0F92", "shipments", "add"),
        Table("E7B1D4C9A2F84630852D6F0B9C3E1A54", "stock_level"),
    ),
)
PIPELINE = DataModel(
    id="6D9F2B4E8C1A4730A5F9B3D7E0C6182A",
    name="Pipeline",
    project_id=SALES.id,
    tables=(
        Table("F2C8A5D1B7E34960841F3D6B9A0C7E58", "opportunity", "upsert"),
        Table("1B7E4A9D6C2F4850963A8E1D5F0B7C34", "forecast"),
    ),
)
LIVE_INVENTORY = DataModel(
    id="8A1C6E3B5F9D4270B8C4E7A2D6F1093E",
    name="Live Inventory",
    project_id=TUTORIAL.id,
    tables=(Table("2D9B6F3A8E1C4750A4F7C0B5E8D3196A", "inventory"),),
    data_serve_mode="connect_live",
)
PUSHED_TARGETS = DataModel(
    id="7E4B9D2F6A1C4830957E3B8D5F0A6C12",
    name="Pushed Targets",
    project_id=TUTORIAL.id,
    tables=(Table("3F8C5E2B9A7D4160B6E1D4A8C0F7952B", "targets"),),
    ext_type=PUSH_DATA_EXT_TYPE,
)

DEFAULT_WORLD = World(
    users=(
        User("administrator", "sandbox-password", "sandbox-api-token-5f0c9d"),
        User(
            "analyst",
            "sandbox-analyst-password",
            can_publish=False,
            can_monitor=False,
            can_administer=False,
        ),
    ),
    projects=(TUTORIAL, SALES),
    data_models=(RETAIL, FINANCE, SUPPLY_CHAIN, PIPELINE, LIVE_INVENTORY, PUSHED_TARGETS),
    guest=User("guest"),
)
