# SPDX-License-Identifier: Apache-2.0
"""How hard hypothesis looks: HYPOTHESIS_PROFILE=thorough looks fifty times as hard."""

from __future__ import annotations

import os

from hypothesis import settings

_PROFILES = {"ci": 200, "thorough": 10_000}

for _name, _examples in _PROFILES.items():
    settings.register_profile(_name, max_examples=_examples, deadline=None)

_chosen = os.environ.get("HYPOTHESIS_PROFILE", "ci")
if _chosen in _PROFILES:
    settings.load_profile(_chosen)
