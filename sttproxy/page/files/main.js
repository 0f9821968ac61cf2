// Asks /stats for its numbers once a second, and shows them.

const BASE = new URL(".", location.href).href;
const EVERY_MS = 1000;
const PATIENCE_MS = 10000;
const WANTED = "with=recent,series,summary";

let latest = null;
let paused = false;
let polling = null;
let key = kept.get("key", "sessionStorage") ?? "";
let spoken = "";

const authorization = () => key ? { Authorization: `Bearer ${key}` } : {};

function ask(query) {
    return fetch(`${BASE}stats?format=json&lang=${language}&${query}`, {
        headers: { Accept: "application/json", ...authorization() }, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS),
    });
}

/** Look once; those who ask meanwhile get the same look. */
function poll() {
    polling ??= look().finally(() => { polling = null; });
    return polling;
}

async function look() {
    let numbers;
    try {
        const answer = await ask(`${WANTED}&after=${entriesRead}`);
        if (answer.status === 401) {
            askForKey();
            return;
        }
        if (!answer.ok) throw new Error(`${answer.status}`);
        numbers = await answer.json();
    } catch (error) {
        unreachable(error);
        return;
    }
    show(numbers);
}

function show(numbers) {
    latest = numbers;
    lock(false);
    byId("notice").hidden = true;
    state(numbers.summary.state, numbers.summary.text);
    write(byId("version"), numbers.version);
    showFacts(numbers);
    showCharts(numbers);
    takeRecent(numbers.recent);
    showFlying(numbers.under_way);
    showServers(numbers);
    showGroups(numbers);
    showRuleCounts(numbers);
    showConfiguration(numbers).catch(() => { /* the next look asks again */ });
}

/** The status line.  Screen readers are told when its state changes, not every second. */
function state(name, text) {
    byId("summary").dataset.state = name;
    write(byId("sentence"), text);
    if (spoken && spoken !== name) write(byId("announcement"), text);
    spoken = name;
    document.title = name === "healthy" ? "sttproxy" : `${name === "warning" ? "⚠" : "✕"} sttproxy`;
}

function unreachable(error) {
    state("lost", say("lost"));
    byId("notice").hidden = !latest;
    if (latest) write(byId("notice"), say("lost.since", { time: clock(latest.time), error: error.message }));
}

function askForKey() {
    state("locked", say("key.needed"));
    if (key) write(byId("key-wrong"), say("key.wrong"));
    key = "";
    kept.set("key", "", "sessionStorage");
    lock(true);
}

/** Show the form for the key, or all the rest. */
function lock(locked) {
    byId("key-form").hidden = !locked;
    for (const id of ["live", "facts", "nav", "pause"]) byId(id).hidden = locked;
}

byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    write(byId("key-wrong"), "");
    key = byId("key").value.trim();
    byId("key").value = "";
    kept.set("key", key, "sessionStorage");
    poll();
});

byId("pause").addEventListener("click", () => {
    paused = !paused;
    byId("pause").setAttribute("aria-pressed", String(paused));
    if (!paused) poll();
});

byId("language").addEventListener("change", () => {
    language = byId("language").value;
    kept.set("language", language);
    showWords();
    poll();
});

/** Write everything in the current language. */
function showWords() {
    translate();
    fillGroupChoices();
    fillFilters();
    charts.forEach((chart) => chart.redraw());
    showRequests();
    showOutline();
    showRecording();
    if (entryShown) showEntry(entryShown);
    if (latest) show({ ...latest, recent: { number: entriesRead, requests: [] } });
}

function showTheme(theme) {
    document.documentElement.dataset.theme = theme;
    charts.forEach((chart) => chart.redraw());
}

byId("theme").addEventListener("change", () => {
    kept.set("theme", byId("theme").value);
    showTheme(byId("theme").value);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => showTheme(byId("theme").value));

for (const id of ["by-route", "by-status"]) byId(id).addEventListener("change", () => { rowsShown = PAGE_OF_ROWS; showRequests(); });
for (const id of ["by-group", "by-span"]) byId(id).addEventListener("change", () => latest && showGroups(latest));
byId("more").addEventListener("click", () => { rowsShown = MOST_KEPT; showRequests(); });

byId("controls").hidden = false;
byId("language").value = language;
byId("theme").value = kept.get("theme") ?? "auto";
showTheme(byId("theme").value);
showWords();
if (byId("summary").dataset.state === "locked" && !key) askForKey();
(async () => {
    for (;;) {
        if (!paused && !document.hidden && byId("key-form").hidden) await poll();
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
})();
document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) poll(); });
