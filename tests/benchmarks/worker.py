"""A contender's process: takes samples as it is told to, one line of JSON for each.

    python -m tests.benchmarks.worker CONTENDER CHECKOUT

It lives through many rounds, and waits while others take their samples.
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.contenders import CONTENDERS


def main(name: str, checkout: str) -> None:
    sys.path.insert(0, checkout)  # The signal_trace to be measured.
    contender = CONTENDERS[name]
    with tempfile.TemporaryDirectory() as folder:
        set_up_django(Path(folder) / "db.sqlite3", contender.settings)
        from django.dispatch import Signal

        djangos = dict(vars(Signal))
        session = contender.install()

        from tests.benchmarks import workloads

        workloads.make_tables()
        # Django itself and the like are no garbage. Looking for some among them,
        # before each sample, would take longer than the samples.
        gc.collect()
        gc.freeze()
        answers = sys.stdout
        for line in sys.stdin:
            workload, times = json.loads(line)
            with contextlib.redirect_stdout(sys.stderr):
                if workload == "is-djangos":
                    answer = {workload: float(dict(vars(Signal)) == djangos)}
                else:
                    answer = workloads.sample(session, workload, times)
            print(json.dumps(answer), file=answers, flush=True)


def set_up_django(database: Path, own: dict[str, object]) -> None:
    import django
    from django.conf import settings

    settings.configure(
        **{
            "DATABASES": {
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": str(database),
                }
            },
            "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
            "INSTALLED_APPS": ["tests.benchmarks"],
            "USE_TZ": True,
        }
        | own
    )
    django.setup()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(*sys.argv[1:])
