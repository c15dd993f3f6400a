from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from signal_trace import asgi, recording
from signal_trace.asgi import trace_requests
from signal_trace.traced import innermost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace

OURS = "signal_trace.middleware.SignalTraceMiddleware"


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Receivers of Django's own signals of a request; and nothing left behind."""

    def note(sender: Any, **named: Any) -> None:
        pass

    signals = (request_started, request_finished)
    for signal in signals:
        signal.connect(note)
        signal.disconnect(close_old_connections)
    # One that was closed in another context leaves a position, which leads nowhere.
    recording.position.set(0)
    yield
    for signal in signals:
        signal.disconnect(note)
        signal.connect(close_old_connections)
    assert recording.position.get() == 0
    assert innermost() is None


@pytest.fixture
def application(settings: Settings) -> Any:
    settings.MIDDLEWARE = [OURS]
    return trace_requests(get_asgi_application())


def scope_of(path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "query_string": b"secret=1",
        "headers": list(headers),
    }


async def get(
    application: Any, path: str, *headers: tuple[bytes, bytes]
) -> list[dict[str, Any]]:
    """All messages of the answer."""
    client = ApplicationCommunicator(application, scope_of(path, *headers))
    await client.send_input({"type": "http.request", "body": b""})
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1].get("more_body", "headers" in messages[-1]):
        messages.append(await client.receive_output(5))
    await client.wait(5)
    return messages


def named(messages: list[dict[str, Any]]) -> list[str]:
    return [
        value.decode()
        for name, value in messages[0]["headers"]
        if name.lower() == b"x-signal-trace-id"
    ]


def signals_of(trace: Trace) -> list[str]:
    names = [send.signal.rpartition(".")[2] for send in trace.sends]
    return [name for name in names if name != "closed"]


@pytest.mark.parametrize("view", ["send", "asend"])
def test_request_is_traced_from_its_start_to_its_finish(
    application: Any, sent: list[Trace], view: str
) -> None:
    messages = asyncio.run(get(application, f"/{view}/a/"))
    (trace,) = sent
    assert signals_of(trace) == [
        *("request_started", "opened", "opened", "request_finished")
    ]
    assert trace.attributes == {
        "method": "GET",
        "path": f"/{view}/a/",
        "status_code": 200,
        "route": f"{view}/<str:name>/",
        "view": f"tests.app.views.{view}",
    }
    assert named(messages) == [trace.id]


def test_body_of_a_streaming_response_is_part_of_the_trace(
    application: Any, sent: list[Trace]
) -> None:
    messages = asyncio.run(get(application, "/astream/a/"))
    assert [message.get("body") for message in messages[1:]] == [b"one ", b"two", None]
    (trace,) = sent
    assert signals_of(trace) == [
        *("request_started", "opened", "opened", "opened", "request_finished")
    ]


def test_concurrent_requests_have_their_own_traces(
    application: Any, sent: list[Trace]
) -> None:
    async def get_all() -> Any:
        paths = [f"/astream/n{number}/" for number in range(20)]
        return await asyncio.gather(*(get(application, path) for path in paths))

    answers = asyncio.run(get_all())
    assert len(sent) == 20
    assert sorted(trace.id for trace in sent) == sorted(
        id for messages in answers for id in named(messages)
    )
    for trace in sent:
        name = trace.attributes["path"].split("/")[2]
        senders = {send.sender for send in trace.sends if "tests" in send.signal}
        assert senders == {f"tests.senders.{name}"}


def test_client_that_goes_away_ends_the_trace(
    application: Any, sent: list[Trace], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.app import views

    async def go_away() -> None:
        begun = asyncio.Event()

        async def wait(seconds: float) -> None:
            begun.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(views.asyncio, "sleep", wait)
        client = ApplicationCommunicator(application, scope_of("/asend/a/"))
        await client.send_input({"type": "http.request", "body": b""})
        await begun.wait()
        await client.send_input({"type": "http.disconnect"})
        await client.wait(5)

    asyncio.run(go_away())
    (trace,) = sent
    assert signals_of(trace)[-1] == "request_finished"
    assert "status_code" not in trace.attributes


def test_task_that_is_cancelled_is_cancelled(
    application: Any, sent: list[Trace]
) -> None:
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(trace_requests(inner)(scope_of("/a/"), None, None))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    (trace,) = sent
    assert trace.error is not None
    assert trace.error.type == "asyncio.exceptions.CancelledError"


def test_exception_passes_through_and_is_noted(sent: list[Trace]) -> None:
    error = LookupError("below")

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        asyncio.run(trace_requests(inner)(scope_of("/a/"), None, None))  # type: ignore[arg-type]
    assert caught.value is error
    (trace,) = sent
    assert trace.error is not None


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_passes_through(sent: list[Trace], kind: str) -> None:
    given: list[Any] = []

    async def inner(*arguments: Any) -> None:
        assert recording.position.get() == 0
        given.append(arguments)

    scope, receive, send = {"type": kind}, object(), object()
    asyncio.run(trace_requests(inner)(scope, receive, send))  # type: ignore[arg-type]
    assert given == [(scope, receive, send)]
    assert all(a is b for a, b in zip(given[0], (scope, receive, send), strict=True))
    assert sent == []


def test_messages_of_the_application_are_not_changed(sent: list[Trace]) -> None:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"a", b"b"), (b"X-Signal-Trace-Id", b"another's")],
    }
    body = {"type": "http.response.body", "body": b"hello"}
    before = {**start, "headers": list(start["headers"])}
    given: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send(body)

    async def send(message: Any) -> None:
        given.append(message)

    asyncio.run(trace_requests(inner)(scope_of("/a/"), None, send))  # type: ignore[arg-type]
    (trace,) = sent
    assert start == before
    assert given[0]["headers"] == [
        (b"a", b"b"),
        (b"x-signal-trace-id", trace.id.encode()),
    ]
    assert given[1] is body


def test_rule_is_given_the_request(
    application: Any, settings: Settings, sent: list[Trace]
) -> None:
    def should_trace(request: Any) -> bool:
        assert request.body == b""
        return bool(request.headers["X-Kind"] == "yes")

    settings.SIGNAL_TRACE = {"SHOULD_TRACE": should_trace}
    yes = asyncio.run(get(application, "/asend/a/", (b"x-kind", b"yes")))
    no = asyncio.run(get(application, "/asend/b/", (b"x-kind", b"no")))
    (trace,) = sent
    assert (named(yes), named(no)) == ([trace.id], [])


def test_headers_given_twice(application: Any, sent: list[Trace]) -> None:
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    asyncio.run(get(application, "/asend/a/", (b"traceparent", parent)))
    twice = [(b"traceparent", parent)] * 2
    asyncio.run(get(application, "/asend/a/", *twice))
    one, two = sent
    assert one.attributes["traceparent"] == parent.decode()
    assert one.id not in parent.decode()
    assert "traceparent" not in two.attributes


def test_disabled_it_is_the_application_itself(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ENABLED": False}
    application = get_asgi_application()
    assert trace_requests(application) is application


def test_bug_of_ours_leaves_the_request_unharmed(
    application: Any,
    sent: list[Trace],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(recording, "_reported", set())
    monkeypatch.setattr(asgi, "record_named", fail)
    assert asyncio.run(get(application, "/asend/a/"))[0]["status"] == 200
    assert sent == []
    records = [one for one in caplog.records if one.name.startswith("signal_trace")]
    assert [record.name for record in records] == ["signal_trace.bugs"]
