import assert from "node:assert/strict";
import test from "node:test";

import { barOf, ticksOf } from "./bars.js";
import { Folds, foundNodes, isFiltering, noFilter, visibleRows } from "./filter.js";
import { MISSED, RUN, sumOfRun, Tree } from "./tree.js";

const MS = 1e6;
const NO_SQL = { count: 0, duration_ns: 0, nested_count: 0, nested_ns: 0, writes: 0 };

function call(id, receiver, start, length, more = {}) {
    return {
        id,
        receiver,
        app: receiver.split(".")[0],
        file: null,
        line: null,
        start_ns: start * MS,
        duration_ns: length === null ? null : length * MS,
        self_ns: length === null ? null : length * MS,
        is_async: false,
        error: null,
        outcome: "returned",
        queries: NO_SQL,
        ...more,
    };
}

function send(id, signal, parent, start, length, calls, more = {}) {
    return {
        id,
        signal,
        sender: "shop.Order",
        method: "send",
        parent,
        start_ns: start * MS,
        duration_ns: length * MS,
        calls,
        error: null,
        call_site: null,
        arguments: {},
        queries: NO_SQL,
        transaction: null,
        on_commit: false,
        ...more,
    };
}

const FAILED = { error: { type: "E", message: null, frames: [] }, outcome: "swallowed" };
const SENDS = [
    send(1, "m.saved", null, 0, 50, [
        call(2, "shop.announce", 0, 30),
        call(3, "mail.tell", 30, 20, FAILED),
    ]),
    send(4, "m.placed", 2, 10, 10, [call(5, "stock.take", 10, 10)]),
    send(6, "m.ticked", null, 60, 1, [call(7, "clock.tick", 60, 1)]),
    send(8, "m.ticked", null, 70, 2, [call(9, "clock.tick", 70, 2)]),
    send(10, "m.ticked", null, 80, 4, [call(11, "clock.tick", 80, 4)]),
];
const TRACE = {
    duration_ns: 100 * MS,
    sends: SENDS,
    not_called: [{ send: 1, receiver: "search.index", reason: "earlier receiver raised" }],
    findings: [{ id: "f", evidence: [5, 9, 999] }],
};

function names(rows) {
    return rows.map(({ node }) =>
        node.kind === RUN ? `run of ${node.sends.length}` : (node.part.receiver ?? node.part.signal),
    );
}

function treeOf(changes = {}) {
    return new Tree({ ...TRACE, findings: [], ...changes });
}

const ALL = ["m.saved", "shop.announce", "m.placed", "stock.take", "mail.tell", "search.index"];

test("everything is unfolded at first, but runs", () => {
    const rows = visibleRows(treeOf().nodes, new Folds(), null);
    assert.deepEqual(names(rows), [...ALL, "run of 3"]);
    assert.deepEqual(rows.map((row) => row.open), [true, true, true, null, null, null, false]);
    assert.deepEqual(rows.map((row) => row.node.depth), [0, 1, 2, 3, 1, 1, 0]);
    assert.deepEqual(rows.map((row) => row.place), [1, 1, 1, 1, 2, 3, 2]);
    assert.deepEqual(rows.map((row) => row.siblings), [2, 3, 1, 1, 3, 3, 2]);
});

test("what is folded hides what is in it", () => {
    const { nodes } = treeOf();
    const folds = new Folds();
    folds.set(nodes[1], false);
    folds.set(nodes[6], true);
    assert.deepEqual(names(visibleRows(nodes, folds, null)), [
        ...["m.saved", "shop.announce", "mail.tell", "search.index", "run of 3"],
        ...["m.ticked", "clock.tick", "m.ticked", "clock.tick", "m.ticked", "clock.tick"],
    ]);
    folds.setAll(nodes, false);
    assert.deepEqual(names(visibleRows(nodes, folds, null)), ["m.saved", "run of 3"]);
    folds.setAll(nodes, true);
    assert.equal(visibleRows(nodes, folds, null).length, nodes.length);
});

function found(filter) {
    const { nodes } = treeOf();
    const filtered = foundNodes(nodes, { ...noFilter(), ...filter });
    return [names(visibleRows(nodes, new Folds(), filtered)), filtered.count];
}

for (const [title, filter, expected, count] of [
    ["a receiver, below what leads to it", { text: "TAKE" }, ALL.slice(0, 4), 1],
    ["a signal, with its receivers", { text: "saved" }, [ALL[0], ALL[1], ALL[4], ALL[5]], 4],
    ["an app", { only: { by: "app", name: "mail" } }, [ALL[0], ALL[4]], 1],
    ["an app and not one that is called alike", { only: { by: "app", name: "mai" } }, [], 0],
    ["one receiver in a run", { only: { by: "receiver", name: "clock.tick" } }, ["run of 3"], 3],
    ["one signal", { only: { by: "signal", name: "m.placed" } }, ALL.slice(0, 4), 2],
    ["what failed or never ran", { failed: true }, [ALL[0], ALL[4], ALL[5]], 2],
    ["what was slow", { slower: 20 }, [ALL[0], ALL[1], ALL[4]], 3],
    ["what was slow in a run", { slower: 3.5, text: "tick" }, ["run of 3"], 2],
    ["nothing", { text: "nowhere" }, [], 0],
]) {
    test(`the filter finds ${title}`, () => {
        assert.deepEqual(found(filter), [expected, count]);
    });
}

test("a filter is one as soon as it asks for anything", () => {
    assert.equal(isFiltering(noFilter()), false);
    assert.equal(isFiltering({ ...noFilter(), slower: 1 }), true);
});

test("findings are those of a row, and a run has those of what is in it", () => {
    const tree = new Tree(TRACE);
    const marked = tree.nodes.filter((node) => tree.findingsOf(node).length);
    assert.deepEqual(marked.map((node) => node.part.id), [5, 9]);
    const every = SENDS.slice(2).map((one) => one.id);
    const all = new Tree({ ...TRACE, findings: [{ id: "f", evidence: every }] });
    const run = all.nodes.find((node) => node.kind === RUN);
    assert.equal(all.findingsOf(run).length, 1);
    assert.equal(all.findingsOf(all.nodes.find((node) => node.kind === MISSED)).length, 0);
});

test("a run adds up", () => {
    const run = treeOf().nodes.find((node) => node.kind === RUN);
    assert.deepEqual(sumOfRun(run), { count: 3, total: 7 * MS, least: MS, most: 4 * MS });
});

test("a bar is true to scale, its own time apart from what is nested in it", () => {
    const tree = treeOf();
    const bar = barOf(tree, tree.byId.get(2), 100 * MS);
    assert.deepEqual([bar.start, bar.length], [0, 0.3]);
    const parts = bar.parts.map(([from, to, kind]) => [from.toFixed(3), to.toFixed(3), kind]);
    assert.deepEqual(parts, [
        ["0.000", "0.333", "self"],
        ["0.333", "0.667", "nested"],
        ["0.667", "1.000", "self"],
    ]);
    const run = tree.nodes.find((node) => node.kind === RUN);
    const kinds = barOf(tree, run, 100 * MS).parts.map((part) => part[2]);
    assert.deepEqual(kinds, ["nested", "gap", "nested", "gap", "nested"]);
});

test("what never finished reaches to the end of the trace", () => {
    const calls = [call(2, "a.b", 10, null)];
    const tree = treeOf({ sends: [send(1, "m.s", null, 0, 100, calls)], not_called: [] });
    assert.equal(tree.byId.get(2).end, 100 * MS);
});

test("an axis has few and round times", () => {
    assert.deepEqual(ticksOf(100 * MS, 4), [0, 50 * MS]);
    assert.deepEqual(ticksOf(320 * MS, 5), [0, 100 * MS, 200 * MS, 300 * MS]);
    assert.deepEqual(ticksOf(1, 1), [0]);
    assert.deepEqual(ticksOf(1, 9), [0]);
    assert.deepEqual(ticksOf(2500, 9), [0, 1000, 2000]);
});

test("a trace of receivers that nest deeper than functions may is a tree", () => {
    const sends = [];
    for (let i = 0; i < 20_000; i += 1) {
        const parent = i ? 2 * i : null;
        sends.push(send(2 * i + 1, `m.${i}`, parent, 0, 1, [call(2 * i + 2, "a.b", 0, 1)]));
    }
    const { nodes } = treeOf({ sends, not_called: [] });
    assert.equal(nodes.length, 40_000);
    assert.equal(nodes.at(-1).depth, 39_999);
});

test("a run may be longer than the arguments of a function", () => {
    const sends = Array.from({ length: 200_000 }, (_, i) => send(i + 1, "m.ticked", null, i, 1, []));
    const tree = treeOf({ sends, not_called: [], duration_ns: sends.length * MS });
    assert.equal(tree.nodes.length, 200_001);
});
