// @ts-check
// The views of one trace, wherever they stand: in the toolbar, or in a report.

import { copyText, offerText } from "./copying.js";
import { detailsOf } from "./details.js";
import { button, make, nameOf, tag } from "./dom.js";
import { isFiltering, keepFilter, keptFilter, noFilter } from "./filter.js";
import { showFindings } from "./findings.js";
import { notCalledTable, unreceivedTable } from "./lists.js";
import { figuresOf, sumsByApp, sumsByReceiver, sumsBySignal } from "./sums.js";
import { sumsTable } from "./tables.js";
import { Tabs } from "./tabs.js";
import { Timeline } from "./timeline.js";
import { Tree } from "./tree.js";
import { clipped, shortName } from "./text.js";
import { unpack } from "./unpacking.js";
import { Words } from "./words.js";

export class Views {
    /** @param {HTMLElement} root */
    constructor(root) {
        this.root = root;
        const given = JSON.parse(this._data("signal-trace-data"));
        this.settings = given.settings;
        this.words = new Words(given.words, given.settings.language);
        this.trace = unpack(given.trace);
        this.tree = new Tree(this.trace);
        this.figures = figuresOf(this.trace);
        this.filter = keptFilter();
        // Rows are drawn by the room that there is for them.
        root.querySelector(".st-view").removeAttribute("hidden");
        this._showHead();
        showFindings(this);
        this.details = this.part("details");
        this.timeline = new Timeline(this, (node) => this._showDetails(node));
        this._showEmpty();
        this._tabs();
        this._listenToFilter();
        this._applyFilter();
        this._exports();
    }

    /** @param {string} id */
    _data(id) {
        return this.root.querySelector(`[id="${id}"]`)?.textContent ?? "";
    }

    /**
     * A place of the page by its name.
     * @param {string} name
     * @returns {HTMLElement}
     */
    part(name) {
        return this.root.querySelector(`[data-part="${name}"]`);
    }

    /**
     * @param {string} name
     * @returns {HTMLInputElement}
     */
    input(name) {
        return /** @type {HTMLInputElement} */ (this.part(name));
    }

    /**
     * Shows a node's row in the timeline, whatever hides it.
     * @param {import("./tree.js").Node} node
     */
    goTo(node) {
        if (this.timeline.filtered && !this.timeline.filtered.leading[node.at]) {
            this._setFilter(noFilter());
        }
        this.tabs.show("timeline");
        this.timeline.goTo(node);
    }

    _showHead() {
        const { trace, words, figures } = this;
        this.part("name").append(nameOf(trace.name || trace.kind));
        const status = trace.attributes.status_code;
        if (status !== undefined && status !== null) {
            this.part("name").append(" ", tag(String(status)));
        }
        const share = trace.duration_ns ? figures.receiversNs / trace.duration_ns : 0;
        this._figure("calls", words.count(figures.calls));
        this._figure("in receivers", `${words.time(figures.receiversNs)} (${words.percent(share)})`);
        this._figure("in all", words.time(trace.duration_ns));
        this._figure("SQL", words.queries(figures.queries, figures.queriesNs) || words.count(0));
        if (figures.failures) {
            const failed = () => this._show({ ...noFilter(), failed: true });
            const label = `✗ ${words.count(figures.failures)}`;
            this._figure("failed", button(label, failed, "st-link st-failed"));
        }
        if (figures.missed) {
            const label = `✗ ${words.count(figures.missed)}`;
            const show = () => this.tabs.show("not-called");
            this._figure("column not called", button(label, show, "st-link st-failed"));
        }
        if (figures.slowest) {
            const node = () => this.tree.byId.get(figures.slowest.id);
            const name = nameOf(shortName(figures.slowest.receiver), "st-code");
            const go = button(name, () => this.goTo(node()), "st-link");
            this._figure("slowest", go, " ", words.time(figures.slowest.self_ns));
        }
        const { error } = trace;
        if (error) {
            const said = make("p", "st-failed", `✗ ${words.say("ended by")} `);
            said.append(nameOf(error.message ? `${error.type}: ${error.message.slice(0, 300)}` : error.type));
            this.part("notes").append(said);
        }
        const omitted = figures.sends - trace.sends.length;
        if (omitted) {
            const said = words.say("omitted", {
                kept: words.count(trace.sends.length),
                count: words.count(omitted),
            });
            this.part("notes").append(make("p", "", said));
        }
    }

    _figure(label, ...content) {
        const dd = make("dd", "", ...content);
        this.part("figures").append(make("div", "", make("dt", "", this.words.say(label)), dd));
    }

    _showEmpty() {
        const nothing = !this.trace.sends.length;
        this.part("nothing").hidden = !nothing;
        this.part("heard").hidden = nothing;
        const { method, status_code } = this.trace.attributes;
        this.part("redirect-advice").hidden = !(
            this.settings.in_toolbar &&
            method === "GET" &&
            status_code === 200 &&
            !this.figures.sends
        );
    }

    _tabs() {
        const { words, trace } = this;
        const show = (by) => (name) => this._show({ ...noFilter(), only: { by, name } });
        const sums = {
            receiver: sumsByReceiver(trace),
            signal: sumsBySignal(trace),
            app: sumsByApp(trace),
        };
        const table = (by) => () => {
            const counted = by === "signal" ? "column sends" : "column calls";
            const about = { caption: words.say(`by ${by}`), by: `column ${by}`, counted };
            return sumsTable(words, about, sums[by], show(by));
        };
        const contents = {
            receivers: table("receiver"),
            signals: table("signal"),
            apps: table("app"),
            "not-called": () => notCalledTable(this),
            unreceived: () => unreceivedTable(this),
        };
        const counts = {
            receivers: sums.receiver.length,
            signals: sums.signal.length,
            apps: sums.app.length,
            "not-called": trace.not_called.length,
            unreceived: trace.unreceived.reduce((sum, one) => sum + one.count, 0),
        };
        for (const [name, count] of Object.entries(counts)) {
            const tab = this.root.querySelector(`[data-tab="${name}"]`);
            tab.append(" ", make("span", "st-count", words.count(count)));
            this.part(`${name}-none`).hidden = count > 0;
        }
        const made = new Set();
        this.tabs = new Tabs(
            this.root.querySelector("[role=tablist]"),
            (name) => this.part(`${name}-panel`),
            (name) => {
                if (!made.has(name) && counts[name]) {
                    made.add(name);
                    this.part(`${name}-panel`).append(contents[name]());
                }
            },
        );
        this.tabs.show("timeline");
    }

    _show(filter) {
        this._setFilter(filter);
        this.tabs.show("timeline");
        this.timeline.focus();
    }

    _setFilter(filter) {
        this.filter = filter;
        this._applyFilter();
    }

    _listenToFilter() {
        const form = this.part("filter");
        form.addEventListener("submit", (event) => event.preventDefault());
        // Letters typed here are no shortcuts of the page that the toolbar stands on.
        form.addEventListener("keydown", (event) => {
            if (event.key !== "Escape") {
                event.stopPropagation();
            } else if (isFiltering(this.filter)) {
                event.stopPropagation();
                this._setFilter(noFilter());
            }
        });
        form.addEventListener("input", () => {
            this.filter = {
                ...this.filter,
                text: this.input("filter-text").value,
                failed: this.input("filter-failed").checked,
                slower: Math.max(Number(this.input("filter-slower").value) || 0, 0),
            };
            this._applyFilter(true);
        });
        this.part("clear").addEventListener("click", () => {
            this._setFilter(noFilter());
            this.input("filter-text").focus();
        });
        this.part("only").addEventListener("click", () => {
            this._setFilter({ ...this.filter, only: null });
            this.input("filter-text").focus();
        });
        this.part("unfold").addEventListener("click", () => this.timeline.setAll(true));
        this.part("fold").addEventListener("click", () => this.timeline.setAll(false));
        this.part("close").addEventListener("click", () => this._leaveDetails());
        // In the timeline, too: there the focus stays when a row is opened.
        this.part("split").addEventListener("keydown", (event) => {
            if (event.key === "Escape" && !this.details.hidden) {
                event.stopPropagation();
                this._leaveDetails();
            }
        });
    }

    _applyFilter(typed = false) {
        const { filter, words } = this;
        if (!typed) {
            this.input("filter-text").value = filter.text;
            this.input("filter-failed").checked = filter.failed;
            this.input("filter-slower").value = filter.slower ? String(filter.slower) : "";
        }
        const only = this.part("only");
        only.hidden = !filter.only;
        if (filter.only) {
            const name = clipped(shortName(filter.only.name), 150);
            const said = words.say(`only ${filter.only.by}`, { name });
            only.replaceChildren(nameOf(said), " ✕");
            only.setAttribute("aria-label", words.say("drop", { filter: said }));
        }
        keepFilter(filter);
        const found = this.timeline.filter(filter);
        this.part("clear").hidden = found === null;
        this.part("found").textContent =
            found === null ? "" : words.say("found", { count: words.count(found) });
        this.part("none-found").hidden = found !== 0;
        if (this.timeline.hidesShown()) {
            this._closeDetails();
        }
    }

    _showDetails(node) {
        this.part("facts").replaceChildren(detailsOf(this, node));
        this.details.hidden = false;
        this.part("facts").scrollTop = 0;
        this.part("split").classList.add("st-with-details");
    }

    _closeDetails() {
        this.details.hidden = true;
        this.part("split").classList.remove("st-with-details");
        this.timeline.close();
    }

    _leaveDetails() {
        this._closeDetails();
        this.part("tree").focus({ preventScroll: true });
    }

    _exports() {
        const menu = this.part("exports");
        if (!menu) {
            return;
        }
        menu.addEventListener("keydown", (event) => {
            if (event.key === "Escape" && menu.hasAttribute("open")) {
                event.stopPropagation();
                menu.removeAttribute("open");
                menu.querySelector("summary").focus();
            }
        });
        this.part("copy-text").addEventListener("click", () => this._copyText());
    }

    async _copyText() {
        const { words } = this;
        const status = this.part("copy-status");
        // A report has it, for those without scripts.
        let text = document.querySelector(".st-report-text")?.textContent;
        if (!text) {
            try {
                const answer = await fetch(this.settings.text_url, { credentials: "same-origin" });
                text = await answer.text();
                if (!answer.ok) {
                    status.textContent = answer.headers.get("Content-Type")?.startsWith("text/plain")
                        ? text
                        : words.say("not to be had");
                    return;
                }
            } catch {
                status.textContent = words.say("not to be had");
                return;
            }
        }
        if (await copyText(text)) {
            status.textContent = words.say("copied");
            setTimeout(() => status.replaceChildren(), 3000);
        } else {
            offerText(status, text, words.say("copy it yourself"));
        }
    }
}
