# SPDX-License-Identifier: Apache-2.0
"""The description of the REST API that a server serves, only what concerns a refresh."""

from __future__ import annotations

OPENAPI = {
    "openapi": "3.0.1",
    "info": {"title": "Strategy REST", "version": "1.0"},
    "paths": {},
    "components": {
        "schemas": {
            "DataModelTableRefreshPolicy": {
                "type": "string",
                "enum": ["reserved", "add", "delete", "update", "upsert", "replace", "ignore"],
            },
            "DataModelPublishStatus": {
                "type": "object",
                "properties": {
                    "status": {"type": "integer", "format": "int32"},
                    "tables": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "id": {"type": "string"},
                                "status": {
                                    "type": "string",
                                    "enum": [
                                        "reserved",
                                        "schema_comparison_completed",
                                        "schema_comparison_error",
                                        "completed",
                                        "error",
                                    ],
                                },
                            },
                        },
                    },
                },
            },
            "Folder": {"type": "object", "properties": {"kind": {"type": "string", "enum": ["a", "b"]}}},
        }
    },
}
