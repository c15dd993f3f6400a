// @ts-check
// The trace as one list of nodes in the order of the tree, each before what is in it.

import { foldedSends } from "./folding.js";
import { endOf } from "./sums.js";

export const SEND = "send";
export const CALL = "call";
export const RUN = "run";
export const MISSED = "missed";

/**
 * @typedef {object} Node
 * @property {string} kind `SEND`, `CALL`, `RUN` (like sends) or `MISSED` (not called)
 * @property {number} at its place in the list
 * @property {Node | null} parent
 * @property {number} depth
 * @property {number} after the place behind all that is in it
 * @property {any} part the send, the call, the run's first send, what was not called
 * @property {any[]} sends those of a run
 * @property {any} send the one that a call is of
 * @property {number} start
 * @property {number} end
 */

export class Tree {
    /** @param {any} trace */
    constructor(trace) {
        this.trace = trace;
        /** @type {Node[]} */
        this.nodes = [];
        /** @type {Map<number, Node>} */
        this.byId = new Map();
        /** @type {Map<number, any[]>} */
        this.findings = new Map();
        for (const finding of trace.findings) {
            for (const id of new Set(finding.evidence)) {
                this.findings.set(id, [...(this.findings.get(id) ?? []), finding]);
            }
        }
        this._build();
    }

    _build() {
        const folded = foldedSends(this.trace);
        const missed = new Map();
        for (const one of this.trace.not_called) {
            if (one.send !== null) {
                missed.set(one.send, [...(missed.get(one.send) ?? []), one]);
            }
        }
        // A stack of its own: receivers may nest deeper than functions may.
        /** @type {Node[]} */
        const waiting = [];
        this._addSiblings(waiting, folded.get(null) ?? [], null);
        while (waiting.length) {
            const node = waiting.pop();
            node.at = this.nodes.push(node) - 1;
            if (node.kind !== RUN && node.kind !== MISSED) {
                this.byId.set(node.part.id, node);
            }
            if (node.kind === RUN) {
                this._addSiblings(waiting, node.sends, node);
            } else if (node.kind === CALL) {
                this._addSiblings(waiting, folded.get(node.part.id) ?? [], node);
            } else if (node.kind === SEND) {
                for (const one of (missed.get(node.part.id) ?? []).slice().reverse()) {
                    waiting.push(this._node(MISSED, one, node, node.part));
                }
                for (let i = node.part.calls.length - 1; i >= 0; i -= 1) {
                    waiting.push(this._node(CALL, node.part.calls[i], node, node.part));
                }
            }
        }
        for (let at = this.nodes.length - 1; at >= 0; at -= 1) {
            const { parent, after } = this.nodes[at];
            if (parent) {
                parent.after = Math.max(parent.after, after || at + 1);
            }
            this.nodes[at].after = after || at + 1;
        }
    }

    /** Adds the nodes of sends and runs, the last first. */
    _addSiblings(nodes, sends, parent) {
        for (let i = sends.length - 1; i >= 0; i -= 1) {
            const one = sends[i];
            if (Array.isArray(one)) {
                const node = this._node(RUN, one[0], parent, null);
                node.sends = one;
                node.end = endOf(this.trace, one[one.length - 1]);
                nodes.push(node);
            } else {
                nodes.push(this._node(SEND, one, parent, null));
            }
        }
    }

    /** @returns {Node} */
    _node(kind, part, parent, send) {
        const timed = kind === MISSED ? send : part;
        return {
            kind,
            at: 0,
            parent,
            depth: parent ? parent.depth + 1 : 0,
            after: 0,
            part,
            sends: [],
            send,
            start: timed.start_ns,
            end: kind === MISSED ? timed.start_ns : endOf(this.trace, part),
        };
    }

    /**
     * The findings that name a node, or of a run something in it.
     * @param {Node} node
     */
    findingsOf(node) {
        if (node.kind === MISSED) {
            return [];
        }
        if (node.kind !== RUN) {
            return this.findings.get(node.part.id) ?? [];
        }
        const found = new Set();
        for (let at = node.at + 1; this.findings.size && at < node.after; at += 1) {
            const one = this.nodes[at];
            if (one.kind === SEND || one.kind === CALL) {
                this.findings.get(one.part.id)?.forEach((finding) => found.add(finding));
            }
        }
        return [...found];
    }
}

/**
 * What a run's sends add up to.
 * @param {Node} run
 */
export function sumOfRun(run) {
    let total = 0;
    let least = Infinity;
    let most = 0;
    for (const { duration_ns } of run.sends) {
        total += duration_ns;
        least = Math.min(least, duration_ns);
        most = Math.max(most, duration_ns);
    }
    return { count: run.sends.length, total, least, most };
}
