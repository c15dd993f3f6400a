from __future__ import annotations

import gc
from contextvars import copy_context
from io import BytesIO
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper, setup_testing_defaults

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import clear_script_prefix
from django.urls import path as at

from signal_trace import recording, wsgi
from signal_trace.traced import innermost
from signal_trace.wsgi import trace_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from signal_trace import Trace

OURS = "signal_trace.middleware.SignalTraceMiddleware"


@pytest.fixture(autouse=True)
def unwatched() -> Iterator[None]:
    """No connection of another test is closed, as with Django's test client; and no
    position or watch is left behind."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    # A recording that was closed in another context leaves one, which leads nowhere.
    recording.position.set(0)
    yield
    for signal in signals:
        signal.connect(close_old_connections)
        vars(signal).pop("send", None)
    # Django's test client makes its URLs by what the last real request has left.
    clear_script_prefix()
    assert recording.position.get() == 0
    assert innermost() is None


class Server:
    """A WSGI server's way with one request at a time, step by step."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def begin(self, path: str, **environ: Any) -> Any:
        environ = {"PATH_INFO": path, "wsgi.input": BytesIO(), **environ}
        setup_testing_defaults(environ)
        return self.application(environ, self.start_response)

    def get(self, path: str, **environ: Any) -> bytes:
        answer = self.begin(path, **environ)
        try:
            return b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.status, self.headers = status, headers
        return None

    @property
    def named(self) -> list[str]:
        return [value for name, value in self.headers if name == "X-Signal-Trace-Id"]


@pytest.fixture
def heard() -> Iterator[None]:
    """Receivers of Django's own signals of a request."""

    def note(sender: Any, **named: Any) -> None:
        pass

    request_started.connect(note)
    request_finished.connect(note)
    yield
    request_started.disconnect(note)
    request_finished.disconnect(note)


@pytest.fixture
def server(settings: Settings) -> Server:
    settings.MIDDLEWARE = [OURS]
    return Server(trace_requests(get_wsgi_application()))


def signals_of(trace: Trace) -> list[str]:
    names = [send.signal.rpartition(".")[2] for send in trace.sends]
    return [name for name in names if name != "closed"]


def test_request_is_traced_from_its_start_to_its_finish(
    server: Server, sent: list[Trace], heard: None
) -> None:
    assert b"a" in server.get("/send/a/", QUERY_STRING="secret=1")
    (trace,) = sent
    assert signals_of(trace) == [
        *("request_started", "opened", "opened", "request_finished")
    ]
    assert trace.name == "GET /send/a/"
    assert trace.kind == "request"
    assert trace.attributes == {
        "method": "GET",
        "path": "/send/a/",
        "status_code": 200,
        "route": "send/<str:name>/",
        "view": "tests.app.views.send",
    }
    assert server.named == [trace.id]


def test_without_the_middleware_all_but_the_view_is_known(
    settings: Settings, sent: list[Trace]
) -> None:
    settings.MIDDLEWARE = []
    server = Server(trace_requests(get_wsgi_application()))
    server.get("/a/é/".encode().decode("latin-1"), SCRIPT_NAME="/shop")
    (trace,) = sent
    assert trace.attributes == {
        "method": "GET",
        "path": "/shop/a/é/",
        "status_code": 404,
    }
    assert server.named == [trace.id]


def test_body_of_a_streaming_response_is_part_of_the_trace(
    server: Server, sent: list[Trace], heard: None
) -> None:
    answer = server.begin("/stream/a/")
    parts = iter(answer)
    assert next(parts) == b"one "  # It is still a stream.
    assert sent == []
    assert list(parts) == [b"two"]
    answer.close()
    (trace,) = sent
    assert signals_of(trace) == [
        *("request_started", "opened", "opened", "opened", "request_finished")
    ]


def fail_in_the_middle(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise LookupError("no two")

    return StreamingHttpResponse(parts())


def go_away(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"one"
        raise BrokenPipeError  # As the server's own, when the client has gone.

    return StreamingHttpResponse(parts())


@pytest.mark.parametrize(
    ("view", "raised", "noted"),
    [
        (fail_in_the_middle, LookupError, "LookupError"),
        (go_away, BrokenPipeError, None),
    ],
)
def test_exception_that_ends_a_body_is_noted(
    settings: Settings, sent: list[Trace], view: Any, raised: Any, noted: str | None
) -> None:
    settings.ROOT_URLCONF = (at("", view),)
    server = Server(trace_requests(get_wsgi_application()))
    try:
        raise KeyError("of whoever serves this")
    except KeyError:
        with pytest.raises(raised):
            server.get("/")
        settings.ROOT_URLCONF = (at("", lambda request: HttpResponse()),)
        server.get("/")
    failed, fine = sent
    assert (failed.error and failed.error.type) == noted
    assert fine.error is None


def test_file_is_handed_to_the_server(
    server: Server, sent: list[Trace], heard: None
) -> None:
    answer = server.begin("/file/a/", **{"wsgi.file_wrapper": FileWrapper})
    assert type(answer) is FileWrapper
    assert b"def send_file" in b"".join(answer)
    answer.close()
    (trace,) = sent
    assert signals_of(trace)[-1] == "request_finished"


def test_answer_is_what_the_application_gave(
    settings: Settings, sent: list[Trace]
) -> None:
    answer = [b"hello"]
    written: list[bytes] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        try:
            raise ValueError("too late")
        except ValueError:
            import sys

            headers = [("A", "b"), ("x-signal-trace-id", "another's")]
            write = start_response("200 OK", headers, sys.exc_info())
        write(b"written")
        return answer

    given: list[Any] = []

    def start_response(*arguments: Any) -> Any:
        given.append(arguments)
        return written.append

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    assert trace_requests(application)(environ, start_response) is answer
    assert written == [b"written"]
    (trace,) = sent
    [(status, headers, exc_info)] = given
    assert status == "200 OK"
    assert headers == [("A", "b"), ("X-Signal-Trace-Id", trace.id)]
    assert exc_info[0] is ValueError


def test_what_another_layer_answers_ends_with_its_answer(sent: list[Trace]) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    Server(trace_requests(application)).get("/static/a.css")
    (trace,) = sent
    assert trace.attributes["status_code"] == 204
    assert "unfinished" not in trace.attributes


def test_layer_that_has_not_begun_to_answer_leaves_that_to_the_middleware(
    settings: Settings, sent: list[Trace]
) -> None:
    settings.MIDDLEWARE = [OURS]
    django = get_wsgi_application()

    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        yield from django(environ, start_response)

    server = Server(trace_requests(application))
    server.get("/json/a/")
    (trace,) = sent
    assert trace.attributes["status_code"] == 200
    assert server.named == [trace.id]


def test_exception_passes_through_and_is_noted(sent: list[Trace]) -> None:
    error = LookupError("below")

    def application(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    with pytest.raises(LookupError) as caught:
        Server(trace_requests(application)).get("/a/")
    assert caught.value is error
    (trace,) = sent
    assert trace.error is not None
    assert trace.error.type == "LookupError"


def test_what_was_never_closed_ends_as_unfinished_with_the_next_request(
    server: Server, sent: list[Trace]
) -> None:
    first = server.begin("/send/a/")
    server.get("/send/b/")
    one, two = sent
    assert one.attributes["path"] == "/send/a/"
    assert one.attributes["unfinished"] is True
    assert two.attributes["path"] == "/send/b/"
    assert "unfinished" not in two.attributes
    assert "outer" not in two.attributes
    senders = {send.sender for send in two.sends if send.signal.startswith("tests")}
    assert senders == {"tests.senders.b"}
    first.close()  # As a garbage collector may do.
    assert len(sent) == 2


def test_what_no_context_has_any_more_is_forgotten(
    server: Server, sent: list[Trace]
) -> None:
    context = copy_context()
    before = len(recording.windows)
    answer = context.run(server.begin, "/json/a/")
    assert len(recording.windows) == before + 1
    context.run(innermost).note(a="b")  # type: ignore[union-attr]
    del context
    gc.collect()
    assert len(recording.windows) == before
    answer.close()
    assert sent == []


def test_request_of_a_client_within_a_request_is_another(
    server: Server, sent: list[Trace], heard: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.app import views

    def close_nothing(**named: Any) -> None:
        """What the client connects again when it is done."""

    def sleep(seconds: float) -> None:
        monkeypatch.setattr(views.time, "sleep", lambda seconds: None)
        Client().get("/json/inner/")

    monkeypatch.setattr("django.test.client.close_old_connections", close_nothing)
    monkeypatch.setattr(views.time, "sleep", sleep)
    server.get("/json/outer/")
    inner, outer = sent
    assert inner.attributes["path"] == "/json/inner/"
    assert inner.attributes["outer"] == outer.id
    assert outer.attributes["path"] == "/json/outer/"
    assert signals_of(outer)[0] == "request_started"
    assert signals_of(outer).count("request_finished") == 2


def test_application_inside_an_application_has_its_own_trace(
    server: Server, sent: list[Trace]
) -> None:
    inner = Server(server.application)

    def application(environ: Any, start_response: Any) -> Any:
        inner.get("/json/inner/")
        return server.application.application(environ, start_response)

    outer = Server(trace_requests(application))
    outer.get("/json/outer/")
    first, second = sent
    assert first.attributes["path"] == "/json/inner/"
    assert second.attributes["path"] == "/json/outer/"
    assert first.attributes["outer"] == second.id


def test_what_is_not_chosen_is_recorded_by_no_one(
    server: Server, settings: Settings, sent: list[Trace]
) -> None:
    settings.SIGNAL_TRACE = {"SAMPLE_RATE": 0}
    server.get("/send/a/")
    assert sent == []
    assert server.named == []


def test_rule_is_given_the_request_without_its_body(
    server: Server, settings: Settings, sent: list[Trace]
) -> None:
    seen: list[Any] = []

    def should_trace(request: Any) -> bool:
        seen.append((request.path, request.headers["X-Kind"], request.body))
        return bool(request.path.startswith("/json/"))

    settings.SIGNAL_TRACE = {"SHOULD_TRACE": should_trace}
    body = BytesIO(b"abc")
    for path in ("/json/a/", "/send/a/"):
        server.get(
            path, HTTP_X_KIND="test", **{"wsgi.input": body, "CONTENT_LENGTH": "3"}
        )
    assert [trace.name for trace in sent] == ["GET /json/a/"]
    assert seen == [("/json/a/", "test", b""), ("/send/a/", "test", b"")]
    assert body.tell() == 0


def test_disabled_it_is_the_application_itself(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"ENABLED": False}
    application = get_wsgi_application()
    assert trace_requests(application) is application
    assert "send" not in vars(request_finished)


def test_signals_are_watched_once_and_anothers_way_of_sending_is_kept(
    sent: list[Trace],
) -> None:
    asked: list[Any] = []

    def send(sender: Any, **named: Any) -> Any:
        asked.append(sender)
        return Signal.send(request_finished, sender, **named)

    request_finished.send = send  # type: ignore[method-assign]
    for _ in range(3):
        server = Server(trace_requests(get_wsgi_application()))
    server.get("/json/a/")
    assert len(asked) == 1
    assert len(sent) == 1


def test_bug_of_ours_leaves_the_request_unharmed(
    server: Server,
    sent: list[Trace],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*arguments: Any) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(recording, "_reported", set())
    monkeypatch.setattr(wsgi, "record_named", fail)
    assert b"a" in server.get("/send/a/")
    assert sent == []
    assert [record.name for record in caplog.records] == ["signal_trace.bugs"]
