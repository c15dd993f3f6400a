"""What in a trace deserves attention.

Each kind of finding is one function over the `Facts` of a trace, which yields what it
found, what weighs most first. Its id and title are made of the function's name:
``slow_receiver`` finds "slow-receiver", entitled "Slow receiver". To add one, write it,
list it in `RULES`, and give it a section in ``docs/findings.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from signal_trace.conf import Settings
from signal_trace.findings.cycles import cycle, deep_nesting
from signal_trace.findings.doubles import ran_twice
from signal_trace.findings.facts import MOST_EVIDENCE, Facts, Found, id_of
from signal_trace.findings.failures import never_ran, swallowed_exception
from signal_trace.findings.fixtures import fixture_loading
from signal_trace.findings.hops import async_receiver_in_send, sync_receiver_in_asend
from signal_trace.findings.missed import bulk_write, near_miss
from signal_trace.findings.transactions import rolled_back, work_before_commit
from signal_trace.findings.work import repeated_call, repeated_query, slow_receiver
from signal_trace.parts import HINT, PROBLEM, WARNING, Finding
from signal_trace.trace import Trace

Rule = Callable[[Facts], Iterator[Found]]

# In the order in which findings of one level are shown.
RULES: tuple[Rule, ...] = (
    swallowed_exception,
    cycle,
    rolled_back,
    never_ran,
    ran_twice,
    work_before_commit,
    slow_receiver,
    repeated_query,
    repeated_call,
    near_miss,
    fixture_loading,
    deep_nesting,
    bulk_write,
    sync_receiver_in_asend,
    async_receiver_in_send,
)

IDS = tuple(id_of(rule) for rule in RULES)

LEVELS = (PROBLEM, WARNING, HINT)


def find(trace: Trace, settings: Settings) -> tuple[Finding, ...]:
    """The findings of *trace*, what matters most first, less those that *settings*
    silences."""
    if not (trace.sends or trace.not_called or trace.events or trace.omitted):
        return ()
    facts = Facts(trace, settings)
    found = [
        finding
        for id, rule in zip(IDS, RULES, strict=True)
        if id not in settings.SILENCED_FINDINGS
        for finding in (_finding(id, one) for one in rule(facts))
        if all(facts.wanted(rule, receiver) for receiver in finding.receivers)
    ]
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def names_finding(entry: str) -> bool:
    """Whether an entry of ``SILENCED_FINDINGS`` names a finding that there is, and a
    receiver where it has a colon."""
    id, colon, receiver = entry.partition(":")
    return id in IDS and bool(receiver) == bool(colon)


def _finding(id: str, found: Found) -> Finding:
    return Finding(
        id=id,
        title=id.replace("-", " ").capitalize(),
        level=found.level,
        message=found.message,
        advice=found.advice,
        evidence=tuple(islice(dict.fromkeys(found.evidence), MOST_EVIDENCE)),
        receivers=tuple(dict.fromkeys(found.receivers)),
        location=found.location,
    )
