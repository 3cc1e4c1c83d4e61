# SPDX-License-Identifier: Apache-2.0
"""The users, projects and objects of the server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

DataServeMode = Literal["in_memory", "connect_live", "off_memory"]
FailureKind = Literal["schema_comparison_error", "error", "negative_status", "status_3", "http_500"]
RefreshType = Literal["update", "insert", "delete", "update_only", "replace"]

MOSAIC_EXT_TYPE = 448
PUSH_DATA_EXT_TYPE = 256
INTELLIGENT_CUBE, INCREMENTAL_REFRESH_REPORT, SUPER_CUBE = 776, 777, 779


@dataclass(frozen=True)
class PublishFailure:
    """How a publish fails.

    :param kind: ``schema_comparison_error`` and ``error`` are the state of one table, and the others load;
        ``negative_status`` and ``status_3`` are the status of publishStatus; with ``http_500``, publishStatus
        returns an error.
    :param table: name or id of the table that fails; by default the last one published. A publish without
        this table does not fail.
    :param code: error code, a signed 32-bit number.
    :param message: error message.
    """

    kind: FailureKind
    table: str | None = None
    code: int | None = None
    message: str = "(QueryEngine encountered error: parallel mode execution stalled.)"

    def __post_init__(self) -> None:
        if self.kind not in get_args(FailureKind):
            raise ValueError(f"kind must be one of: {', '.join(get_args(FailureKind))}; got {self.kind!r}")


@dataclass(frozen=True)
class User:
    """A user who can log in.

    :param name: the ``username`` of a login.
    :param password: the password of standard and LDAP logins.
    :param api_token: the ``username`` of API token logins.
    :param can_publish: whether the user has the privilege to publish.
    :param can_monitor: whether the user has the privilege to see the sessions of all users, and to see and
        cancel jobs.
    """

    name: str
    password: str = ""
    api_token: str | None = None
    can_publish: bool = True
    can_monitor: bool = True


@dataclass(frozen=True)
class Project:
    """A project.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param loaded: whether the Intelligence Server has loaded it; otherwise it is listed but cannot be used.
    """

    id: str
    name: str
    loaded: bool = True


@dataclass(frozen=True)
class Source:
    """A database table from which a logical table is loaded.

    :param table: its name.
    :param namespace: its database schema.
    :param data_source_id: id of the data source, 32 hexadecimal digits.
    """

    table: str
    namespace: str = "public"
    data_source_id: str = "E93B0C144F9EAF781E3993B5C439220D"


@dataclass(frozen=True)
class Table:
    """A logical table of a data model.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param refresh_policy: its stored policy.
    :param sources: the database tables from which it is loaded.
    """

    id: str
    name: str
    refresh_policy: str = "replace"
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class DataModel:
    """A Mosaic data model or another dataset.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param project_id: id of its project.
    :param tables: its tables.
    :param data_serve_mode: a ``connect_live`` model cannot be published.
    :param ext_type: 448 for a Mosaic model. Other datasets also have subtype 779, but another extended type.
    :param publish_seconds: duration of its publish in seconds; by default that of the settings.
    :param failure: how its publish fails, if it does.
    :param last_update_time: time of the last load; None if it was never loaded.
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
        """Return a data model with ids derived from its name and the names of its tables.

        :param name: its name.
        :param tables: the names of its tables.
        :param project: its project; by default "Tutorial".
        :param details: other fields.
        """
        table_objects = tuple(Table(_make_id(f"{name}/{table}"), table) for table in tables)
        return cls(_make_id(name), name, (project or TUTORIAL).id, table_objects, **details)

    def table(self, key: str) -> Table | None:
        """Find the table with this name or id, if there is one."""
        return next((table for table in self.tables if key in (table.id, table.name)), None)


@dataclass(frozen=True)
class Cube:
    """An Intelligent cube or a super cube.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param project_id: id of its project.
    :param subtype: 776 for an Intelligent cube, 779 for a super cube.
    :param ext_type: any but that of a Mosaic model, 448.
    :param publish_seconds: duration of its load in seconds; by default that of the settings.
    :param failure: the error message of its loads, if they fail.
    :param last_update_time: time of the last load; None if it was never loaded.
    :param prompted: whether its loads wait for the answer to a prompt, so that they never end.
    """

    id: str
    name: str
    project_id: str
    subtype: int = INTELLIGENT_CUBE
    ext_type: int = 0
    publish_seconds: float | None = None
    failure: str | None = None
    last_update_time: datetime | None = None
    prompted: bool = False

    def __post_init__(self) -> None:
        if self.subtype not in (INTELLIGENT_CUBE, SUPER_CUBE):
            raise ValueError(f"subtype must be one of: 776, 779; got {self.subtype}")
        if self.ext_type == MOSAIC_EXT_TYPE:
            raise ValueError("ext_type must not be 448, which is that of a Mosaic model")

    @classmethod
    def named(cls, name: str, project: Project | None = None, **details: Any) -> Cube:
        """Return a cube with an id derived from its name.

        :param name: its name.
        :param project: its project; by default "Tutorial".
        :param details: other fields.
        """
        return cls(_make_id(name), name, (project or TUTORIAL).id, **details)


@dataclass(frozen=True)
class IncrementalRefreshReport:
    """An incremental refresh report. A run takes as long as a load of its target cube, and fails like it.

    :param id: 32 hexadecimal digits.
    :param name: its name.
    :param project_id: id of its project.
    :param cube_id: id of its target cube.
    :param refresh_type: ``update``, ``insert``, ``delete``, ``update_only`` or ``replace``.
    """

    id: str
    name: str
    project_id: str
    cube_id: str
    refresh_type: RefreshType = "update"

    def __post_init__(self) -> None:
        if self.refresh_type not in get_args(RefreshType):
            raise ValueError(
                f"refresh_type must be one of: {', '.join(get_args(RefreshType))}; got {self.refresh_type!r}"
            )

    @classmethod
    def named(cls, name: str, cube: Cube, refresh_type: RefreshType = "update") -> IncrementalRefreshReport:
        """Return a report with an id derived from its name, in the project of its target cube.

        :param name: its name.
        :param cube: its target cube.
        :param refresh_type: its refresh type.
        """
        return cls(_make_id(name), name, cube.project_id, cube.id, refresh_type)


WorldObject = DataModel | Cube | IncrementalRefreshReport


@dataclass(frozen=True)
class World:
    """The users, projects and objects of a server.

    :param users: the users. The Airflow connection uses the first one.
    :param projects: the projects. The Airflow connection uses the first one.
    :param data_models: the data models of all projects.
    :param guest: the user of anonymous logins; None to reject them.
    :param cubes: the Intelligent cubes and super cubes of all projects.
    :param reports: the incremental refresh reports of all projects.
    """

    users: tuple[User, ...]
    projects: tuple[Project, ...]
    data_models: tuple[DataModel, ...] = ()
    guest: User | None = None
    cubes: tuple[Cube, ...] = ()
    reports: tuple[IncrementalRefreshReport, ...] = ()

    def project(self, project_id: str) -> Project | None:
        """Find the project with this id, if there is one."""
        return next((project for project in self.projects if project.id == project_id), None)

    def find(self, project_id: str, object_id: str) -> WorldObject | None:
        """Find the object with this id in this project, if there is one."""
        return next((each for each in self.objects(project_id) if each.id == object_id), None)

    def in_project(self, project_id: str) -> tuple[DataModel, ...]:
        """Return all data models of a project."""
        return tuple(model for model in self.data_models if model.project_id == project_id)

    def objects(self, project_id: str) -> tuple[WorldObject, ...]:
        """Return all data models, cubes and reports of a project."""
        objects: tuple[WorldObject, ...] = (*self.data_models, *self.cubes, *self.reports)
        return tuple(each for each in objects if each.project_id == project_id)


def _make_id(name: str) -> str:
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

SALES_CUBE = Cube(
    id="4B7D9E2A6C1F4830A5E8B3D7F0C6921A",
    name="Sales Cube",
    project_id=TUTORIAL.id,
    last_update_time=datetime(2026, 1, 1, 6, tzinfo=UTC),
)
CUSTOMER_CUBE = Cube(
    id="2F8C5E1B9A7D4160B6E3D4A8C0F7951D",
    name="Customer Cube",
    project_id=TUTORIAL.id,
    subtype=SUPER_CUBE,
    ext_type=PUSH_DATA_EXT_TYPE,
)
REGION_CUBE = Cube(
    id="6A1C8E3B5F9D4270B8C4E7A2D6F10935",
    name="Region Cube",
    project_id=TUTORIAL.id,
    prompted=True,
)
SALES_UPDATE = IncrementalRefreshReport(
    id="1D9B6F3A8E1C4750A4F7C0B5E8D3196B",
    name="Sales Update",
    project_id=TUTORIAL.id,
    cube_id=SALES_CUBE.id,
)

DEFAULT_WORLD = World(
    users=(
        User("administrator", "sandbox-password", "sandbox-api-token-5f0c9d"),
        User(
            "analyst",
            "sandbox-analyst-password",
            can_publish=False,
            can_monitor=False,
        ),
    ),
    projects=(TUTORIAL, SALES),
    data_models=(RETAIL, FINANCE, SUPPLY_CHAIN, PIPELINE, LIVE_INVENTORY, PUSHED_TARGETS),
    guest=User("guest"),
    cubes=(SALES_CUBE, CUSTOMER_CUBE, REGION_CUBE),
    reports=(SALES_UPDATE,),
)
