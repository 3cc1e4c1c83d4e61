# SPDX-License-Identifier: Apache-2.0
"""How soon the page "Strategy refreshes" shows its rows in a headless browser.

The page runs in Airflow's own UI, which starts before it: one column is the time until then. The answers to
its requests are made up, so the time that Airflow's database takes is not in the figures.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import browser
from browsing import CHROMIUM_ARGS, Pages, serve_list
from listed import dag, many
from playwright.sync_api import Page, sync_playwright
from real_airflow import environment
from standalone import Standalone
from tables import show, surroundings

from airflow_provider_mstr.sandbox import Sandbox

# Times in milliseconds since the start of the navigation.
WATCH = """
new MutationObserver(() => {
  const rows = document.querySelectorAll(".mstr tbody tr").length;
  if (rows) globalThis.firstRows ??= performance.now();
  if (rows === ROWS) globalThis.allRows ??= performance.now();
}).observe(document, { childList: true, subtree: true });
"""
TIMES = """[
  performance.getEntriesByType("resource").find(({ name }) => name.endsWith("/mstr-ui/page.js")).startTime,
  globalThis.firstRows,
  globalThis.allRows,
]"""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--runs", type=int, default=6, help="runs of each object")
    parser.add_argument("--times", type=int, default=5, help="how often the page is opened")
    parser.add_argument("--url", help="an Airflow that runs already and lets everybody in")
    options = parser.parse_args()
    print(surroundings())
    with _airflow(options.url) as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser.find(), args=CHROMIUM_ARGS)
        rows = []
        for objects in options.objects:
            page = chromium.new_page()
            instances = list(many(objects, options.runs))
            serve_list(page, instances, [dag(each) for each in sorted({ti["dag_id"] for ti in instances})])
            page.add_init_script(WATCH.replace("ROWS", str(objects)))
            times = [_open(page, url) for _ in range(options.times)]
            rows.append((objects, *map(statistics.median, zip(*times, strict=True))))
            page.close()
        show(
            f'The page "Strategy refreshes", median of {options.times} times',
            ("objects", "Airflow's UI, ms", "first rows, ms", "all rows, ms"),
            rows,
        )


@contextmanager
def _airflow(url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    with (
        tempfile.TemporaryDirectory() as home,
        Sandbox() as sandbox,
        Standalone(environment(home, sandbox)) as airflow,
    ):
        yield airflow.url


def _open(page: Page, url: str) -> list[float]:
    Pages(page, url).refreshes()
    page.wait_for_function("globalThis.allRows")
    return [float(each) for each in page.evaluate(TIMES)]


if __name__ == "__main__":
    main()
