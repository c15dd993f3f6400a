"""What the views of a trace say by their scripts, in the reader's language.

Scripts have no plural forms: none of these has a number that its grammar hangs on.
``{names}`` stand for what the script puts there.
"""

from __future__ import annotations

from django.utils.translation import gettext

from signal_trace import parts


def _(text: str) -> str:
    """Mark a text for the catalogues; Django's own function would ask the settings."""
    return text


#: What the scripts say, by the names that they know it by.
TEXTS = {
    # Numbers
    "milliseconds": _("{time} ms"),
    "percent": _("{part}%"),
    "queries": _("{count} SQL in {time}"),
    "writing": _("{count} of them writing"),
    "inside": _("in sends inside {queries}"),
    "times": _("× {count}"),
    "from to": _("{least} to {most} each"),
    "starts at": _("starts at {time}"),
    "total": _("total {time}"),
    "self": _("self {time}"),
    "waiting": _("waiting {time}"),
    "sum of calls": _("calls {count}, total {total}, self {own}, the longest {most}"),
    # Figures of the whole trace
    "calls": _("Calls"),
    "in receivers": _("In receivers"),
    "in all": _("In all"),
    "SQL": _("SQL"),
    "failed": _("Failed"),
    "not called": _("not called"),
    "column not called": _("Not called"),
    "unreceived": _("Unreceived sends"),
    "slowest": _("Slowest by self time"),
    "ended by": _("Ended by"),
    "omitted": _(
        "Sends beyond MAX_SENDS, counted and added up in the tables: {count}. The"
        " timeline has the first {kept}."
    ),
    # Findings
    "more findings": _("More findings: {count}"),
    "what to do": _("What to do"),
    "more rows": _("more: {count}"),
    # Rows
    "sent": _("{signal} from {sender}"),
    "from sender": _("from {sender}"),
    "raised": _("raised {error}"),
    "swallowed": _("swallowed {error}"),
    "send raised": _("raised"),
    "SQL times": _("SQL × {count}"),
    # Facts of a row
    "source": _("Source"),
    "no source": _("no source"),
    "time": _("Time"),
    "ended": _("Outcome"),
    "exception": _("Exception"),
    "repeated most": _("SQL repeated × {count}"),
    "statement": _("SQL executed most"),
    "connected": _("Connected"),
    "not any more": _("not any more when the trace was made"),
    "for sender": _("for {sender}"),
    "for any sender": _("for any sender"),
    "weakly": _("weakly"),
    "strongly": _("strongly"),
    "place": _("number {place} in the order"),
    "app": _("App"),
    "send": _("Send"),
    "sends": _("Sends"),
    "why": _("Why"),
    "sent at": _("Sent at"),
    "sent from": _("Sent from"),
    "sent by": _("Sent by"),
    "on_commit callback": _("an on_commit callback"),
    "sender": _("Sender"),
    "method": _("Method"),
    "receivers": _("Receivers"),
    "arguments": _("Arguments"),
    "transaction": _("Transaction"),
    "stack": _("Stack"),
    "show all": _("Show all {count} characters"),
    # Copying
    "copy": _("Copy"),
    "copy place": _("Copy {place}"),
    "copied": _("Copied"),
    "copy it yourself": _("This page may not use the clipboard: copy it from here"),
    "not to be had": _("The text could not be loaded. Load the page again."),
    # Filter
    "found": _("Found: {count}"),
    "only receiver": _("Receiver: {name}"),
    "only signal": _("Signal: {name}"),
    "only app": _("App: {name}"),
    "drop": _("Remove the filter {filter}"),
    # Tables
    "by receiver": _("Sums by receiver"),
    "by signal": _("Sums by signal"),
    "by app": _("Sums by app"),
    "column receiver": _("Receiver"),
    "column signal": _("Signal"),
    "column app": _("App"),
    "column calls": _("Calls"),
    "column sends": _("Sends"),
    "column senders": _("Senders"),
    "column total": _("Total"),
    "column self": _("Self"),
    "column share": _("Share of self"),
    "column longest": _("Longest"),
    "column SQL time": _("SQL time"),
    "column failed": _("Failed"),
    "column why": _("Why"),
    "column source": _("Source"),
    "listens to": _("listens to {sender}"),
    "listens to another": _("listens to another sender"),
    "near miss child": _("near miss: its child {sender} sent it"),
    "near miss parent": _("near miss: its parent {sender} sent it"),
    "near miss proxy": _("near miss: its proxy or model {sender} sent it"),
}

#: The words of a trace that people read.
TOLD = {
    parts.PROBLEM: _("Problem"),
    parts.WARNING: _("Warning"),
    parts.HINT: _("Hint"),
    parts.RETURNED: _("returned"),
    parts.RAISED: _("raised"),
    parts.SWALLOWED: _("raised, and the send went on"),
    parts.CANCELLED: _("cancelled"),
    parts.CANCELLED_BY_SIBLING: _("cancelled by a sibling"),
    parts.UNFINISHED: _("never finished"),
    parts.COMMITTED: _("committed"),
    parts.ROLLED_BACK: _("rolled back"),
    parts.OPEN: _("still open when the trace ended"),
    parts.EARLIER_RAISED: _("an earlier receiver raised"),
    parts.SEND_FAILED: _("the send failed or was cancelled"),
    parts.OTHER_SENDER: _("connected for another sender"),
    f"event {parts.MAIL}": _("Mail sent by"),
    f"event {parts.TASK}": _("Task enqueued"),
    f"event {parts.ON_COMMIT}": _("on_commit"),
    **{f"event {kind}": _("Bulk write past receivers") for kind in parts.BULK_WRITES},
}


def texts() -> dict[str, str]:
    """All of it, translated into the language in force."""
    return {
        **{name: gettext(text) for name, text in TEXTS.items()},
        **{f"trace: {word}": gettext(text) for word, text in TOLD.items()},
    }
