// @ts-check
// Draws the views wherever their element appears: the toolbar puts it into its shadow
// tree, again for each request that its history shows; a report has it from the start.

import { Views } from "./views.js";

class SignalTraceViews extends HTMLElement {
    connectedCallback() {
        if (document.readyState === "loading") {
            document.addEventListener("DOMContentLoaded", () => this.await(), { once: true });
        } else {
            this.await();
        }
    }

    /** Which rows are on the screen is known once the styles are there. */
    await() {
        const link = this.previousElementSibling;
        if (link instanceof HTMLLinkElement && !link.sheet) {
            link.addEventListener("load", () => this.draw(), { once: true });
            link.addEventListener("error", () => this.draw(), { once: true });
        } else {
            this.draw();
        }
    }

    disconnectedCallback() {
        this.views?.timeline.observer.disconnect();
    }

    draw() {
        if (this.views || !this.isConnected || !this.querySelector(".st-view")) {
            return;
        }
        this.querySelector(".st-waiting").remove();
        try {
            this.views = new Views(this);
        } catch (error) {
            this.querySelector(".st-broken").removeAttribute("hidden");
            throw error;
        }
        performance.mark("signal-trace-drawn");
    }
}

if (!customElements.get("signal-trace-views")) {
    customElements.define("signal-trace-views", SignalTraceViews);
}
