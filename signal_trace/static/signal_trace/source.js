// @ts-check
// A line of code: a link into the editor where it has one, and to be copied.

import { copyText, offerText } from "./copying.js";
import { button, make, nameOf } from "./dom.js";
import { clipped, editorUrl, placeName } from "./text.js";

/**
 * @param {import("./views.js").Views} views
 * @param {string | null} file
 * @param {number | null} line
 * @param {{ receiver?: string, function?: string, whole?: boolean }} more
 */
export function sourceLine(views, file, line, more = {}) {
    if (!file) {
        return make("span", "st-quiet", views.words.say("no source"));
    }
    const whole = `${file}:${line}`;
    const { editor, folders } = views.settings;
    const short = more.whole ? whole : placeName(file, line ?? 0, folders, more.receiver);
    const url = editorUrl(editor, file, line ?? 1);
    const place = url ? make("a") : make("span");
    place.append(nameOf(short));
    place.title = clipped(whole, 1000);
    if (url) {
        place.setAttribute("href", url);
    }
    const copied = make("span", "st-copied");
    copied.setAttribute("role", "status");
    const copy = button(
        views.words.say("copy"),
        async () => {
            if (await copyText(whole)) {
                copied.textContent = views.words.say("copied");
                setTimeout(() => copied.replaceChildren(), 2000);
            } else {
                offerText(copied, whole, views.words.say("copy it yourself"));
            }
        },
        "st-copy",
    );
    copy.setAttribute("aria-label", views.words.say("copy place", { place: clipped(short, 150) }));
    const element = make("span", "st-source", place);
    if (more.function) {
        element.append(" ", make("span", "st-quiet", nameOf(more.function)));
    }
    element.append(" ", copy, copied);
    return element;
}
