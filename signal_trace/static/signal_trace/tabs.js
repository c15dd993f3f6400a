// @ts-check
// Tabs, of which the arrow keys show the next.

export class Tabs {
    /**
     * @param {Element} list
     * @param {(name: string) => HTMLElement} panelOf
     * @param {(name: string) => void} shown
     */
    constructor(list, panelOf, shown) {
        /** @type {HTMLElement[]} */
        this.tabs = [...list.querySelectorAll("[role=tab]")].filter(
            (tab) => tab instanceof HTMLElement,
        );
        this.panelOf = panelOf;
        this.shown = shown;
        list.addEventListener("click", (event) => {
            const target = /** @type {Element} */ (event.target);
            const tab = target.closest("[role=tab]");
            if (tab instanceof HTMLElement) {
                this.show(tab.dataset.tab);
            }
        });
        list.addEventListener("keydown", (event) => this._key(event));
    }

    /** @param {string} name */
    show(name) {
        for (const tab of this.tabs) {
            const is = tab.dataset.tab === name;
            tab.setAttribute("aria-selected", String(is));
            tab.tabIndex = is ? 0 : -1;
            this.panelOf(tab.dataset.tab).hidden = !is;
        }
        this.shown(name);
    }

    _key(event) {
        const at = this.tabs.findIndex((tab) => tab.tabIndex === 0);
        const last = this.tabs.length - 1;
        const next = {
            ArrowRight: at === last ? 0 : at + 1,
            ArrowLeft: at === 0 ? last : at - 1,
            Home: 0,
            End: last,
        }[event.key];
        if (next !== undefined) {
            event.preventDefault();
            this.show(this.tabs[next].dataset.tab);
            this.tabs[next].focus();
        }
    }
}
