// @ts-check
// Small pieces of page. What comes from a trace is text, and never markup.

import { clipped, printable } from "./text.js";

/**
 * @param {string} tag
 * @param {string} className
 * @param {(Node | string)[]} content
 */
export function make(tag, className = "", ...content) {
    const element = document.createElement(tag);
    if (className) {
        element.className = className;
    }
    element.append(...content);
    return element;
}

const LONGEST_NAME = 1000;
const LONGEST_TAG = 80;

/**
 * A name from the trace, apart from the writing direction of what is around it. It may
 * break behind dots and underscores, and not within a number.
 * @param {string} name
 */
export function nameOf(name, className = "") {
    const element = make("bdi", className);
    for (const [place, part] of printable(clipped(name, LONGEST_NAME)).split(/(?<=[_/]|\.(?!\d))/).entries()) {
        if (place) {
            element.append(document.createElement("wbr"));
        }
        element.append(part);
    }
    return element;
}

const MOST_TEXT = 1500;

/**
 * A text from the trace with its lines; of a very long one the beginning, and a button
 * that shows it all.
 * @param {string} text
 * @param {import("./words.js").Words} words
 */
export function longText(text, words, className = "") {
    const shown = make("pre", className);
    if (text.length <= MOST_TEXT) {
        shown.append(printable(text, true));
        return shown;
    }
    shown.append(`${printable(text.slice(0, MOST_TEXT), true)}…`);
    const label = words.say("show all", { count: words.count(text.length) });
    const more = button(label, () => {
        shown.textContent = printable(text, true);
        more.remove();
        giveFocus(shown);
    });
    return make("div", "st-long", shown, more);
}

/**
 * @param {string | Node} label
 * @param {(event: MouseEvent) => void} pressed
 */
export function button(label, pressed, className = "") {
    const element = /** @type {HTMLButtonElement} */ (make("button", className, label));
    element.type = "button";
    element.addEventListener("click", pressed);
    return element;
}

/**
 * Moves the focus to what came in place of the button that had it.
 * @param {HTMLElement} element
 */
export function giveFocus(element) {
    if (element.tabIndex < 0) {
        element.tabIndex = -1;
    }
    element.focus({ preventScroll: true });
}

/**
 * @param {string} text
 * @param {string} level of a finding, or another colour that there is
 */
export function tag(text, level = "") {
    return make("span", level ? `st-tag st-${level}` : "st-tag", printable(clipped(text, LONGEST_TAG)));
}

/** For those who listen, and not to be seen. */
export function unseen(text) {
    return make("span", "st-unseen", printable(text));
}
