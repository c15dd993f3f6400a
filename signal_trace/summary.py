"""What is said of a whole trace in a few plain values."""

from __future__ import annotations

from typing import Any

from signal_trace.durations import in_ms
from signal_trace.highlights import all_queries, failures, slowest
from signal_trace.parts import ROLLED_BACK
from signal_trace.telling import full_place
from signal_trace.trace import Trace


def summary(trace: Trace) -> dict[str, Any]:
    """The figures of a trace, what failed in it and what was found: the fields of its
    log record, without the prefix of their names."""
    top = next(iter(slowest(trace, 1)), None)
    failed = [
        {"receiver": call.receiver, "error": error.type, "signal": send.signal}
        for send, call, error in failures(trace)
    ]
    findings = [
        {
            "id": one.id,
            "level": one.level,
            "message": one.message,
            "receivers": list(one.receivers),
            "location": one.location and full_place(one.location),
        }
        for one in trace.findings
    ]
    queries, queries_ns = all_queries(trace)
    return {
        "record": "trace",
        "id": trace.id,
        "kind": trace.kind,
        "name": trace.name,
        "started_at": trace.started_at.isoformat(),
        "duration_ms": in_ms(trace.duration_ns),
        "receivers_ms": in_ms(trace.receivers_ns),
        "sends": trace.send_count,
        "calls": trace.call_count,
        "unreceived": trace.unreceived_count,
        "failures": len(failed) + trace.omitted_failures,
        "not_called": sum(one.send is not None for one in trace.not_called),
        "rolled_back": sum(one.transaction == ROLLED_BACK for one in trace.sends),
        "queries": queries,
        "queries_ms": in_ms(queries_ns),
        "receivers_queries": trace.queries.nested_count,
        "omitted": trace.omitted_count,
        "slowest_receiver": top and top.receiver,
        "slowest_receiver_ms": top and in_ms(top.self_ns or 0),
        "failed_receivers": failed,
        "findings": findings,
        "error": trace.error and trace.error.type,
        "attributes": trace.attributes,
    }
