// @ts-check
// Names and messages as people read them: nothing in them can turn a line around, move
// what stands beside it, or fill the page.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/**
 * `text` with control characters, and such as turn the writing direction, made visible.
 * Line breaks and tabs may stay where lines are meant.
 * @param {unknown} text
 */
export function printable(text, lines = false) {
    return String(text).replace(UNSEEN, (char) =>
        lines && (char === "\n" || char === "\t")
            ? char
            : `\\u{${char.codePointAt(0).toString(16)}}`,
    );
}

/**
 * The beginning of a text that is too long for where it stands.
 * @param {unknown} text
 * @param {number} most
 */
export function clipped(text, most) {
    const whole = String(text);
    return whole.length > most ? `${whole.slice(0, most)}…` : whole;
}

/**
 * A dotted name without the packages: the module and what is in it.
 * @param {string} name
 */
export function shortName(name) {
    const parts = name.split(".");
    let from = Math.max(parts.length - 2, 0);
    while (from > 0 && parts[from] === "<locals>") {
        from -= 1;
    }
    return parts.slice(from).join(".");
}

/**
 * A signal's name without the module.
 * @param {string} name
 */
export function signalName(name) {
    return name.startsWith("unnamed ") ? name : name.slice(name.lastIndexOf(".") + 1);
}

/**
 * A sender's name, for a model instance that of its model.
 * @param {string} sender
 */
export function withoutKey(sender) {
    const at = sender.indexOf("(pk=");
    return at < 0 ? sender : sender.slice(0, at);
}

/**
 * Who sent it: the instance, where a model sent a signal about one of its own.
 * @param {any} send
 */
export function senderOf(send) {
    const instance = send.arguments.instance;
    return typeof instance === "string" && withoutKey(instance) === send.sender
        ? instance
        : send.sender;
}

/**
 * A value of JSON as Python writes it, without quotes.
 * @param {any} value
 */
export function valueText(value) {
    if (value === null || value === undefined) {
        return "None";
    }
    if (typeof value === "boolean") {
        return value ? "True" : "False";
    }
    if (Array.isArray(value)) {
        return `[${value.map(valueText).join(", ")}]`;
    }
    return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/**
 * Those of Django's arguments that say what happened, such as `created=True`.
 * @param {any} send
 */
export function telling(send) {
    const given = send.arguments;
    const told = [];
    if ("created" in given) {
        told.push(`created=${valueText(given.created)}`);
    }
    for (const name of ["update_fields", "action", "pk_set"]) {
        if (given[name] !== null && given[name] !== undefined) {
            told.push(`${name}=${shortList(given[name])}`);
        }
    }
    for (const name of ["reverse", "raw"]) {
        if (given[name] === true) {
            told.push(`${name}=True`);
        }
    }
    const instance = given.instance;
    if (typeof instance === "string" && instance !== senderOf(send)) {
        told.push(`instance=${instance}`);
    }
    return told;
}

const MOST_ITEMS = 4;

/** @param {any} value */
function shortList(value) {
    if (Array.isArray(value) && value.length > MOST_ITEMS) {
        return valueText([...value.slice(0, MOST_ITEMS), "…"]);
    }
    return valueText(value);
}

/**
 * A line of code as `shop/views.py:12`: the file from the top of its package on, as the
 * receiver's name or else the folders that Python imports from tell it; or with the
 * folder that it is in.
 * @param {string} file
 * @param {number} line
 * @param {string[]} folders
 * @param {string} receiver
 */
export function placeName(file, line, folders = [], receiver = "") {
    const parts = file.split(/[/\\]/);
    const from = topByName(parts, receiver) ?? topByFolder(file, folders) ?? parts.length - 2;
    return `${parts.slice(Math.max(from, 0)).join("/")}:${line}`;
}

function topByName(parts, receiver) {
    const bare = [...parts.slice(0, -1), parts[parts.length - 1].replace(/\.\w+$/, "")];
    for (let start = 0; receiver && start < bare.length; start += 1) {
        if (`${receiver}.`.startsWith(`${bare.slice(start).join(".")}.`)) {
            return start;
        }
    }
    return null;
}

function topByFolder(file, folders) {
    const inside = folders.filter((folder) => file.startsWith(folder));
    const depths = inside.map((folder) => folder.split(/[/\\]/).length - 1);
    return depths.length ? Math.max(...depths) : null;
}

/**
 * The address that opens a line in the editor; null without a template.
 * @param {string | null | undefined} template
 * @param {string} file
 * @param {number} line
 */
export function editorUrl(template, file, line) {
    if (!template) {
        return null;
    }
    const path = /^[A-Za-z]:\\/.test(file) ? file.replaceAll("\\", "/") : file;
    // A lone surrogate, which a file's name may have, can't be encoded.
    const encoded = path
        .replace(/\p{Cs}/gu, "\ufffd")
        .split("/")
        .map(encodeURIComponent)
        .join("/");
    return template.replace(/\{(file|line)\}/g, (_, name) =>
        name === "file" ? encoded : String(line),
    );
}
