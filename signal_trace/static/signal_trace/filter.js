// @ts-check
// Which nodes of the tree are asked for, and which rows of it stand open.

import { MISSED, RUN, SEND } from "./tree.js";

const KEPT_AS = "signal_trace.filter";

/**
 * @typedef {object} Filter
 * @property {string} text in names of receivers, signals, senders and apps
 * @property {boolean} failed
 * @property {number} slower milliseconds
 * @property {{ by: "receiver" | "signal" | "app", name: string } | null} only
 */

/** @returns {Filter} */
export function noFilter() {
    return { text: "", failed: false, slower: 0, only: null };
}

/** @param {Filter} filter */
export function isFiltering(filter) {
    return Boolean(filter.text || filter.failed || filter.slower || filter.only);
}

/** The filter of when the panel was last open, on whichever page. */
export function keptFilter() {
    const filter = noFilter();
    try {
        const kept = JSON.parse(sessionStorage.getItem(KEPT_AS) ?? "{}");
        filter.text = typeof kept.text === "string" ? kept.text : "";
        filter.failed = kept.failed === true;
        filter.slower = kept.slower > 0 ? Number(kept.slower) : 0;
        if (["receiver", "signal", "app"].includes(kept.only?.by)) {
            filter.only = { by: kept.only.by, name: String(kept.only.name) };
        }
    } catch {
        // Storage may be switched off, or hold what is none of ours.
    }
    return filter;
}

/** @param {Filter} filter */
export function keepFilter(filter) {
    try {
        sessionStorage.setItem(KEPT_AS, JSON.stringify(filter));
    } catch {
        // Then it lasts as long as the page.
    }
}

/**
 * Which nodes the filter finds, and which stay for leading to one, as arrays by their
 * place.
 * @param {import("./tree.js").Node[]} nodes
 * @param {Filter} filter
 */
export function foundNodes(nodes, filter) {
    const matches = matcher(filter);
    const found = new Uint8Array(nodes.length);
    const leading = new Uint8Array(nodes.length);
    let count = 0;
    for (let at = nodes.length - 1; at >= 0; at -= 1) {
        const node = nodes[at];
        // A run is found by what is in it.
        if (node.kind === RUN ? leading[at] : matches(node)) {
            found[at] = leading[at] = 1;
            count += Number(node.kind !== RUN);
        }
        if (leading[at] && node.parent) {
            leading[node.parent.at] = 1;
        }
    }
    return { found, leading, count };
}

/**
 * @param {Filter} filter
 * @returns {(node: import("./tree.js").Node) => boolean}
 */
function matcher({ text, failed, slower, only }) {
    const wanted = text.trim().toLowerCase();
    const least = slower * 1e6;
    const known = new Map();
    const named = (name) => {
        let is = known.get(name);
        if (is === undefined) {
            is = name.toLowerCase().includes(wanted);
            known.set(name, is);
        }
        return is;
    };
    return ({ kind, part, send }) => {
        const of = kind === SEND ? part : send;
        if (failed && !(kind === MISSED || hasFailed(part))) {
            return false;
        }
        if (least && (kind === MISSED || (part.duration_ns ?? Infinity) < least)) {
            return false;
        }
        if (only) {
            if (only.by === "signal" ? of.signal !== only.name : kind === SEND) {
                return false;
            }
            if (only.by !== "signal" && part[only.by] !== only.name) {
                return false;
            }
        }
        return (
            !wanted ||
            named(of.signal) ||
            named(of.sender) ||
            (kind !== SEND && (named(part.receiver) || named(part.app ?? ""))) ||
            (typeof of.arguments.instance === "string" && named(of.arguments.instance))
        );
    };
}

/** @param {any} part a send or call */
function hasFailed(part) {
    return (
        part.error !== null || (part.outcome !== undefined && part.outcome !== "returned")
    );
}

/** Which nodes stand open: all but runs, save where somebody wants it otherwise. */
export class Folds {
    constructor() {
        /** @type {Map<number, boolean>} */
        this.changed = new Map();
    }

    /** @param {import("./tree.js").Node} node */
    isOpen(node) {
        return this.changed.get(node.at) ?? node.kind !== RUN;
    }

    /**
     * @param {import("./tree.js").Node} node
     * @param {boolean} open
     */
    set(node, open) {
        this.changed.set(node.at, open);
    }

    /**
     * @param {import("./tree.js").Node[]} nodes
     * @param {boolean} open
     */
    setAll(nodes, open) {
        this.changed.clear();
        for (const node of nodes) {
            if (node.after > node.at + 1 && this.isOpen(node) !== open) {
                this.changed.set(node.at, open);
            }
        }
    }
}

/**
 * @typedef {object} Row
 * @property {import("./tree.js").Node} node
 * @property {boolean | null} open null where nothing is in it
 * @property {boolean} found whether the filter asks for it, and not for what is in it
 * @property {number} place among its siblings, from 1
 * @property {number} siblings
 */

/**
 * The rows that are there to be seen.
 * @param {import("./tree.js").Node[]} nodes
 * @param {Folds} folds
 * @param {ReturnType<typeof foundNodes> | null} filtered
 */
export function visibleRows(nodes, folds, filtered) {
    /** @type {Row[]} */
    const rows = [];
    const counts = new Int32Array(nodes.length + 1);
    const parentAt = (node) => (node.parent ? node.parent.at + 1 : 0);
    let at = 0;
    while (at < nodes.length) {
        const node = nodes[at];
        if (filtered && !filtered.leading[at]) {
            at = node.after;
            continue;
        }
        const open = hasVisible(nodes, node, filtered) ? folds.isOpen(node) : null;
        counts[parentAt(node)] += 1;
        rows.push({
            node,
            open,
            found: !filtered || filtered.found[at] === 1,
            place: counts[parentAt(node)],
            siblings: 0,
        });
        at = open ? at + 1 : node.after;
    }
    for (const row of rows) {
        row.siblings = counts[parentAt(row.node)];
    }
    return rows;
}

function hasVisible(nodes, node, filtered) {
    if (!filtered) {
        return node.after > node.at + 1;
    }
    for (let at = node.at + 1; at < node.after; at = nodes[at].after) {
        if (filtered.leading[at]) {
            return true;
        }
    }
    return false;
}
