// @ts-check
// What the views say, in the reader's language, and numbers as that language writes them.

export class Words {
    /**
     * @param {Record<string, string>} texts
     * @param {string} language
     */
    constructor(texts, language) {
        this.texts = texts;
        const locale = localeOf(language);
        const number = (digits) =>
            new Intl.NumberFormat(locale, {
                minimumFractionDigits: digits,
                maximumFractionDigits: digits,
            });
        this.whole = number(0);
        this.short = new Intl.NumberFormat(locale, { maximumFractionDigits: 3 });
        this.hundredths = number(2);
        this.thousandths = number(3);
    }

    /**
     * A text by its name, with values in the places that it has for them.
     * @param {string} name
     * @param {Record<string, unknown>} values
     */
    say(name, values = {}) {
        const text = this.texts[name] ?? name;
        return text.replace(/\{(\w+)\}/g, (place, key) =>
            key in values ? String(values[key]) : place,
        );
    }

    /**
     * A word that a trace has, such as an outcome, in the reader's language.
     * @param {string} word
     */
    told(word) {
        return this.texts[`trace: ${word}`] ?? word;
    }

    /** @param {number} number */
    count(number) {
        return this.whole.format(number);
    }

    /**
     * Nanoseconds as people read them; a dash where there are none.
     * @param {number | null} ns
     */
    time(ns) {
        if (ns === null || ns === undefined) {
            return "–";
        }
        const ms = ns / 1e6;
        const time = (ms < 0.1 ? this.thousandths : this.hundredths).format(ms);
        return this.say("milliseconds", { time });
    }

    /**
     * A round time, such as an axis has, without the noughts behind it.
     * @param {number} ns
     */
    roundTime(ns) {
        return this.say("milliseconds", { time: this.short.format(ns / 1e6) });
    }

    /** @param {number} part */
    percent(part) {
        return this.say("percent", { part: this.count(Math.round(part * 100)) });
    }

    /**
     * So many queries in such a time; nothing where there were none.
     * @param {number} count
     * @param {number} ns
     */
    queries(count, ns) {
        return count
            ? this.say("queries", { count: this.count(count), time: this.time(ns) })
            : "";
    }
}

/**
 * How a browser calls a language of Django's, or else the language that it is a variant
 * of; English where there is neither.
 * @param {string} language
 */
function localeOf(language) {
    for (const name of [language, language.split(/[-@]/)[0]]) {
        try {
            const [known] = Intl.NumberFormat.supportedLocalesOf([name]);
            if (known) {
                return known;
            }
        } catch {
            // Django's names may have what those of browsers may not: ca@valencia.
        }
    }
    return "en";
}
