// @ts-check
// What did not happen: receivers that were not called, and sends that nobody heard.

import { button, make, nameOf } from "./dom.js";
import { labelOf } from "./labels.js";
import { sourceLine } from "./source.js";
import { sortableTable } from "./tables.js";
import { clipped, signalName } from "./text.js";

/** @param {import("./views.js").Views} views */
export function notCalledTable(views) {
    const { words, trace, tree } = views;
    const weight = (one) => (one.send !== null ? 0 : one.near_miss !== null ? 1 : 2);
    const rows = trace.not_called.slice().sort((one, other) => weight(one) - weight(other));
    const columns = [
        {
            label: "column receiver",
            className: "st-names",
            value: (one) => one.receiver,
            show: (one) => nameOf(one.receiver, "st-code"),
        },
        {
            label: "column signal",
            value: (one) => one.signal,
            show: (one) => signalCell(one.signal),
        },
        {
            label: "column why",
            value: (one) => weight(one),
            show: (one) => whyNotCalled(one),
        },
        {
            label: "column source",
            value: (one) => `${one.file}:${String(one.line).padStart(8)}`,
            show: (one) => sourceLine(views, one.file, one.line, one),
        },
    ];

    function whyNotCalled(one) {
        const node = tree.byId.get(one.send);
        if (one.send !== null) {
            const why = make("span", "st-failed", `✗ ${words.told(one.reason)}`);
            if (!node) {
                return why;
            }
            const lead = button(labelOf(node, words), () => views.goTo(node), "st-lead");
            return make("span", "", why, " ", lead);
        }
        const listens = one.sender
            ? words.say("listens to", { sender: one.sender })
            : words.say("listens to another");
        const cell = make("span", "", nameOf(listens));
        if (one.near_miss !== null) {
            const near = words.say(`near miss ${one.relation}`, { sender: one.near_miss });
            cell.append(" ", make("strong", "st-warned", nameOf(`! ${near}`)));
        }
        return cell;
    }

    // The rows that matter most come first: those that a send was to call.
    return sortableTable(words, words.say("not called"), columns, rows, null);
}

/** @param {import("./views.js").Views} views */
export function unreceivedTable(views) {
    const { words, trace } = views;
    const signals = new Map();
    for (const one of trace.unreceived) {
        const row = signals.get(one.signal) ?? { signal: one.signal, count: 0, senders: [] };
        row.count += one.count;
        row.senders.push(one);
        signals.set(one.signal, row);
    }
    // Django's own come last: they are sent whether or not anybody is to hear.
    const own = (one) => Number(!one.signal.startsWith("django."));
    const rows = [...signals.values()].sort(
        (one, other) => own(other) - own(one) || other.count - one.count,
    );
    const columns = [
        {
            label: "column signal",
            className: "st-names",
            value: (one) => signalName(one.signal),
            show: (one) => signalCell(one.signal),
        },
        {
            label: "column sends",
            className: "st-number",
            value: (one) => one.count,
            show: (one) => words.count(one.count),
        },
        {
            label: "column senders",
            value: (one) => one.senders.length,
            show: (one) => sendersCell(one.senders),
        },
    ];

    function sendersCell(senders) {
        const cell = make("span");
        for (const [place, { sender, count }] of senders.entries()) {
            const times = count > 1 ? ` ${words.say("times", { count: words.count(count) })}` : "";
            cell.append(place ? ", " : "", nameOf(sender), times);
        }
        return cell;
    }

    return sortableTable(words, words.say("unreceived"), columns, rows, null);
}

function signalCell(signal) {
    const name = nameOf(signalName(signal));
    name.title = clipped(signal, 1000);
    return make("span", "", make("strong", "", name), make("br"), nameOf(signal, "st-quiet"));
}
