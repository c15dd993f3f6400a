// @ts-check
// Like sends next to each other, put together, as `signal_trace.runs` does for text and
// log: what is alike, and what stands out, is said there.

import { withoutKey } from "./text.js";

const LONGEST_PERIOD = 4;
const FEWEST_TURNS = 3;

/**
 * The sends by the call that they were sent from, like ones next to each other as a
 * list of their own.
 * @param {any} trace
 * @returns {Map<number | null, any[]>}
 */
export function foldedSends(trace) {
    const sends = new Map();
    for (const send of trace.sends) {
        const siblings = sends.get(send.parent);
        if (siblings) {
            siblings.push(send);
        } else {
            sends.set(send.parent, [send]);
        }
    }
    const shapes = shapesOf(trace, sends);
    const folded = new Map();
    for (const [parent, siblings] of sends) {
        folded.set(parent, foldSiblings(siblings, shapes));
    }
    return folded;
}

/** Gives each send a number, and like ones the same. */
function shapesOf(trace, sends) {
    const named = new Map();
    trace.findings.forEach((finding, place) => {
        for (const one of finding.evidence) {
            named.set(one, [...(named.get(one) ?? []), place]);
        }
    });
    const missing = new Set(trace.not_called.map((one) => one.send));
    const numbers = new Map();
    const shapes = new Map();
    const standingOut = new Set();
    // What is nested in a send began later, so that it has its number already.
    for (let at = trace.sends.length - 1; at >= 0; at -= 1) {
        const send = trace.sends[at];
        let standsOut =
            send.error !== null || send.duration_ns === null || missing.has(send.id);
        let shape = "";
        const places = new Set(named.get(send.id));
        for (const call of send.calls) {
            standsOut ||=
                call.error !== null ||
                call.outcome !== "returned" ||
                call.duration_ns === null;
            const nested = sends.get(call.id);
            let sent = "";
            if (nested) {
                standsOut ||= nested.some((one) => standingOut.has(one.id));
                // However often it sent these in turn.
                sent = [...new Set(nested.map((one) => shapes.get(one.id)))].join(",");
            }
            shape += `\n${call.receiver}|${call.file}|${call.line}|${call.is_async}|${sent}`;
            named.get(call.id)?.forEach((place) => places.add(place));
        }
        if (standsOut) {
            standingOut.add(send.id);
            shape = String(send.id);
        } else {
            const line = send.call_site;
            const where = line ? `${line.file}|${line.line}|${line.function}` : "";
            shape =
                `${send.signal}\n${withoutKey(send.sender)}\n${send.method}\n${where}\n` +
                `${send.transaction}|${send.on_commit}|${send.arguments.action}\n` +
                `${[...places].sort().join(",")}${shape}`;
        }
        let number = numbers.get(shape);
        if (number === undefined) {
            number = numbers.size;
            numbers.set(shape, number);
        }
        shapes.set(send.id, number);
    }
    return shapes;
}

function foldSiblings(sends, shapes) {
    const of = sends.map((send) => shapes.get(send.id));
    const folded = [];
    let at = 0;
    while (at < sends.length) {
        const end = endOfRun(of, at);
        if (end === at) {
            folded.push(sends[at]);
            at += 1;
            continue;
        }
        const alike = new Map();
        for (; at < end; at += 1) {
            const group = alike.get(of[at]);
            if (group) {
                group.push(sends[at]);
            } else {
                alike.set(of[at], [sends[at]]);
            }
        }
        folded.push(...alike.values());
    }
    return folded;
}

/** Where the run ends that begins at `start`: there, where none does. */
function endOfRun(of, start) {
    for (let period = 1; period <= LONGEST_PERIOD; period += 1) {
        let end = start + period;
        while (end < of.length && of[end] === of[end - period]) {
            end += 1;
        }
        const turns = Math.floor((end - start) / period);
        if (end <= of.length && turns >= FEWEST_TURNS) {
            return start + turns * period;
        }
    }
    return start;
}
