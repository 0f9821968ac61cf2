// Words, formats and elements: what the other parts are made of.

const WORDS = JSON.parse(document.getElementById("words").textContent);
const FALLBACK = "en";
const byId = (id) => document.getElementById(id);

/** What the browser keeps for this page; nothing if it keeps nothing. */
const kept = {
    get: (name, store = "localStorage") => { try { return window[store].getItem(`sttproxy.${name}`); } catch { return null; } },
    set(name, value, store = "localStorage") { try { window[store].setItem(`sttproxy.${name}`, value); } catch { /* private mode */ } },
};

let language = WORDS[kept.get("language")] ? kept.get("language") : document.documentElement.lang;

/** A text of the page, with {names} replaced. */
function say(name, values = {}) {
    const text = WORDS[language][name] ?? WORDS[FALLBACK][name] ?? name;
    return text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

/** A text that may be missing: the name itself stands for unknown codes. */
const sayIfKnown = (prefix, code) => WORDS[language][`${prefix}.${code}`] ?? code;

/** A number of things: one text for one, another for more. */
const sayCount = (name, count, values = {}) => say(`${name}.${count === 1 ? "one" : "many"}`, { count: number(count), ...values });

/** An element.  Children are elements and texts; texts are never read as HTML. */
function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === true) element.setAttribute(name, "");
        else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child != null && child !== false));
    return element;
}

/** Change a text only if it differs, so that selections and screen readers are left in peace. */
function write(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

/** Write a text of the page, and again when the language changes. */
function tell(element, name, values = {}) {
    element.dataset.text = name;
    element.values = values;
    write(element, say(name, values));
}

/** Replace an element's children, if what they show has changed. */
function refill(element, shown, fill) {
    const now = language + JSON.stringify(shown);
    if (element.shown === now) return;
    element.shown = now;
    element.replaceChildren(...fill());
}

/** Fill the texts of the document in the current language. */
function translate() {
    document.documentElement.lang = language;
    for (const element of document.querySelectorAll("[data-text]")) write(element, say(element.dataset.text, element.values));
    for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
}

/** Between a number and its unit: they stay in one line. */
const GAP = "\u00a0";
const number = (value, digits = 0) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
const significant = (value) => new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(value);

/** A duration that is measured. */
function duration(seconds) {
    if (seconds == null) return "–";
    if (seconds === 0) return `0${GAP}${say("unit.s")}`;
    if (seconds < 0.9995) return `${seconds < 0.0995 ? number(seconds * 1000, 1) : number(seconds * 1000)}${GAP}${say("unit.ms")}`;
    return seconds < 120 ? `${significant(seconds)}${GAP}${say("unit.s")}` : age(seconds);
}

/** How long something has lasted, or how long ago it was. */
function age(seconds) {
    if (seconds < 120) return `${Math.floor(seconds)}${GAP}${say("unit.s")}`;
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
    if (minutes < 60) return `${minutes}${GAP}${say("unit.min")}`;
    if (days < 2) return `${hours}${GAP}${say("unit.h")} ${minutes % 60}${GAP}${say("unit.min")}`;
    return `${days}${GAP}${say("unit.d")} ${hours % 24}${GAP}${say("unit.h")}`;
}

const ago = (seconds) => seconds == null ? say("never") : say("ago", { age: age(seconds) });

function bytes(value) {
    if (value == null) return "–";
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (value >= 999.5 && unit < units.length - 1) { value /= 1000; unit += 1; }
    return `${unit ? significant(value) : number(value)}${GAP}${units[unit]}`;
}

const factor = (value) => value == null ? "–" : `${significant(value)}×`;
const MINUTES = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const clock = (time, parts = { ...MINUTES, second: "2-digit" }) => new Date(time * 1000).toLocaleTimeString(language, parts);
const dateOf = (iso) => new Date(iso).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const profileName = (name) => name || say("profile.none");
const routeName = (name) => sayIfKnown("route", name);

/** A list of names and values. */
const facts = (pairs) => pairs.filter(Boolean).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));

const PHASES = ["receiving", "waiting", "sending", "working", "answering"];

/** The phases of a request as a bar, and in words for those who do not see it. */
function phaseBar(seconds) {
    const told = PHASES.filter((phase) => seconds[phase] > 0).map((phase) => `${say(`phase.${phase}`)} ${duration(seconds[phase])}`);
    const bar = make("span", { class: "phases", role: "img", "aria-label": told.join(", ") || "–", title: told.join("\n") });
    const total = PHASES.reduce((sum, phase) => sum + seconds[phase], 0);
    for (const phase of PHASES) {
        if (!(seconds[phase] > 0)) continue;
        const part = make("span", { class: `phase ${phase}` });
        part.style.flexGrow = seconds[phase] / total;
        bar.append(part);
    }
    return bar;
}

/** A path that may be broken at its slashes. */
const path = (text) => make("code", {}, text.split(/(?<=\/)/).flatMap((part) => [part, make("wbr")]));

/** The phases of an entry of the recent requests. */
const phasesOf = (entry) => Object.fromEntries(PHASES.map((phase) => [phase, entry[`${phase}_seconds`]]));

/** A table's head, and its rows; on a phone each row becomes a card with the head's texts. */
function fillTable(table, heads, rows) {
    refill(table.tHead, heads, () => [make("tr", { role: "row" }, heads.map((head, index) => make("th", { role: "columnheader", scope: "col", class: index && rows.numeric ? "number" : null }, head)))]);
    table.tBodies[0].replaceChildren(...rows.map((cells) => tableRow(heads, cells, rows.numeric)));
}

function tableRow(heads, cells, numeric) {
    return make("tr", { role: "row" }, cells.map((cell, index) => index
        ? make("td", { role: "cell", "data-head": heads[index], class: cell === "–" ? "nothing" : numeric ? "number" : null }, cell)
        : make("th", { role: "rowheader", scope: "row", "data-head": heads[index] }, cell)));
}
