"""A PostgreSQL server of the tests' own, and tests that run on SQLite and on it.

The server is made in a temporary folder from what is installed, and nobody else can
reach it. Where there is none, its tests are skipped; with REQUIRE_POSTGRES=1 they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.local import Local
from django.core.management import call_command
from django.db import connections

from signal_trace import transactions
from tests.missing import missing

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from pytest_django import DjangoDbBlocker

# Lives as long as its standard input is open: however the tests end, killed or not, the
# server ends and its folder goes. A shell, because the user that the server runs as may
# not be allowed into a Python environment.
SERVE = r"""
set -eu
programs=$1 folder=$2
export PGDATA="$folder/data"
trap '' PIPE
trap '"$programs/pg_ctl" stop --mode=immediate >&2 || true; rm -rf "$folder"' EXIT
{
    "$programs/initdb" --username=postgres --auth=trust \
        --encoding=UTF8 --locale=C --no-sync
    "$programs/pg_ctl" start --wait --log="$folder/log" --options=" \
        -k '$folder' -p 5432 -c listen_addresses= \
        -c fsync=off -c full_page_writes=off -c lock_timeout=30s" ||
        { cat "$folder/log"; exit 1; }
} >&2
echo ready
read -r _
"""


def find_programs() -> Path:
    """Where initdb and pg_ctl are; Debian keeps them off the PATH, by version."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    newest = max(debian, key=lambda path: float(path.parts[-3]), default=None)
    found = shutil.which("pg_ctl") or newest
    if not found:
        remedy = "apt-get install postgresql, or put its pg_ctl on the PATH"
        missing("PostgreSQL", remedy, "REQUIRE_POSTGRES")
    return Path(found).resolve().parent


def find_user() -> dict[str, Any]:
    """As whom to run the server, which refuses to be root."""
    if not hasattr(os, "getuid") or os.getuid() != 0:
        return {}
    import pwd  # Windows has none.

    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        remedy = "create it, or run the tests as anyone but root"
        missing("The user postgres", remedy, "REQUIRE_POSTGRES")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def serve_postgres(log: Path) -> Iterator[Path]:
    """Run a server on a Unix socket in the folder that is given."""
    programs, user = find_programs(), find_user()
    # Not pytest's folder: its path can be too long for a socket, and is closed to
    # other users.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user:
        os.chown(folder, user["user"], user["group"])
    with (
        log.open("w") as output,
        subprocess.Popen(
            ["/bin/sh", "-c", SERVE, "sh", programs, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for the tests, which then end it.
            **user,
        ) as server,
    ):
        assert server.stdout
        if not server.stdout.readline():
            pytest.fail(f"PostgreSQL doesn't start:\n{log.read_text()}", pytrace=False)
        yield folder


@contextmanager
def fresh_connections() -> Iterator[None]:
    """Have every thread connect anew, and close at the end what any of them opened."""
    opened: list[BaseDatabaseWrapper] = []
    create = connections.create_connection

    def create_and_note(alias: str) -> BaseDatabaseWrapper:
        opened.append(create(alias))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_connections", Local(connections.thread_critical))
        patch.setattr(connections, "create_connection", create_and_note)
        yield
        for wrapper in opened:
            # Not `wrapper.close()`, which minds the thread and keeps SQLite's memory.
            if wrapper.connection is not None:
                wrapper.connection.close()
        # Nobody was told that transactions ended with these connections.
        transactions.start_watching()


@contextmanager
def postgres_alias(folder: Path) -> Iterator[str]:
    """Let Django know the server, as the database "postgresql"."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            connections.settings,
            "postgresql",
            connections.settings["default"]
            | {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": "postgres",
                "HOST": str(folder),
                "PORT": "5432",
            },
        )
        yield "postgresql"


@pytest.fixture(scope="session")
def postgres_server(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Path]:
    """The folder of a PostgreSQL server that has the tables of every model."""
    with serve_postgres(tmp_path_factory.mktemp("postgres") / "log.txt") as folder:
        with django_db_blocker.unblock(), postgres_alias(folder) as alias:
            with fresh_connections():
                call_command("migrate", database=alias, run_syncdb=True, verbosity=0)
        yield folder


@contextmanager
def _postgres_database(folder: Path, blocker: DjangoDbBlocker) -> Iterator[str]:
    # Unblocked, because `transactional_db` allows the default database only.
    with postgres_alias(folder) as alias, blocker.unblock():
        with fresh_connections():
            connections[alias].ensure_connection()
            yield alias
        with fresh_connections():
            call_command(
                *("flush", "--no-input", "--verbosity=0", f"--database={alias}"),
                reset_sequences=False,
            )


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest,
    transactional_db: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[str]:
    """The alias of a database: the test runs on SQLite, then on PostgreSQL.

    Give it to `using`. The database has the tables of every model, its connection in
    the test's thread is open, transactions are real, and rows are deleted after the
    test. Other threads may use it and needn't close their connections. The alias
    "postgresql" exists only during the test.
    """
    if request.param == "sqlite":
        with fresh_connections():
            connections["default"].ensure_connection()
            yield "default"
        return  # `transactional_db` deletes the rows.
    folder = request.getfixturevalue("postgres_server")
    with _postgres_database(folder, django_db_blocker) as alias:
        yield alias


@pytest.fixture
def postgres(
    postgres_server: Path, transactional_db: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """As `database`, on PostgreSQL alone."""
    with _postgres_database(postgres_server, django_db_blocker) as alias:
        yield alias
