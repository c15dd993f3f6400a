// @ts-check
// What deserves attention, in sentences that lead to their rows.

import { button, giveFocus, make, nameOf } from "./dom.js";
import { labelOf } from "./labels.js";
import { sourceLine } from "./source.js";
import { CALL } from "./tree.js";

const MOST_SHOWN = 6;
const MOST_EVIDENCE = 4;

// What it is about didn't run, and so has no row.
const NEAR_MISS = "near-miss";

/** @param {import("./views.js").Views} views */
export function showFindings(views) {
    const { trace, words } = views;
    views.part("no-findings").hidden = trace.findings.length > 0 || !trace.sends.length;
    const list = views.part("findings");
    list.hidden = !trace.findings.length;
    const items = trace.findings.map((finding) => findingItem(views, finding));
    // Hints wait behind what matters more, which stands first.
    const grave = trace.findings.filter((finding) => finding.level !== "hint").length;
    const shown = Math.min(grave || items.length, MOST_SHOWN);
    list.append(...items.slice(0, shown));
    const others = items.slice(shown);
    if (others.length) {
        const label = words.say("more findings", { count: words.count(others.length) });
        const more = make("li", "st-more");
        const show = () => {
            more.replaceWith(...others);
            giveFocus(others[0]);
        };
        more.append(button(label, show, "st-link"));
        list.append(more);
    }
}

function findingItem(views, finding) {
    const { words } = views;
    const item = make("li", `st-finding st-${finding.level}`);
    const sign = { problem: "✗", warning: "!" }[finding.level] ?? "·";
    const heading = make("p", "");
    heading.append(
        make("strong", "st-level", `${sign} ${words.told(finding.level)}`),
        " ",
        nameOf(finding.message),
    );
    item.append(heading);
    const leads = evidenceOf(views, finding);
    if (finding.location) {
        const { file, line, function: name } = finding.location;
        leads.push(sourceLine(views, file, line, { function: name }));
    }
    if (finding.advice) {
        const what = make("summary", "", words.say("what to do"));
        leads.push(make("details", "st-advice", what, make("p", "", nameOf(finding.advice))));
    }
    item.append(make("div", "st-leads", ...leads));
    return item;
}

function evidenceOf(views, finding) {
    const { words, tree } = views;
    const nodes = finding.evidence.map((id) => tree.byId.get(id)).filter(Boolean);
    const buttons = nodes.map((node) => {
        const label = make("span", "", make("bdi", "", labelOf(node, words)));
        if (node.kind === CALL) {
            const time = words.time(node.part.duration_ns);
            label.append(" ", make("span", "st-quiet", time));
        }
        return button(label, () => views.goTo(node), "st-lead");
    });
    if (finding.id === NEAR_MISS && !buttons.length) {
        const label = words.say("column not called");
        buttons.push(button(label, () => views.tabs.show("not-called"), "st-lead"));
    }
    const others = buttons.slice(MOST_EVIDENCE);
    const leads = buttons.slice(0, MOST_EVIDENCE);
    if (others.length) {
        const label = words.say("more rows", { count: words.count(others.length) });
        const show = () => {
            more.replaceWith(...others);
            giveFocus(others[0]);
        };
        const more = button(label, show, "st-link");
        leads.push(more);
    }
    return leads;
}
