// @ts-check
// Text to the clipboard, or where the browser doesn't allow that (a page without https
// isn't), selected for the reader to copy.

import { make } from "./dom.js";

/**
 * Returns whether it is on the clipboard.
 * @param {string} text
 */
export async function copyText(text) {
    try {
        await navigator.clipboard.writeText(text);
        return true;
    } catch {
        return false;
    }
}

/**
 * Shows a text, selected, in place of what is in `holder`.
 * @param {Element} holder
 * @param {string} text
 * @param {string} label
 */
export function offerText(holder, text, label) {
    const area = /** @type {HTMLTextAreaElement} */ (make("textarea", "st-offered"));
    area.value = text;
    area.readOnly = true;
    area.setAttribute("aria-label", label);
    holder.replaceChildren(make("p", "st-quiet", label), area);
    area.focus();
    area.select();
}
