"""Visitors of the demo, many at a time, each of whose requests has an id of its own."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

# What Django's protection compares: a form's token with the cookie's.
TOKEN = "a" * 32
CALLER = "b7ad6b7169203331"

# Whoever waits so long for a response fails.
TIMEOUT = 60


@dataclass(frozen=True)
class Answer:
    """What came of a request. Its *status* is 0 where there was no response."""

    number: int
    began: float
    seconds: float
    status: int
    #: The id of its trace, as the response names it.
    trace: str | None
    #: The number of the order that was placed.
    order: str | None

    @property
    def id(self) -> str:
        """The request's id, which it gave as that of its caller's trace."""
        return request_id(self.number)

    @property
    def traceparent(self) -> str:
        return traceparent(self.number)


def request_id(number: int) -> str:
    return f"{number:032x}"


def traceparent(number: int) -> str:
    return f"00-{request_id(number)}-{CALLER}-01"


def visit(
    port: int, number: int, path: str = "/checkout/", method: str = "POST"
) -> Answer:
    """Make one request, on a connection of its own."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    headers = {
        "Cookie": f"csrftoken={TOKEN}",
        "X-CSRFToken": TOKEN,
        "Traceparent": traceparent(number),
        "Connection": "close",
    }
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        page = response.read().decode()
    except (ConnectionError, http.client.IncompleteRead):
        return Answer(number, began, time.perf_counter() - began, 0, None, None)
    finally:
        connection.close()
    order = re.search(r"QK-[0-9A-F]{8}", page) if method == "POST" else None
    return Answer(
        number,
        began,
        time.perf_counter() - began,
        response.status,
        response.headers["X-Signal-Trace-Id"],
        order and order.group(),
    )


class Visits:
    """Many requests, so many of them *at_once*, which are under way from here on."""

    def __init__(
        self,
        port: int,
        numbers: Iterable[int],
        visit: Callable[[int, int], Answer] = visit,
        at_once: int = 8,
    ) -> None:
        self._pool = ThreadPoolExecutor(at_once)
        self._coming = [self._pool.submit(visit, port, number) for number in numbers]

    def wait_for(self, count: int) -> None:
        """Wait until so many have been answered."""
        for _ in zip(range(count), as_completed(self._coming), strict=False):
            pass

    def answers(self) -> list[Answer]:
        """What came of all of them."""
        self._pool.shutdown()
        return [one.result() for one in self._coming]
