// @ts-check
// Sums in tables that any column sorts.

import { button, make, nameOf } from "./dom.js";

/**
 * @typedef {object} Column
 * @property {string} label its heading, a word of `Words`
 * @property {(row: any) => number | string} value what it sorts by
 * @property {(row: any) => Node | string} show
 * @property {string} [className]
 */

/**
 * A table, sorted by a column: from the largest number, or the first name. Without
 * such a column the rows stay as they come at first.
 * @param {import("./words.js").Words} words
 * @param {string} caption
 * @param {Column[]} columns
 * @param {any[]} rows
 * @param {number | null} sortedBy
 */
export function sortableTable(words, caption, columns, rows, sortedBy) {
    const table = make("table", "st-table", make("caption", "st-unseen", caption));
    const headings = make("tr");
    const body = make("tbody");
    const cells = columns.map(({ label, className }, at) => {
        const cell = make("th", className ?? "");
        cell.setAttribute("scope", "col");
        cell.append(button(words.say(label), () => sort(at), "st-sort"));
        headings.append(cell);
        return cell;
    });
    const lines = rows.map((row) => {
        const line = make("tr");
        for (const { show, className } of columns) {
            line.append(make("td", className ?? "", show(row)));
        }
        return { row, line };
    });

    /** @param {number} at */
    function sort(at) {
        const falls = cells[at].getAttribute("aria-sort") === "descending";
        const rises = cells[at].getAttribute("aria-sort") === "ascending";
        const { value } = columns[at];
        const isText = lines.length > 0 && typeof value(lines[0].row) === "string";
        const ascending = falls || (isText && !rises);
        cells.forEach((cell) => cell.removeAttribute("aria-sort"));
        cells[at].setAttribute("aria-sort", ascending ? "ascending" : "descending");
        lines.sort((one, other) => {
            const [first, second] = [value(one.row), value(other.row)];
            const order = first < second ? -1 : Number(first > second);
            return ascending ? order : -order;
        });
        body.append(...lines.map(({ line }) => line));
    }

    if (sortedBy === null) {
        body.append(...lines.map(({ line }) => line));
    } else {
        sort(sortedBy);
    }
    table.append(make("thead", "", headings), body);
    return make("div", "st-scroll", table);
}

/**
 * The table of sums by receiver, signal or app; a name leads to its calls.
 * @param {import("./words.js").Words} words
 * @param {{ caption: string, by: string, counted: string }} about
 * @param {any[]} sums
 * @param {(name: string) => void} chosen
 */
export function sumsTable(words, { caption, by, counted }, sums, chosen) {
    const whole = sums.reduce((sum, one) => sum + one.self_ns, 0) || 1;
    const time = (key, label, className = "st-number") => ({
        label,
        className,
        value: (one) => one[key],
        show: (one) => words.time(one[key]),
    });
    const number = (key, label, className = "st-number") => ({
        label,
        className,
        value: (one) => one[key],
        show: (one) => words.count(one[key]),
    });
    /** @type {Column[]} */
    const columns = [
        {
            label: by,
            className: "st-names",
            value: (one) => one.name,
            show: (one) =>
                button(nameOf(one.name || "–", "st-code"), () => chosen(one.name), "st-link"),
        },
        number("count", counted),
        time("total_ns", "column total"),
        time("self_ns", "column self"),
        {
            label: "column share",
            className: "st-share",
            value: (one) => one.self_ns,
            show: (one) => shareBar(words, one.self_ns / whole),
        },
        time("max_ns", "column longest"),
        number("queries", "SQL"),
        time("queries_ns", "column SQL time"),
        {
            label: "column failed",
            className: "st-number",
            value: (one) => one.failures,
            show: (one) =>
                one.failures
                    ? make("span", "st-failed", `✗ ${words.count(one.failures)}`)
                    : words.count(0),
        },
    ];
    const sorted = counted === "column sends" ? 2 : 3;
    return sortableTable(words, caption, columns, sums, sorted);
}

function shareBar(words, share) {
    const bar = make("span", "st-share-bar");
    bar.style.width = `${share * 100}%`;
    const room = make("span", "st-share-room", bar);
    room.setAttribute("aria-hidden", "true");
    return make("span", "st-share-cell", room, make("span", "st-number", words.percent(share)));
}
