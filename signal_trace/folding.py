"""Keeps a recording from growing for ever.

A window keeps its first sends one by one, up to its limit. Of those beyond it what has
ended is *folded*, a batch at a time: added up, exactly, and forgotten.
"""

from __future__ import annotations

from collections import defaultdict

from signal_trace.durations import covered
from signal_trace.ignoring import ignores_send
from signal_trace.recording import (
    MOST_KINDS,
    SEND_BITS,
    WINDOW_BITS,
    CallRecord,
    SendRecord,
    Window,
    report_bug,
)
from signal_trace.send_kinds import SendKind

# So many sends beyond the limit wait for the next folding: few enough to be folded
# without a pause that anybody would notice.
BATCH = 500

FOREVER = 2**63

Interval = tuple[int, int]


def close(window: Window) -> None:
    """End what *window* records, and hand it on to the window around it."""
    outer = window.close()
    if len(window.sends) > window.limit:
        fold(window, closing=True)
    if outer is not None:
        outer.take_over(window)
        if len(outer.sends) >= outer.fold_at:
            fold(outer)


def fold(window: Window, *, closing: bool = False) -> None:
    """Fold what *window* holds beyond its limit: what has ended, and when it is
    *closing* all."""
    if not window.folding.acquire(blocking=closing):
        return  # Another thread is about it.
    try:
        if window.is_folding:
            return  # The garbage collector came in the middle of it, and ends it.
        window.is_folding = True
        try:
            _Folding(window, closing).fold()
        except Exception:
            report_bug("folding a recording")
        finally:
            window.is_folding = False
            window.fold_at = max(window.limit, len(window.sends)) + BATCH
    finally:
        window.folding.release()


class _Folding:
    def __init__(self, window: Window, closing: bool) -> None:
        self.window = window
        self.closing = closing
        self.queries = window.queries.sums()
        self.new = window.sends[window.settled :]
        self.sends = {
            send.number >> SEND_BITS: send for send in [*window.late, *self.new]
        }

    def fold(self) -> None:
        window = self.window
        wanted: list[SendRecord] = []
        unwanted: list[SendRecord] = []
        for send in self.new:
            (unwanted if self.is_ignored(send) else wanted).append(send)
        room = max(0, window.limit - window.settled)
        kept, beyond = wanted[:room], wanted[room:]
        done, open_still = self.split(beyond)
        unwanted_done, unwanted_still = self.split(unwanted)
        open_since = self.credit(kept, done, open_still)
        for send in done:
            self.tally(send, open_since)
        # The innermost first: what it hands on counts further out as well.
        forgotten = {*done, *unwanted_done}
        for send in reversed(self.new):
            if send in forgotten:
                self.hand_on_queries(send)
        # What an unwanted one still sends has to be told from the rest.
        open_still += unwanted_still
        end = window.settled + len(self.new)
        window.sends[window.settled : end] = [*kept, *open_still]
        window.settled += len(kept)
        window.late += [send for send in kept if not send.is_over]
        self.forget_queries()

    def split(
        self, sends: list[SendRecord]
    ) -> tuple[list[SendRecord], list[SendRecord]]:
        """Those that are over, and the others. Each is asked once: in another thread it
        may end meanwhile."""
        over: list[SendRecord] = []
        others: list[SendRecord] = []
        for send in sends:
            (over if self.closing or send.is_over else others).append(send)
        return over, others

    def parent(self, send: SendRecord) -> int:
        """The number of the call that *send* was sent from, or of a window."""
        return self.window.resolve(send.parent)

    def is_ignored(self, send: SendRecord) -> bool:
        """Whether *send* is to be left out, or what it was sent from."""
        ignores = self.window.ignores
        receivers = [call.receiver for call in send.read_calls()]
        names = [one.name for one in (*receivers, *send.never_ran)]
        if names and send.is_over and all(map(ignores, names)):
            return True
        while True:
            if ignores_send(send.kind, send.sender, ignores):
                return True
            above, call = self.call(self.parent(send))
            if above is None or call is None:
                return False
            if ignores(call.receiver.name):
                return True
            send = above

    def interval(self, send: SendRecord) -> Interval:
        return send.start, self.window.end if send.end is None else send.end

    def credit(
        self,
        kept: list[SendRecord],
        done: list[SendRecord],
        open_still: list[SendRecord],
    ) -> dict[int, int]:
        """Add the time of sends that will be forgotten to the calls that they were sent
        from: it isn't their own. Returns since when other sends of a call are open.

        Sends of one call may overlap. What runs later than the beginning of one that is
        still open is left to that one, which will cover it all.
        """
        settled, unsettled = self.split([*self.window.late, *kept])
        open_since: dict[int, int] = defaultdict(lambda: FOREVER)
        for send in (*open_still, *unsettled):
            number = self.parent(send)
            open_since[number] = min(open_since[number], send.start)
        known: dict[int, list[Interval]] = defaultdict(list)
        for send in settled:
            known[self.parent(send)].append(self.interval(send))
        nested: dict[int, list[Interval]] = defaultdict(list)
        for send in done:
            nested[self.parent(send)].append(self.interval(send))
        for number, intervals in nested.items():
            sent_from, call = self.call(number)
            if number == self.window.number:
                self.window.folded_ns += covered(intervals)
            if sent_from is None or call is None:
                continue
            until = min(open_since[number], call.end or FOREVER)
            before = [(start, min(end, until)) for start, end in known[number]]
            added = [(start, min(end, until)) for start, end in intervals]
            sent_from.add_nested(number, covered([*before, *added]) - covered(before))
        return open_since

    def call(self, number: int) -> tuple[SendRecord | None, CallRecord | None]:
        """The call of a number, with its send, where they are still known."""
        send = self.sends.get(number >> SEND_BITS)
        calls = () if send is None else send.read_calls()
        return send, next((call for call in calls if call.number == number), None)

    def hand_on_queries(self, send: SendRecord) -> None:
        """Forget the queries of *send* by its calls: what it was sent from keeps their
        sum."""
        for call in send.read_calls():
            self.hand_on(call.number, self.parent(send))

    def forget_queries(self) -> None:
        """Forget where queries were made that came later than their call was forgotten:
        they count for the whole, as they would in the end."""
        window = self.window
        places = list(self.queries)
        known = {send.number >> SEND_BITS for send in list(window.sends)}
        for place in places:
            is_own = place >> WINDOW_BITS == window.number >> WINDOW_BITS
            if is_own and place != window.number and place >> SEND_BITS not in known:
                self.hand_on(place, window.number)

    def hand_on(self, place: int, around: int) -> None:
        """Count the queries of *place* as nested in what is *around*."""
        sums = self.window.queries.take(place)
        if sums is not None:
            count, ns = sums.count + sums.nested_count, sums.ns + sums.nested_ns
            self.window.queries.add_nested(around, count, ns)

    def tally(self, send: SendRecord, open_since: dict[int, int]) -> None:
        """Add up *send* and its calls."""
        calls = [
            call
            for call in send.read_calls()
            if not self.window.ignores(call.receiver.name)
        ]
        tally = self.window.tallies.of(send.kind)
        duration = None if send.end is None else send.end - send.start
        tally.sends.add(duration, 0, send.error is not None)
        for call in calls:
            total, own = None, 0
            if call.end is not None:
                total = call.end - call.start
                covered_yet = max(
                    0, call.end - max(call.start, open_since[call.number])
                )
                # As in `send_tree`, more may have been folded than there was time.
                nested = send.nested_ns.get(call.number, 0)
                own = max(0, total - nested - covered_yet)
            sums = tally.of(call.receiver)
            sums.add(total, own, call.error is not None)
            if call.number in self.queries:
                sums.queries += self.queries[call.number].count
                sums.queries_ns += self.queries[call.number].ns
        if self.call(self.parent(send))[1] is None:
            ends = (call.end or self.window.end for call in calls)
            starts = (call.start for call in calls)
            tally.receivers_ns += covered(zip(starts, ends, strict=True))


def merge_unreceived(window: Window) -> None:
    """Put kinds of unreceived sends that are called alike together."""
    first: dict[tuple[str, str], SendKind] = {}
    for kind, count in dict(window.unreceived).items():
        known = first.setdefault((kind.signal.name, kind.sender.name), kind)
        if known is not kind:
            del window.unreceived[kind]
            window.unreceived[known] += count
    window.most_kinds = 2 * len(window.unreceived) + MOST_KINDS
