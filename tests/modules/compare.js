// Reads traces, and says what the modules make of each: the same as Python does.

import { foldedSends } from "./folding.js";
import { figuresOf, sumsByApp, sumsByReceiver, sumsBySignal } from "./sums.js";
import { placeName, senderOf, signalName, telling } from "./text.js";
import { CALL, MISSED, RUN, Tree } from "./tree.js";
import { Words } from "./words.js";

const words = new Words({ milliseconds: "{time} ms" }, "en-us");

function described(trace) {
    const { failed, slowest, ...figures } = figuresOf(trace);
    return {
        ...figures,
        failed: failed.map((call) => call.id),
        slowest: slowest && slowest.self_ns,
        receivers: sumsByReceiver(trace),
        apps: sumsByApp(trace),
        signals: sumsBySignal(trace),
        folded: [...foldedSends(trace)].map(([parent, sends]) => [
            parent,
            sends.map((one) => (Array.isArray(one) ? one.map((send) => send.id) : one.id)),
        ]),
        tree: new Tree(trace).nodes
            .filter((node) => !insideRun(node))
            .map((node) => [node.depth, node.kind === RUN ? node.sends.length : name(node)]),
        senders: trace.sends.map(senderOf),
        arguments: trace.sends.map((send) => telling(send)),
        signalNames: trace.sends.map((send) => signalName(send.signal)),
        places: trace.sends
            .filter((send) => send.call_site)
            .map(({ call_site: { file, line } }) => placeName(file, line, folders)),
        times: trace.sends.map((send) => words.time(send.duration_ns)),
    };
}

function insideRun(node) {
    for (let above = node.parent; above; above = above.parent) {
        if (above.kind === RUN) {
            return true;
        }
    }
    return false;
}

function name({ kind, part }) {
    return kind === CALL || kind === MISSED ? part.receiver : part.signal;
}

const chunks = [];
for await (const chunk of process.stdin) {
    chunks.push(chunk);
}
const { traces, folders } = JSON.parse(Buffer.concat(chunks).toString("utf8"));
console.log(JSON.stringify(traces.map(described)));
