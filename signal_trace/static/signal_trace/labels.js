// @ts-check
// What stands on a row: its name, its marks, and its exact figures in one line.

import { clipped, printable, senderOf, shortName, signalName, telling } from "./text.js";
import { CALL, MISSED, RUN, SEND, sumOfRun } from "./tree.js";

const LONGEST_LABEL = 150;

/**
 * A node's name in few words.
 * @param {import("./tree.js").Node} node
 * @param {import("./words.js").Words} words
 */
export function labelOf(node, words) {
    if (node.kind === CALL || node.kind === MISSED) {
        return printable(clipped(shortName(node.part.receiver), LONGEST_LABEL));
    }
    const signal = clipped(signalName(node.part.signal), LONGEST_LABEL);
    const sender = clipped(senderOf(node.part), LONGEST_LABEL);
    return printable(words.say("sent", { signal, sender }));
}

/**
 * What is out of the ordinary about a node: words, each with how much it matters.
 * @param {import("./tree.js").Tree} tree
 * @param {import("./tree.js").Node} node
 * @param {import("./words.js").Words} words
 * @returns {[string, string][]}
 */
export function marksOf(tree, node, words) {
    /** @type {[string, string][]} */
    const marks = [];
    const { kind, part } = node;
    if (kind === MISSED) {
        marks.push([words.say("not called"), "problem"]);
        return marks;
    }
    if (part.error && kind === CALL) {
        const error = shortName(part.error.type).split(".").pop();
        const swallowed = part.outcome === "swallowed";
        marks.push([words.say(swallowed ? "swallowed" : "raised", { error }), "problem"]);
    } else if (part.error) {
        marks.push([words.say("send raised"), "problem"]);
    }
    if (kind === CALL && part.outcome.startsWith("cancelled")) {
        marks.push([words.told(part.outcome), "warning"]);
    }
    if (part.duration_ns === null) {
        marks.push([words.told("never finished"), "warning"]);
    }
    if (kind !== CALL && part.transaction === "rolled back") {
        marks.push([words.told("rolled back"), "warning"]);
    }
    if (kind === CALL && part.queries.repeated?.count > 1) {
        const count = words.count(part.queries.repeated.count);
        marks.push([words.say("SQL times", { count }), "note"]);
    }
    for (const finding of tree.findingsOf(node)) {
        marks.push([finding.title, finding.level]);
    }
    if (kind === CALL && part.is_async) {
        marks.push(["async", ""]);
    }
    if (kind !== CALL) {
        if (part.method !== "send") {
            marks.push([part.method, ""]);
        }
        if (part.on_commit) {
            marks.push(["on_commit", ""]);
        }
        if (kind === SEND) {
            marks.push(...telling(part).map((told) => /** @type {[string, string]} */ ([told, ""])));
        } else if (typeof part.arguments.action === "string") {
            marks.push([`action=${part.arguments.action}`, ""]);
        }
    }
    return marks;
}

/**
 * The exact figures of a node, as one line.
 * @param {import("./tree.js").Node} node
 * @param {import("./words.js").Words} words
 */
export function figuresLine(node, words) {
    const { kind, part } = node;
    if (kind === MISSED) {
        return words.told(part.reason);
    }
    const said = [words.say("starts at", { time: words.time(node.start) })];
    if (kind === RUN) {
        const { count, total, least, most } = sumOfRun(node);
        said.push(
            words.say("times", { count: words.count(count) }),
            words.say("total", { time: words.time(total) }),
            words.say("from to", { least: words.time(least), most: words.time(most) }),
        );
    } else {
        said.push(words.say("total", { time: words.time(part.duration_ns) }));
    }
    if (kind === CALL) {
        said.push(words.say("self", { time: words.time(part.self_ns) }));
        if (part.suspended_ns) {
            said.push(words.say("waiting", { time: words.time(part.suspended_ns) }));
        }
    }
    const { count, ns, nested, nestedNs } = queriesOf(node);
    if (count) {
        said.push(words.queries(count, ns));
    }
    if (nested) {
        said.push(words.say("inside", { queries: words.queries(nested, nestedNs) }));
    }
    return said.join(", ");
}

/**
 * The SQL of a node, of a run that of all its sends.
 * @param {import("./tree.js").Node} node
 */
export function queriesOf(node) {
    const sum = { count: 0, ns: 0, nested: 0, nestedNs: 0 };
    if (node.kind !== MISSED) {
        for (const { queries } of node.kind === RUN ? node.sends : [node.part]) {
            sum.count += queries.count;
            sum.ns += queries.duration_ns;
            sum.nested += queries.nested_count;
            sum.nestedNs += queries.nested_ns;
        }
    }
    return sum;
}
