from __future__ import annotations

import os
import threading

import pytest

from signal_trace import dispatch, forking, signal_names

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def free_in_other_threads(lock: threading.RLock) -> bool:
    found: list[bool] = []

    def try_it() -> None:
        if lock.acquire(blocking=False):
            lock.release()
            found.append(True)

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    return bool(found)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    "lock", [signal_names._search, dispatch.patches._lock], ids=["search", "patches"]
)
def test_a_lock_that_another_thread_has_is_waited_for(lock: threading.RLock) -> None:
    taken, give_back = threading.Event(), threading.Event()

    def work() -> None:
        with lock:
            taken.set()
            give_back.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert taken.wait(60)
    waiting = threading.Timer(0.05, give_back.set)
    waiting.start()
    pid = os.fork()
    if pid == 0:
        os._exit(0 if free_in_other_threads(lock) else 1)
    assert give_back.is_set()
    assert os.waitpid(pid, 0)[1] == 0
    thread.join()
    assert free_in_other_threads(lock)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_who_holds_a_lock_may_fork() -> None:
    lock = forking.lock()
    with lock:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert not free_in_other_threads(lock)
    assert free_in_other_threads(lock)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forking, "LONGEST_WAIT", 0.01)
    lock, taken, give_back = forking.lock(), threading.Event(), threading.Event()

    def work() -> None:
        with lock:
            taken.set()
            give_back.wait(60)

    thread = threading.Thread(target=work)
    thread.start()
    assert taken.wait(60)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    give_back.set()
    thread.join()
