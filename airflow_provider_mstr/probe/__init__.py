# SPDX-License-Identifier: Apache-2.0
"""Refreshes an object once and describes how the server answers, without names, ids and secrets."""
