import assert from "node:assert/strict";
import test from "node:test";

import { editorUrl, placeName, printable, shortName, valueText } from "./text.js";
import { Words } from "./words.js";

test("what can't be seen, or turns the line around, is made visible", () => {
    assert.equal(printable("a\x1b[31m\u202eb\u0000"), "a\\u{1b}[31m\\u{202e}b\\u{0}");
    assert.equal(printable("a\nb\tc"), "a\\u{a}b\\u{9}c");
    assert.equal(printable("a\nb\r\tc", true), "a\nb\\u{d}\tc");
    assert.equal(printable("\ud800 שלום é 🙂"), "\\u{d800} שלום é 🙂");
});

test("a receiver is told by its module, or class, and name", () => {
    assert.equal(shortName("shop.receivers.fraud.check_order"), "fraud.check_order");
    assert.equal(shortName("lonely"), "lonely");
    assert.equal(shortName("shop.make.<locals>.inner"), "make.<locals>.inner");
});

test("a receiver's file begins at the top of its package", () => {
    const fraud = "/srv/app/shop/receivers/fraud.py";
    const place = placeName(fraud, 10, [], "shop.receivers.fraud.f");
    assert.equal(place, "shop/receivers/fraud.py:10");
    assert.equal(placeName("/srv/app/shop/x.py", 3, [], "elsewhere.f"), "shop/x.py:3");
    const folders = ["/usr/lib/python3/", "/srv/", "/srv/app/"];
    assert.equal(placeName(fraud, 10, folders), "shop/receivers/fraud.py:10");
    assert.equal(placeName(fraud, 10), "receivers/fraud.py:10");
    assert.equal(placeName("C:\\app\\shop\\x.py", 3), "shop/x.py:3");
    assert.equal(placeName("x.py", 3), "x.py:3");
});

test("values are written as Python does", () => {
    assert.equal(valueText([true, null, 1, "a"]), "[True, None, 1, a]");
});

test("a link to the editor has the file encoded, and nothing else of it", () => {
    const template = "vscode://file/{file}:{line}";
    assert.equal(editorUrl(null, "/a.py", 1), null);
    assert.equal(editorUrl(template, "/a b/ü?#&.py", 7), "vscode://file//a%20b/%C3%BC%3F%23%26.py:7");
    assert.equal(editorUrl(template, "C:\\a\\b.py", 7), "vscode://file/C%3A/a/b.py:7");
    assert.equal(editorUrl(template, "/{line}/\ud800.py", 7), "vscode://file//%7Bline%7D/%EF%BF%BD.py:7");
});

test("what is put into a text is not read again", () => {
    const words = new Words({ sent: "{signal} von {sender}" }, "de");
    assert.equal(words.say("sent", { signal: "{sender}", sender: "$&" }), "{sender} von $&");
});

test("numbers are written as the language does, whichever it is", () => {
    const texts = { milliseconds: "{time} ms" };
    assert.equal(new Words(texts, "de").time(1_234_567_890), "1.234,57 ms");
    assert.equal(new Words(texts, "en").time(1_234), "0.001 ms");
    assert.equal(new Words(texts, "xx-klingon").count(1234), "1,234");
    assert.equal(new Words(texts, "").time(null), "–");
    assert.equal(new Words(texts, "").count(1234), "1,234");
    assert.equal(new Words(texts, "de@variant").count(1234), "1.234");
    assert.equal(new Words(texts, "x-own").count(1234), "1,234");
});

test("round times have no noughts behind them, and lose none in front", () => {
    const texts = { milliseconds: "{time} ms" };
    const times = [0, 2000, 500_000, 1.5e6, 20e6, 1e9, 1_200_500e6];
    assert.deepEqual(
        times.map((ns) => new Words(texts, "en").roundTime(ns)),
        ["0 ms", "0.002 ms", "0.5 ms", "1.5 ms", "20 ms", "1,000 ms", "1,200,500 ms"],
    );
    assert.equal(new Words(texts, "de").roundTime(1.5e9), "1.500 ms");
});
