# SPDX-License-Identifier: Apache-2.0
"""What Airflow reads about this provider, without importing the rest of it."""

from __future__ import annotations

from typing import Any

_NAME = "Strategy (MicroStrategy)"

_ASSET_URIS: list[dict[str, Any]] = [
    {
        "schemes": ["mstr"],
        "handler": "airflow_provider_mstr.assets.sanitize_uri",
        "factory": "airflow_provider_mstr.assets.data_model_asset",
        "to_openlineage_converter": "airflow_provider_mstr.assets.to_openlineage",
    }
]

# Nothing is hidden: up to Airflow 3.3.2 "Test Connection" is refused for a connection stored without a port
# (apache/airflow#73298), and before 3.2 the extra's JSON is where the login mode goes.
UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": [],
    "relabeling": {
        "host": "Library URL",
        "schema": "Project (id or name)",
        "password": "Password or API token",
    },
    "placeholders": {
        "host": "https://your-server/MicroStrategyLibrary",
        "port": "Type 0 for Test Connection",
        "schema": "Tutorial",
        "login": "administrator (none for api_token and guest)",
    },
}

_CONN_FIELDS: dict[str, Any] = {
    "login_mode": {
        "label": "Login mode",
        "description": "By name and password (standard, ldap), by an API token in the password's field "
        "(api_token), or without either (guest).",
        "schema": {
            "type": ["string", "null"],
            "enum": ["standard", "ldap", "api_token", "guest"],
            "default": "standard",
        },
    },
    "verify": {
        "label": "Certificate check",
        "description": "true, false, or the path of the CA file that signed the server's certificate; "
        "it has to be there on each worker and triggerer.",
        "schema": {"type": ["string", "null"], "default": "true"},
    },
    "timeout": {
        "label": "Time limit",
        "description": "Seconds that one answer of the server may take, not the refresh; 30 if left empty.",
        "schema": {"type": ["number", "null"], "minimum": 1},
    },
    "headers": {
        "label": "Headers",
        "description": "Headers that a gateway requires with each request, as JSON: "
        '{"X-Gateway-Key": "..."}. Headers of Strategy itself are not allowed.',
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "link_template": {
        "label": "Link template",
        "description": "Where the link on a task leads, such as {base}/app/{project_id}/{object_id}. "
        "A template with {data_model_id}, {cube_id} or {report_id} applies to that kind of object only.",
        "schema": {"type": ["string", "null"]},
    },
}

_CONFIG: dict[str, Any] = {
    "mstr": {
        "description": "What the provider for Strategy (MicroStrategy) adds to Airflow.",
        "options": {
            "ui": {
                "description": "Whether Airflow's UI shows data models: a page, and a tab on each task "
                "instance. Airflow 3.1 and newer can.",
                "type": "boolean",
                "version_added": None,
                "example": None,
                "default": "True",
            }
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, as Airflow's ``apache_airflow_provider`` entry point asks for it."""
    return {
        "package-name": "airflow-provider-mstr",
        "name": _NAME,
        "description": "Refresh Strategy (MicroStrategy) Mosaic data models and Intelligent cubes.",
        "integrations": [
            {"integration-name": _NAME, "external-doc-url": "https://www.strategy.com/", "tags": ["service"]}
        ],
        "hooks": [_modules("hooks")],
        "operators": [_modules("operators", "task_groups")],
        "sensors": [_modules("sensors")],
        "triggers": [_modules("triggers")],
        "asset-uris": _ASSET_URIS,
        # Airflow 2 reads this.
        "dataset-uris": _ASSET_URIS,
        "extra-links": ["airflow_provider_mstr.observability.links.MstrLink"],
        "config": _CONFIG,
        "cli": ["airflow_provider_mstr.cli.parser.get_mstr_cli_commands"],
        "connection-types": [
            {
                "hook-class-name": "airflow_provider_mstr.hooks.MstrHook",
                "hook-name": _NAME,
                "connection-type": "mstr",
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": _CONN_FIELDS,
            }
        ],
    }


def _modules(*names: str) -> dict[str, Any]:
    return {
        "integration-name": _NAME,
        "python-modules": [f"airflow_provider_mstr.{name}" for name in names],
    }
