// @ts-check
// All that is known of one row.

import { button, longText, make, nameOf, tag } from "./dom.js";
import { labelOf, marksOf, queriesOf } from "./labels.js";
import { sourceLine } from "./source.js";
import { senderOf, valueText } from "./text.js";
import { CALL, MISSED, RUN, SEND, sumOfRun } from "./tree.js";

/**
 * @param {import("./views.js").Views} views
 * @param {import("./tree.js").Node} node
 */
export function detailsOf(views, node) {
    const { words, tree } = views;
    const facts = new Facts(views);
    const { part, kind } = node;
    const title = make("h5", "st-details-title");
    title.append(
        kind === CALL || kind === MISSED
            ? nameOf(part.receiver, "st-code")
            : nameOf(part.signal, "st-code"),
    );
    const marks = make("p", "st-marks");
    for (const [text, level] of marksOf(tree, node, words)) {
        marks.append(tag(text, level), " ");
    }
    for (const finding of tree.findingsOf(node)) {
        facts.add(finding.title, nameOf(finding.message), make("p", "st-quiet", nameOf(finding.advice)));
    }
    if (kind === MISSED) {
        aboutMissed(facts, node);
    } else if (kind === CALL) {
        aboutCall(facts, node);
    } else {
        aboutSends(facts, node);
    }
    return make("div", "st-facts", title, marks, facts.list);
}

class Facts {
    /** @param {import("./views.js").Views} views */
    constructor(views) {
        this.views = views;
        this.words = views.words;
        this.list = make("dl");
    }

    /**
     * @param {string} label
     * @param {(Node | string)[]} content
     */
    add(label, ...content) {
        this.list.append(make("dt", "", label), make("dd", "", ...content));
    }

    /** A fact with a label of ours. */
    say(label, ...content) {
        this.add(this.words.say(label), ...content);
    }

    /** What leads to another row. */
    link(id) {
        const node = this.views.tree.byId.get(id);
        return node
            ? button(labelOf(node, this.words), () => this.views.goTo(node), "st-link")
            : "";
    }

    queries(node) {
        const { words } = this;
        const { count, ns, nested, nestedNs } = queriesOf(node);
        if (!count && !nested) {
            return;
        }
        const said = [];
        if (count) {
            const writes =
                node.kind === RUN
                    ? node.sends.reduce((sum, one) => sum + one.queries.writes, 0)
                    : node.part.queries.writes;
            said.push(words.queries(count, ns));
            if (writes) {
                said.push(words.say("writing", { count: words.count(writes) }));
            }
        }
        if (nested) {
            said.push(words.say("inside", { queries: words.queries(nested, nestedNs) }));
        }
        this.say("SQL", said.join(", "));
        const repeated = node.kind === CALL && node.part.queries.repeated;
        if (repeated) {
            this.add(
                words.say(repeated.count > 1 ? "repeated most" : "statement", {
                    count: words.count(repeated.count),
                }),
                longText(repeated.sql, words, "st-block"),
            );
        }
    }

    /** An exception, with the lines that it came through. */
    error(error) {
        const content = [make("strong", "st-failed", nameOf(error.type))];
        if (error.message) {
            content.push(longText(error.message, this.words, "st-message"));
        }
        content.push(this.frames(error.frames));
        this.say("exception", ...content);
    }

    frames(frames) {
        const lines = make("ol", "st-frames");
        for (const { file, line, function: name } of frames) {
            lines.append(
                make("li", "", sourceLine(this.views, file, line, { function: name })),
            );
        }
        return lines;
    }
}

/** @param {Facts} facts */
function aboutMissed(facts, { part }) {
    facts.say("why", facts.words.told(part.reason));
    facts.say("source", sourceLine(facts.views, part.file, part.line, part));
    facts.say("send", facts.link(part.send));
}

/** @param {Facts} facts */
function aboutCall(facts, node) {
    const { words, views } = facts;
    const { part } = node;
    const outcome = words.told(part.outcome);
    if (part.error) {
        facts.error(part.error);
    }
    facts.say("source", sourceLine(views, part.file, part.line, part));
    facts.say("time", ...timesOf(node, words));
    facts.say("ended", outcome);
    facts.queries(node);
    const { connection } = part;
    if (connection) {
        const said = [
            connection.sender
                ? words.say("for sender", { sender: connection.sender })
                : words.say("for any sender"),
            words.say(connection.weak ? "weakly" : "strongly"),
            words.say("place", { place: words.count(connection.place) }),
        ];
        if (connection.dispatch_uid !== null) {
            said.push(`dispatch_uid=${connection.dispatch_uid}`);
        }
        facts.say("connected", nameOf(said.join(", ")));
    } else {
        facts.say("connected", words.say("not any more"));
    }
    facts.say("app", nameOf(part.app));
    facts.say("send", facts.link(node.send.id));
    const events = views.trace.events.filter((event) => event.call === part.id);
    for (const event of events) {
        /** @type {(Node | string)[]} */
        const content = [nameOf(event.subject, "st-code")];
        if (event.count > 1) {
            content.push(" ", words.say("times", { count: words.count(event.count) }));
        }
        if (event.call_site) {
            const { file, line, function: name } = event.call_site;
            content.push(make("br"), sourceLine(views, file, line, { function: name }));
        }
        facts.add(words.told(`event ${event.kind}`), ...content);
    }
}

/** @param {Facts} facts */
function aboutSends(facts, node) {
    const { words, views } = facts;
    const { part, kind } = node;
    if (part.error) {
        facts.error(part.error);
    }
    if (part.call_site) {
        const { file, line, function: name } = part.call_site;
        facts.say("sent at", sourceLine(views, file, line, { function: name }));
    }
    facts.say("sender", nameOf(kind === SEND ? senderOf(part) : part.sender));
    facts.say("method", make("code", "", part.method));
    if (kind === RUN) {
        const { count, total, least, most } = sumOfRun(node);
        facts.say("sends", words.count(count));
        facts.say(
            "time",
            words.say("total", { time: words.time(total) }),
            ", ",
            words.say("from to", { least: words.time(least), most: words.time(most) }),
        );
        facts.say("receivers", receiversOf(node, words));
    } else {
        facts.say("time", ...timesOf(node, words));
    }
    facts.queries(node);
    const given = Object.entries(argumentsOf(node));
    if (given.length) {
        const list = make("ul", "st-arguments");
        for (const [name, value] of given) {
            list.append(make("li", "st-code", longText(`${name}=${valueText(value)}`, words)));
        }
        facts.say("arguments", list);
    }
    if (part.transaction) {
        facts.say("transaction", words.told(part.transaction));
    }
    if (part.on_commit) {
        facts.say("sent by", words.say("on_commit callback"));
    }
    if (kind === SEND && part.parent !== null) {
        facts.say("sent from", facts.link(part.parent));
    }
    if (part.stack.length) {
        facts.say("stack", facts.frames(part.stack));
    }
}

function timesOf(node, words) {
    const { part } = node;
    const said = [words.say("total", { time: words.time(part.duration_ns) })];
    if (node.kind === CALL) {
        said.push(words.say("self", { time: words.time(part.self_ns) }));
        if (part.suspended_ns) {
            said.push(words.say("waiting", { time: words.time(part.suspended_ns) }));
        }
    }
    said.push(words.say("starts at", { time: words.time(node.start) }));
    return [said.join(", ")];
}

/** A send's arguments; of a run those that are the same for all. */
function argumentsOf({ kind, part, sends }) {
    if (kind === SEND) {
        return part.arguments;
    }
    const same = {};
    for (const [name, value] of Object.entries(part.arguments)) {
        const text = JSON.stringify(value);
        if (sends.every((one) => JSON.stringify(one.arguments[name]) === text)) {
            same[name] = value;
        }
    }
    return same;
}

/** What the calls of each receiver in a run add up to. */
function receiversOf(run, words) {
    const sums = new Map();
    for (const send of run.sends) {
        for (const call of send.calls) {
            const sum = sums.get(call.receiver) ?? { count: 0, total: 0, own: 0, most: 0 };
            sum.count += 1;
            sum.total += call.duration_ns;
            sum.own += call.self_ns;
            sum.most = Math.max(sum.most, call.duration_ns);
            sums.set(call.receiver, sum);
        }
    }
    const list = make("ul", "st-arguments");
    for (const [receiver, { count, total, own, most }] of sums) {
        const said = words.say("sum of calls", {
            count: words.count(count),
            total: words.time(total),
            own: words.time(own),
            most: words.time(most),
        });
        list.append(make("li", "", nameOf(receiver, "st-code"), " ", said));
    }
    return list;
}
