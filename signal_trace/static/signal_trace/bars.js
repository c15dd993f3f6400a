// @ts-check
// A node on the time axis: what of its time is its own, and what that of sends in it.

import { united } from "./sums.js";
import { CALL, RUN } from "./tree.js";

/**
 * Where a node lies on an axis from 0 to 1, and the parts of it, each with where it
 * begins and ends on the node and its kind: "self", "nested" or "gap".
 * @param {import("./tree.js").Tree} tree
 * @param {import("./tree.js").Node} node
 * @param {number} whole the axis's length
 */
export function barOf(tree, node, whole) {
    const length = Math.max(node.end - node.start, 1);
    const own = node.kind === CALL ? "self" : node.kind === RUN ? "gap" : "nested";
    const inside = own === "gap" ? "nested" : own === "self" ? "nested" : "self";
    /** @type {[number, number][]} */
    const intervals = [];
    if (own !== "nested") {
        for (let at = node.at + 1; at < node.after; at = tree.nodes[at].after) {
            const child = tree.nodes[at];
            for (const { start_ns, duration_ns } of child.sends) {
                intervals.push([start_ns, start_ns + (duration_ns ?? 0)]);
            }
            if (!child.sends.length) {
                intervals.push([child.start, Math.min(child.end, node.end)]);
            }
        }
    }
    /** @type {[number, number, string][]} */
    const parts = [];
    let reached = 0;
    for (const [start, end] of joined(united(intervals), length / FINEST)) {
        const from = Math.max((start - node.start) / length, reached);
        const to = Math.min((end - node.start) / length, 1);
        if (to > from) {
            parts.push([reached, from, own], [from, to, inside]);
            reached = to;
        }
    }
    parts.push([reached, 1, own]);
    return {
        start: node.start / whole,
        length: length / whole,
        parts: parts.filter(([from, to]) => to > from),
    };
}

const FINEST = 300;

/** What is nearer to each other than anybody sees becomes one. */
function joined(intervals, nearest) {
    const apart = [];
    for (const [start, end] of intervals) {
        const last = apart[apart.length - 1];
        if (last && start - last[1] < nearest) {
            last[1] = end;
        } else {
            apart.push([start, end]);
        }
    }
    return apart;
}

// Of what is shorter, three digits of a millisecond tell nothing.
const FINEST_NS = 1000;

/**
 * Round times for an axis: where they lie, in nanoseconds.
 * @param {number} whole
 * @param {number} most how many of them at most
 */
export function ticksOf(whole, most) {
    const rough = Math.max(whole / Math.max(most, 1), FINEST_NS);
    const ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((by) => by * ten).find((one) => one >= rough);
    const ticks = [];
    for (let at = 0; at < whole; at += step) {
        ticks.push(at);
    }
    return ticks;
}
