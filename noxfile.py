"""The matrix: every supported Django on every supported Python that it allows."""

from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.error_on_external_run = True

PYPROJECT = nox.project.load_toml("pyproject.toml")

# (Python, Django, django-debug-toolbar). Python 3.11, which allows no later Django than
# 5.2, is the one that `make test` runs on in `.ci/run`.
MATRIX = [
    ("3.12", "5.2", "8.0"),
    ("3.13", "5.2", "8.0"),
    ("3.12", "6.0", "8.0"),
    ("3.13", "6.0", "8.0"),
    ("3.12", "6.1", "8.0"),
    ("3.13", "6.1", "8.0"),
    ("3.12", "5.2", "7.0"),
]
NEWEST_PYTHON = "3.13"

# What takes long depends on the toolbar or on Django's way of serving rather than on
# Python: by the row, which tests are run. `make test` runs all of them as well, on the
# Python at hand.
LONG = {
    ("3.13", "6.1", "8.0"): "",
    ("3.12", "5.2", "7.0"): "not slow",
}


def group(name: str) -> list[str]:
    # Not `pip install --group`: the pip that an older Python brings along lacks it.
    return list(nox.project.dependency_groups(PYPROJECT, name))


@nox.session
@nox.parametrize(("python", "django", "toolbar"), MATRIX)
def tests(session: nox.Session, django: str, toolbar: str) -> None:
    """Run the tests; arguments after -- go to pytest."""
    session.install(
        "--editable=.[toolbar,otel]",
        *group("test"),
        f"django~={django}.0",
        f"django-debug-toolbar~={toolbar}.0",
    )
    arguments = ["--numprocesses=auto", "--dist=loadgroup", *session.posargs]
    if not session.posargs:
        left_out = "not browser and not slow"
        arguments += ["-m", LONG.get((str(session.python), django, toolbar), left_out)]
    session.run("pytest", *arguments)


# Those in which signals matter most. The whole suite: nox -s django_suite -- all
SUITES = (
    *("signals", "dispatch", "m2m_signals", "m2m_regress", "delete", "delete_regress"),
    *("basic", "handlers", "asgi", "async", "test_client", "requests_tests"),
    *("transactions", "transaction_hooks", "contenttypes_tests", "auth_tests"),
    "sessions_tests",
)


@nox.session
@nox.parametrize(("python", "django"), [("3.11", "5.2"), ("3.13", "6.1")])
def django_suite(session: nox.Session, django: str) -> None:
    """Run Django's own tests, each inside a recording; labels go after --."""
    session.install("--editable=.", f"django~={django}.0")
    ask = "import django; print(django.__version__)"
    version = str(session.run("python", "-c", ask, silent=True)).strip()
    folder = Path(session.create_tmp())
    session.run(
        *("python", "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--no-binary=:all:", f"--dest={folder}", f"django=={version}"),
    )
    (archive,) = folder.glob(f"[dD]jango-{version}.tar.gz")
    session.run("python", "-m", "tarfile", "-e", str(archive), str(folder), silent=True)
    labels = [label for label in session.posargs or SUITES if label != "all"]
    tests = folder / archive.name.removesuffix(".tar.gz") / "tests"
    session.run("python", "tests/django_suite.py", str(tests), *labels)


@nox.session(python=NEWEST_PYTHON)
def lint(session: nox.Session) -> None:
    """Check style."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(python=NEWEST_PYTHON)
def types(session: nox.Session) -> None:
    """Check types, against the newest Django."""
    session.install("--editable=.[toolbar,otel]", *group("lint"), *group("test"))
    session.run("mypy")
