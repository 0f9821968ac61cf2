// The requests in flight, and the last ones that have ended.

const MOST_KEPT = 200;
const PAGE_OF_ROWS = 25;
const MOST_FLYING = 6;
const STATUSES = { "2xx": (entry) => entry.status >= 200 && entry.status < 300, "4xx": (entry) => entry.status >= 400 && entry.status < 500, "5xx": (entry) => entry.status >= 500, cut: (entry) => !["done", "refused"].includes(entry.ending) };

let entries = [];
let entriesRead = 0;
let rowsShown = PAGE_OF_ROWS;

/** Take the requests that have ended since the last look. */
function takeRecent(recent) {
    if (recent.number < entriesRead) entries = [];
    entriesRead = recent.number;
    if (!recent.requests.length) return;
    entries = [...recent.requests.reverse(), ...entries].slice(0, MOST_KEPT);
    showRequests();
}

function fillFilters() {
    options(byId("by-route"), [["", say("all")], ...["transcription", "realtime", "pass_through", "own"].map((route) => [route, routeName(route)])]);
    options(byId("by-status"), [["", say("all")], ...Object.keys(STATUSES).map((name) => [name, say(`status.${name}`)])]);
}

function showRequests() {
    const route = byId("by-route").value, status = byId("by-status").value;
    const found = entries.filter((entry) => (!route || entry.route === route) && (!status || STATUSES[status](entry)));
    const shown = found.slice(0, rowsShown);
    const heads = ["time", "status", "request", "profile", "duration", "phases", "sizes", "fields"].map((name) => say(`head.${name}`));
    const table = byId("request-table");
    byId("no-requests").hidden = found.length > 0;
    tell(byId("no-requests"), entries.length ? "requests.filtered" : "requests.none");
    table.hidden = !found.length;
    byId("more").hidden = found.length <= rowsShown;
    write(byId("shown"), entries.length ? say("requests.shown", { shown: number(shown.length), found: number(found.length) }) : "");
    refill(table.tHead, heads, () => [make("tr", { role: "row" }, heads.map((head) => make("th", { role: "columnheader", scope: "col" }, head)))]);
    table.tBodies[0].replaceChildren(...shown.map((entry) => entryRow(heads, entry)));
}

function entryRow(heads, entry) {
    // A row is made once for each language: most look like those of the second before.
    if (entry.row?.lang !== language) {
        entry.row = tableRow(heads, [clock(entry.time), outcome(entry), target(entry), entry.profile || "–", duration(entry.total_seconds), phaseBar(phasesOf(entry)), sizes(entry), fieldChips(entry.fields)]);
        entry.row.lang = language;
    }
    return entry.row;
}

function outcome(entry) {
    const kind = entry.status >= 500 || ["upstream failed", "failed"].includes(entry.ending) ? "bad" : entry.status >= 400 || !["done", "refused"].includes(entry.ending) ? "doubtful" : "good";
    // With an error of the proxy's own, the client got its status; a response that was cut off has the server's.
    const whole = ["done", "refused"].includes(entry.ending) || (entry.error && entry.status >= 400);
    const shown = whole && entry.status ? String(entry.status) : sayIfKnown("ending", entry.ending);
    return make("span", {}, badge(kind, shown), entry.error ? make("span", { class: "reason" }, sayIfKnown("error", entry.error)) : null);
}

function target(entry) {
    return make("span", { class: "target" }, path(`${entry.method} ${entry.target}`), make("span", { class: "reason" }, `${routeName(entry.route)} · HTTP/${entry.http_version}`));
}

function sizes(entry) {
    const parts = [`${bytes(entry.request_bytes)} → ${bytes(entry.response_bytes)}`];
    if (entry.recording_bytes) parts.push(say("size.recording", { size: bytes(entry.recording_bytes) }));
    if (entry.audio_seconds) parts.push(say("size.audio", { age: duration(entry.audio_seconds), factor: factor(entry.audio_seconds / entry.total_seconds) }));
    return make("span", {}, parts[0], parts.length > 1 ? make("span", { class: "reason" }, parts.slice(1).join(" · ")) : null);
}

/** What was done to fields, by name. */
function fieldChips(fields) {
    const chips = ACTS.filter((act) => fields[act]?.length).map((act) => make("span", { class: `chip ${act}` }, `${say(`act.${act}`)}: `, make("code", {}, fields[act].join(", "))));
    return chips.length ? make("span", { class: "chips" }, chips) : "–";
}

function showFlying(flying) {
    byId("flying").hidden = !flying.length;
    const more = flying.length - MOST_FLYING;
    byId("flying-list").replaceChildren(...flying.slice(0, MOST_FLYING).map((each) => make("li", {},
        make("span", { class: `swatch ${each.phase}` }), make("b", {}, duration(each.total_seconds)), ` ${say(`phase.${each.phase}`)} `, path(`${each.method} ${each.target}`), each.profile ? ` ${say("profile")}: ${each.profile}` : "")), more > 0 ? make("li", {}, say("flying.more", { count: number(more) })) : "");
}
