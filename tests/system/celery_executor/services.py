# SPDX-License-Identifier: Apache-2.0
"""The broker and the database: Debian's, each with a folder and a port of its own, and no system service."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import debian
import psutil
import redis
from deployment import free_port
from redis.backoff import ConstantBackoff
from redis.retry import Retry

PACKAGES = ("redis-server", "postgresql")


def see_to_them() -> None:
    """Install what is missing.

    :raises RuntimeError: where that cannot be done
    """
    if shutil.which("redis-server") and _postgres_commands():
        return
    if not debian.can_install() or not debian.install(*PACKAGES):
        raise RuntimeError(f"run `apt-get install {' '.join(PACKAGES)}` as root")


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Serve Redis, which writes down every command that it gets, and yield its address.

    :param folder: where it writes
    """
    folder.mkdir()
    port = free_port()
    keeping = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
    server = psutil.Popen(
        ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), *keeping],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        redis.Redis(port=port, retry=Retry(ConstantBackoff(0.1), 100)).ping()
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=20)


@contextmanager
def database() -> Iterator[str]:
    """Serve PostgreSQL, which as root it refuses to be, and yield its address."""
    with tempfile.TemporaryDirectory(prefix="postgres") as folder:
        who: Mapping[str, Any] = {}
        if os.geteuid() == 0:
            who = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        port, data = free_port(), Path(folder) / "data"

        def run(command: str, *options: str) -> None:
            subprocess.run(
                [_postgres_commands() / command, "--pgdata", data, *options],
                stdout=subprocess.DEVNULL,
                cwd=folder,
                check=True,
                start_new_session=True,
                **who,
            )

        run("initdb", "--username=airflow", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        how = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off"
        run("pg_ctl", "start", "--wait", f"--log={folder}/log", f"--options={how}")
        try:
            yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=fast")


def _postgres_commands() -> Path | None:
    """Return the folder of PostgreSQL's commands, which Debian keeps from the PATH; None for none."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
