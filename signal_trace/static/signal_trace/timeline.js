// @ts-check
// The tree as rows on a time axis. Only the rows on the screen are in the page.

import { barOf, ticksOf } from "./bars.js";
import { make, nameOf, tag, unseen } from "./dom.js";
import { foundNodes, Folds, isFiltering, visibleRows } from "./filter.js";
import { figuresLine, marksOf, queriesOf } from "./labels.js";
import { clipped, printable, senderOf, shortName, signalName } from "./text.js";
import { CALL, MISSED, RUN, sumOfRun } from "./tree.js";

const SPARE_ROWS = 8;
const MOST_ROWS = 300;
const LONGEST_TITLE = 300;
const INDENT_PX = 14;

export class Timeline {
    /**
     * @param {import("./views.js").Views} views
     * @param {(node: import("./tree.js").Node) => void} opened
     */
    constructor(views, opened) {
        this.views = views;
        this.words = views.words;
        this.tree = views.tree;
        this.opened = opened;
        this.whole = Math.max(
            views.trace.duration_ns,
            1,
            this.tree.nodes.reduce((most, node) => Math.max(most, node.end), 0),
        );
        this.scroller = views.part("scroller");
        this.canvas = views.part("tree");
        this.axis = views.part("axis");
        this.line = views.part("line");
        this.folds = new Folds();
        /** @type {ReturnType<typeof foundNodes> | null} */
        this.filtered = null;
        /** @type {import("./filter.js").Row[]} */
        this.rows = [];
        /** The row that keys act on. */
        this.active = 0;
        /** @type {import("./tree.js").Node | null} */
        this.shown = null;
        /** @type {Map<number, HTMLElement>} */
        this.drawn = new Map();
        this.rowHeight = 26;
        this.size = "";
        this._listen();
    }

    /** @param {import("./filter.js").Filter} filter */
    filter(filter) {
        const active = this.rows[this.active]?.node;
        this.folds = new Folds();
        this.filtered = isFiltering(filter) ? foundNodes(this.tree.nodes, filter) : null;
        this.refresh(active);
        return this.filtered ? this.filtered.count : null;
    }

    /**
     * Folds or unfolds everything.
     * @param {boolean} open
     */
    setAll(open) {
        const active = this.rows[this.active]?.node;
        this.folds.setAll(this.tree.nodes, open);
        this.refresh(active);
    }

    /**
     * Draws all rows anew; `active` stays the active one, or what is nearest to it.
     * @param {import("./tree.js").Node | undefined} active
     */
    refresh(active) {
        this.rows = visibleRows(this.tree.nodes, this.folds, this.filtered);
        this.active = 0;
        if (active) {
            const behind = this.rows.findIndex(({ node }) => node.at > active.at);
            this.active = Math.max((behind < 0 ? this.rows.length : behind) - 1, 0);
        }
        this.layOut();
    }

    _size() {
        return `${this.scroller.clientWidth} ${this.scroller.clientHeight}`;
    }

    /** Measures, and draws what is on the screen. */
    layOut() {
        const height = parseFloat(getComputedStyle(this.canvas).getPropertyValue("--st-row"));
        this.rowHeight = height || this.rowHeight;
        this.canvas.style.height = `${this.rows.length * this.rowHeight}px`;
        this.canvas.replaceChildren();
        this.drawn.clear();
        this._drawAxis();
        this.size = this._size();
        this.draw();
    }

    draw() {
        const { scrollTop, clientHeight } = this.scroller;
        const from = Math.max(Math.floor(scrollTop / this.rowHeight) - SPARE_ROWS, 0);
        const to = Math.min(
            Math.ceil((scrollTop + clientHeight) / this.rowHeight) + SPARE_ROWS,
            from + MOST_ROWS,
            this.rows.length,
        );
        const wanted = new Set();
        for (let at = from; at < to; at += 1) {
            wanted.add(at);
        }
        // The active row is there wherever it is, for those who can't see where.
        if (this.rows.length) {
            wanted.add(this.active);
        }
        for (const [at, element] of this.drawn) {
            if (!wanted.has(at)) {
                element.remove();
                this.drawn.delete(at);
            }
        }
        const fresh = document.createDocumentFragment();
        for (const at of wanted) {
            if (!this.drawn.has(at)) {
                const element = this._row(at);
                this.drawn.set(at, element);
                fresh.append(element);
            }
        }
        this.canvas.append(fresh);
        this._mark();
    }

    /**
     * Shows a node's row wherever it is, and its facts.
     * @param {import("./tree.js").Node} node
     */
    goTo(node) {
        for (let above = node.parent; above; above = above.parent) {
            this.folds.set(above, true);
        }
        this.refresh(node);
        this._see(true);
        this._open(node);
        this.canvas.focus({ preventScroll: true });
        this.scroller.scrollIntoView({ block: "nearest" });
    }

    /** Keys act on the rows from now on, and the active one is to be seen. */
    focus() {
        this._see(false);
        this.canvas.focus({ preventScroll: true });
    }

    /** No row's facts are shown any more. */
    close() {
        this.shown = null;
        this._mark();
    }

    /** Whether the filter leaves out the row whose facts are shown. */
    hidesShown() {
        return this.shown !== null && this.filtered !== null && !this.filtered.leading[this.shown.at];
    }

    _listen() {
        let waiting = false;
        this.scroller.addEventListener("scroll", () => {
            if (!waiting) {
                waiting = true;
                requestAnimationFrame(() => {
                    waiting = false;
                    this.draw();
                });
            }
        });
        // Hidden rows have no size: they are drawn once they are shown.
        this.observer = new ResizeObserver(() => {
            if (this.size !== this._size()) {
                this.layOut();
            }
        });
        this.observer.observe(this.scroller);
        this.canvas.addEventListener("keydown", (event) => this._key(event));
        this.canvas.addEventListener("focus", () => {
            // Under a mouse the rows stay, or it would press another than it points at.
            if (this.canvas.matches(":focus-visible")) {
                this._see(false);
            }
        });
        this.canvas.addEventListener("click", (event) => this._click(event));
        this.canvas.addEventListener("mouseover", (event) => {
            const at = this._rowAt(event);
            if (at !== null) {
                this._tell(at);
            }
        });
        this.canvas.addEventListener("mouseleave", () => this._tell(this.active));
    }

    /** @param {Event} event */
    _rowAt(event) {
        const target = /** @type {Element} */ (event.target);
        const row = target.closest?.("[data-row]");
        return row instanceof HTMLElement ? Number(row.dataset.row) : null;
    }

    /** @param {MouseEvent} event */
    _click(event) {
        const at = this._rowAt(event);
        if (at === null) {
            return;
        }
        this.active = at;
        const { node, open } = this.rows[at];
        const target = /** @type {Element} */ (event.target);
        if (open !== null && target.closest(".st-twisty")) {
            this._fold(node, !open);
        } else {
            this._open(node);
        }
    }

    /** @param {KeyboardEvent} event */
    _key(event) {
        if (event.altKey || event.ctrlKey || event.metaKey || !this.rows.length) {
            return;
        }
        const { node, open } = this.rows[this.active];
        const page = Math.max(Math.floor(this.scroller.clientHeight / this.rowHeight) - 1, 1);
        const last = this.rows.length - 1;
        const move = {
            ArrowDown: this.active + 1,
            ArrowUp: this.active - 1,
            PageDown: this.active + page,
            PageUp: this.active - page,
            Home: 0,
            End: last,
        }[event.key];
        if (move !== undefined) {
            this.active = Math.min(Math.max(move, 0), last);
            this._see(false);
        } else if (event.key === "ArrowRight" && open === false) {
            this._fold(node, true);
        } else if (event.key === "ArrowRight" && open) {
            this.active += 1;
            this._see(false);
        } else if (event.key === "ArrowLeft" && open) {
            this._fold(node, false);
        } else if (event.key === "ArrowLeft" && node.parent) {
            this.active = this.rows.findIndex((row) => row.node === node.parent);
            this._see(false);
        } else if (event.key === "Enter" || event.key === " ") {
            this._open(node);
        } else if (!event.key.startsWith("Arrow")) {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }

    /** Scrolls to the active row. */
    _see(middle) {
        const top = this.active * this.rowHeight;
        const { scrollTop, clientHeight } = this.scroller;
        if (middle) {
            this.scroller.scrollTop = top - clientHeight / 2;
        } else if (top < scrollTop) {
            this.scroller.scrollTop = top;
        } else if (top + this.rowHeight > scrollTop + clientHeight) {
            this.scroller.scrollTop = top + this.rowHeight - clientHeight;
        }
        this.draw();
        this._tell(this.active);
    }

    _fold(node, open) {
        this.folds.set(node, open);
        this.refresh(node);
        this._tell(this.active);
    }

    _open(node) {
        this.shown = node;
        this._mark();
        this._tell(this.active);
        this.opened(node);
    }

    /** Says which row is active, and which one's facts are shown. */
    _mark() {
        for (const [at, element] of this.drawn) {
            element.classList.toggle("st-active", at === this.active);
            element.setAttribute("aria-selected", String(this.rows[at].node === this.shown));
        }
        const active = this.drawn.get(this.active);
        if (active) {
            this.canvas.setAttribute("aria-activedescendant", active.id);
        } else {
            this.canvas.removeAttribute("aria-activedescendant");
        }
    }

    /** The exact figures of a row, in the line below. */
    _tell(at) {
        const row = this.rows[at];
        this.line.replaceChildren();
        if (row) {
            const { node } = row;
            const name = node.kind === CALL || node.kind === MISSED ? node.part.receiver : node.part.signal;
            this.line.append(nameOf(name), " ", figuresLine(node, this.words));
        }
    }

    _drawAxis() {
        // The heading has no scrollbar, and its columns are to be those of the rows.
        const bar = this.scroller.offsetWidth - this.scroller.clientWidth;
        this.axis.parentElement.style.borderInlineEnd = `${bar}px solid transparent`;
        const room = this.axis.clientWidth;
        this.axis.replaceChildren();
        for (const at of ticksOf(this.whole, Math.max(Math.floor(room / 56), 1))) {
            if (at && (at / this.whole) * room > room - 40) {
                break;
            }
            const tick = make("span", "st-tick", this.words.roundTime(at));
            tick.style.left = `${(at / this.whole) * 100}%`;
            this.axis.append(tick);
        }
    }

    /** @param {number} at */
    _row(at) {
        const row = this.rows[at];
        const { node } = row;
        const element = make("div", `st-row st-row-${node.kind}`);
        element.id = `signal-trace-row-${node.at}`;
        element.dataset.row = String(at);
        element.style.top = `${at * this.rowHeight}px`;
        element.setAttribute("role", "treeitem");
        element.setAttribute("aria-level", String(node.depth + 1));
        element.setAttribute("aria-posinset", String(row.place));
        element.setAttribute("aria-setsize", String(row.siblings));
        if (row.open !== null) {
            element.setAttribute("aria-expanded", String(row.open));
        }
        element.classList.toggle("st-aside", !row.found);
        element.append(
            this._nameCell(row),
            ...this._figureCells(node),
            this._barCell(node),
            unseen(figuresLine(node, this.words)),
        );
        return element;
    }

    /** @param {import("./filter.js").Row} row */
    _nameCell({ node, open }) {
        const cell = make("div", "st-cell-name");
        cell.style.paddingInlineStart = `min(${node.depth * INDENT_PX}px, 40%)`;
        const twisty = make("span", open === null ? "st-twisty st-leaf" : "st-twisty");
        twisty.setAttribute("aria-hidden", "true");
        cell.append(twisty, this._name(node));
        if (node.kind === RUN) {
            const count = this.words.count(node.sends.length);
            cell.append(make("strong", "st-times", this.words.say("times", { count })));
        }
        const marks = marksOf(this.tree, node, this.words).map(([text, level]) => {
            const sign = { problem: "✗ ", warning: "! " }[level] ?? "";
            return tag(sign + text, level);
        });
        if (marks.length) {
            cell.append(make("span", "st-row-marks", ...marks));
        }
        return cell;
    }

    _name(node) {
        const { part, kind } = node;
        const name = make("bdi", "st-name");
        if (kind === CALL || kind === MISSED) {
            name.className = "st-name st-code st-path";
            name.title = printable(clipped(part.receiver, LONGEST_TITLE));
            // Where there is little room, what it is in goes first.
            const short = printable(clipped(shortName(part.receiver), LONGEST_TITLE));
            const from = short.lastIndexOf(".") + 1;
            name.append(make("span", "", short.slice(0, from)), make("span", "", short.slice(from)));
            return name;
        }
        name.title = printable(clipped(`${part.signal}, ${senderOf(part)}`, LONGEST_TITLE));
        const from = kind === RUN ? part.sender : senderOf(part);
        const sender = printable(clipped(from, LONGEST_TITLE));
        const signal = printable(clipped(signalName(part.signal), LONGEST_TITLE));
        name.append(make("strong", "", signal), " ");
        name.append(make("span", "st-quiet", this.words.say("from sender", { sender })));
        return name;
    }

    _figureCells(node) {
        const { kind, part } = node;
        const total = kind === MISSED ? "" : this.words.time(kind === RUN ? sumOfRun(node).total : part.duration_ns);
        const own = kind === CALL ? this.words.time(part.self_ns) : "";
        const { count, nested } = queriesOf(node);
        const sql = count || nested ? this.words.count(count + nested) : "";
        return [
            make("div", "st-cell-total", total),
            make("div", "st-cell-self", own),
            make("div", "st-cell-sql", sql),
        ];
    }

    _barCell(node) {
        const cell = make("div", "st-cell-bar");
        if (node.kind === MISSED) {
            return cell;
        }
        const { start, length, parts } = barOf(this.tree, node, this.whole);
        const bar = make("div", "st-bar");
        bar.style.left = `${start * 100}%`;
        bar.style.width = `${length * 100}%`;
        const stops = parts.map(
            ([from, to, kind]) => `var(--st-${kind}) ${from * 100}% ${to * 100}%`,
        );
        bar.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
        const { ns, nestedNs } = queriesOf(node);
        if (ns + nestedNs) {
            const sql = make("div", "st-bar-sql");
            sql.style.width = `${Math.min((ns + nestedNs) / (node.end - node.start || 1), 1) * 100}%`;
            bar.append(sql);
        }
        cell.append(bar);
        return cell;
    }
}
