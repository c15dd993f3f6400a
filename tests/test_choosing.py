from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.utils.functional import SimpleLazyObject

from signal_trace import choosing, on_demand
from signal_trace.middleware import SignalTraceMiddleware
from signal_trace.on_demand import make_token
from tests.test_wsgi import unwatched as unwatched

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from signal_trace import Trace

OURS = "signal_trace.middleware.SignalTraceMiddleware"
ID = "X-Signal-Trace-Id"


@pytest.fixture(autouse=True)
def middleware(settings: Settings) -> None:
    settings.MIDDLEWARE = [OURS]


@pytest.fixture
def chance(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say which numbers chance gives; there are no others."""

    def give(*numbers: float) -> None:
        monkeypatch.setattr(choosing, "draw", iter(numbers).__next__)

    give()
    return give


def get(path: str = "/json/a/", **options: Any) -> HttpResponse:
    return Client(raise_request_exception=False).get(path, **options)  # type: ignore[return-value]


def from_path(request: HttpRequest) -> bool:
    return request.path.startswith("/json/")


async def asynchronous(request: HttpRequest) -> bool:
    return True


def test_by_default_all_is_traced_and_named(
    sent: list[Trace], chance: Callable[..., None]
) -> None:
    response = get()
    (trace,) = sent
    assert response[ID] == trace.id


def test_sample_is_a_part_of_the_requests(
    settings: Settings, sent: list[Trace], chance: Callable[..., None]
) -> None:
    settings.SIGNAL_TRACE = {"SAMPLE_RATE": 0.25}
    chance(0.3, 0.2, 0.25, 0.0)
    answers = [get() for _ in range(4)]
    assert [ID in answer for answer in answers] == [False, True, False, True]
    assert len(sent) == 2


def test_sample_of_nothing_is_nothing(
    settings: Settings, sent: list[Trace], chance: Callable[..., None]
) -> None:
    settings.SIGNAL_TRACE = {"SAMPLE_RATE": 0}
    chance(0.0)
    assert ID not in get()
    assert sent == []


@pytest.mark.parametrize("rule", [from_path, f"{__name__}.from_path"])
def test_rule_by_path(settings: Settings, sent: list[Trace], rule: Any) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": rule}
    assert ID in get("/json/a/")
    assert ID not in get("/send/a/")
    assert [trace.name for trace in sent] == ["GET /json/a/"]


def test_rule_that_says_no_needs_no_chance(
    settings: Settings, sent: list[Trace], chance: Callable[..., None]
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": from_path, "SAMPLE_RATE": 0.5}
    chance(0.1, 0.9)
    for path in ("/send/a/", "/json/a/", "/json/b/"):
        get(path)
    assert [trace.name for trace in sent] == ["GET /json/a/"]


class User:
    def __init__(self, is_staff: bool) -> None:
        self.is_staff = is_staff


def answering(user: Any, *, looks: bool) -> Callable[[HttpRequest], HttpResponse]:
    """What Django does of a request, with a middleware for users."""

    def answer(request: HttpRequest) -> HttpResponse:
        request.user = user
        if looks:
            assert request.user.is_staff in (True, False)
        return HttpResponse()

    return answer


@pytest.mark.parametrize(
    "rule",
    [
        lambda request: request.user.is_staff,
        lambda request: request.user.is_staff if hasattr(request, "user") else None,
    ],
)
@pytest.mark.parametrize("is_staff", [True, False])
def test_rule_by_user_is_asked_once_there_is_one(
    settings: Settings, sent: list[Trace], rule: Any, is_staff: bool
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": rule}
    user = SimpleLazyObject(lambda: User(is_staff))
    middleware = SignalTraceMiddleware(answering(user, looks=True))
    response = middleware(RequestFactory().get("/a/"))
    assert len(sent) == is_staff
    assert response.headers.get(ID) == (sent[0].id if is_staff else None)


def test_user_that_nobody_looked_at_stays_unknown(
    settings: Settings, sent: list[Trace], caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.user.is_staff}

    def fetch() -> User:
        raise AssertionError("a query that the application didn't make")

    user = SimpleLazyObject(fetch)
    middleware = SignalTraceMiddleware(answering(user, looks=False))
    request = RequestFactory().get("/a/")
    middleware(request)
    assert sent == []
    assert request.user is user
    assert caplog.records == []


def test_what_no_middleware_adds_is_a_failure_of_the_rule(
    settings: Settings, sent: list[Trace], caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.usr.is_staff}
    for _ in range(2):
        get()
    assert sent == []
    (record,) = caplog.records
    assert "has no attribute 'usr'" in caplog.text
    assert record.exc_info is not None


def test_user_is_no_failure_where_another_middleware_answers_before(
    settings: Settings, sent: list[Trace], caplog: pytest.LogCaptureFixture
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.user.is_staff}
    middleware = SignalTraceMiddleware(lambda request: HttpResponse(status=301))
    middleware(RequestFactory().get("/a/"))
    assert sent == []
    assert caplog.records == []


def test_rule_by_user_under_asgi(settings: Settings, sent: list[Trace]) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.user.is_staff}

    async def answer(request: HttpRequest) -> HttpResponse:
        return answering(User(True), looks=True)(request)

    request = RequestFactory().get("/a/")
    response = asyncio.run(SignalTraceMiddleware(answer)(request))
    assert response[ID] == sent[0].id


def test_user_that_async_code_looked_at_is_known(
    settings: Settings, sent: list[Trace]
) -> None:
    from django.contrib.auth.middleware import AuthenticationMiddleware
    from django.contrib.sessions.backends.signed_cookies import SessionStore

    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.user.is_anonymous}

    async def answer(request: HttpRequest) -> HttpResponse:
        request.session = SessionStore()
        AuthenticationMiddleware(answer).process_request(request)  # type: ignore[arg-type]
        assert not (await request.auser()).is_authenticated
        return HttpResponse()

    request = RequestFactory().get("/a/")
    response = asyncio.run(SignalTraceMiddleware(answer)(request))
    assert response[ID] == sent[0].id


def test_rule_by_user_is_asked_inside_of_the_whole_request(
    settings: Settings, sent: list[Trace]
) -> None:
    from django.core.wsgi import get_wsgi_application

    from signal_trace.wsgi import trace_requests
    from tests.test_wsgi import Server

    settings.MIDDLEWARE = [OURS, f"{__name__}.staff_on_json"]
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: request.user.is_staff}
    server = Server(trace_requests(get_wsgi_application()))
    server.get("/send/a/")
    assert (sent, server.named) == ([], [])
    server.get("/json/a/")
    (trace,) = sent
    assert server.named == [trace.id]


def staff_on_json(get_response: Any) -> Any:
    def middleware(request: HttpRequest) -> Any:
        request.user = User(is_staff=request.path.startswith("/json/"))  # type: ignore[assignment]
        return get_response(request)

    return middleware


def test_what_a_rule_sends_is_in_no_trace(
    settings: Settings, sent: list[Trace]
) -> None:
    from tests.app.signals import closed
    from tests.app.views import make_sender

    def should_trace(request: HttpRequest) -> Any:
        closed.send(make_sender("rule"))
        return None if request.resolver_match is None else True

    settings.SIGNAL_TRACE = {"SHOULD_TRACE": should_trace}
    get()
    (trace,) = sent
    assert {send.sender for send in trace.sends} == {"tests.senders.a"}


def fail(request: HttpRequest) -> bool:
    raise OSError("no list of paths")


def lacks(request: HttpRequest) -> bool:
    return bool(RequestFactory().get("/").user)  # Not the request itself.


@pytest.mark.parametrize(
    "rule",
    [fail, lacks, asynchronous, "missing.rule", f"{__name__}.ID"],
    ids=["raises", "lacks", "async", "missing", "no-function"],
)
def test_rule_that_fails_is_logged_once_and_nothing_is_traced(
    settings: Settings, sent: list[Trace], caplog: pytest.LogCaptureFixture, rule: Any
) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": rule}
    for _ in range(3):
        assert get().status_code == 200
    assert sent == []
    (record,) = caplog.records
    assert record.name == "signal_trace.choosing"
    assert record.exc_info is not None


def test_rule_that_fails_in_the_end_harms_nothing(
    settings: Settings, sent: list[Trace], caplog: pytest.LogCaptureFixture
) -> None:
    def should_trace(request: HttpRequest) -> Any:
        if request.resolver_match is not None:
            raise OSError("no list of views")

    settings.SIGNAL_TRACE = {"SHOULD_TRACE": should_trace}
    response = get()
    assert response.status_code == 200
    assert ID not in response
    assert sent == []
    assert len(caplog.records) == 1


def test_without_sinks_no_trace_is_named(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SINKS": []}
    assert ID not in get()


@pytest.fixture
def nothing(settings: Settings) -> None:
    settings.SIGNAL_TRACE = {"SHOULD_TRACE": lambda request: False, "SAMPLE_RATE": 0}


def test_good_token_traces_one_request(nothing: None, sent: list[Trace]) -> None:
    token = make_token(60)
    assert get(headers={on_demand.HEADER: token})[ID] == sent[0].id
    client = Client()
    client.cookies[on_demand.COOKIE] = token
    assert client.get("/json/a/")[ID] == sent[1].id
    assert ID not in get()


def test_good_token_under_asgi(nothing: None, sent: list[Trace]) -> None:
    from django.core.asgi import get_asgi_application

    from signal_trace.asgi import trace_requests
    from tests.test_asgi import get, named

    application = trace_requests(get_asgi_application())
    token = make_token(60).encode()
    for header in [
        [(b"x-signal-trace", token)],
        [(b"cookie", b"a=b"), (b"cookie", b"signal_trace=" + token)],
    ]:
        messages = asyncio.run(get(application, "/asend/a/", *header))
        assert named(messages) == [sent.pop().id]
    assert named(asyncio.run(get(application, "/asend/a/"))) == []
    headers = {on_demand.HEADER: make_token(60)}
    asyncio.run(AsyncClient().get("/asend/a/", headers=headers))  # type: ignore[arg-type]
    assert len(sent) == 1


def expired() -> str:
    signer = signing.TimestampSigner(salt=on_demand.SALT)
    return signer.sign("-1")


BAD = {
    "expired": expired,
    "of another use": lambda: signing.TimestampSigner(salt="x").sign("60"),
    "of another key": lambda: signing.TimestampSigner(
        key="x", salt=on_demand.SALT
    ).sign("60"),
    "of no number": lambda: signing.TimestampSigner(salt=on_demand.SALT).sign("nan"),
    "without a time": lambda: signing.Signer(salt=on_demand.SALT).sign("60"),
    "changed": lambda: make_token(60).replace("60", "61", 1),
    "cut off": lambda: make_token(60)[:-1],
    "empty": str,
    "colons": lambda: "::",
    "no ASCII": lambda: "é" * 10,
    "long": lambda: "6" * 5000 + make_token(60),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_bad_token_is_as_none(
    nothing: None,
    sent: list[Trace],
    make: Callable[[], str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    without = get()
    with_it = get(headers={on_demand.HEADER: make()})
    assert dict(with_it.headers) == dict(without.headers)
    assert (with_it.content, sent) == (without.content, [])
    assert caplog.records == []


def test_token_expires(nothing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000
    monkeypatch.setattr(signing.time, "time", lambda: now)
    token = make_token(60)
    now += 60
    assert on_demand.is_good(token)
    now += 1
    assert not on_demand.is_good(token)


def test_token_of_a_former_key_is_good(settings: Settings) -> None:
    token = make_token(60)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert on_demand.is_good(token)
    settings.SECRET_KEY_FALLBACKS = []
    assert not on_demand.is_good(token)


def test_response_of_a_cache_names_its_own_trace(
    settings: Settings, sent: list[Trace]
) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    }
    settings.MIDDLEWARE = [
        OURS,
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    answers = [get(), get()]
    assert "view" in sent[0].attributes
    assert "view" not in sent[1].attributes  # It came from the cache.
    assert [answer[ID] for answer in answers] == [trace.id for trace in sent]
    assert "Vary" not in answers[0]
