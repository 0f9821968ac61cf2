// Servers, durations by group, rules, refusals, and the facts about the process.

function showFacts(numbers) {
    const process = numbers.process, late = process.timers_late_seconds.minute_max;
    refill(byId("facts"), [Math.floor(numbers.uptime_s), process, numbers.connections, numbers.descriptors, numbers.stt_requests, numbers.forwarded_requests, numbers.clients_refused], () => facts([
        [say("fact.uptime"), age(numbers.uptime_s)],
        [say("fact.transcriptions"), number(numbers.stt_requests)],
        [say("fact.forwarded"), number(numbers.forwarded_requests)],
        [say("fact.clients"), number(numbers.connections)],
        process.memory_bytes != null && [say("fact.memory"), bytes(process.memory_bytes)],
        [say("fact.descriptors"), say("of", { part: number(numbers.descriptors.open), whole: number(numbers.descriptors.limit) })],
        [say("fact.late"), duration(late)],
        numbers.clients_refused > 0 && [say("fact.turned_away"), number(numbers.clients_refused)],
    ]));
}

function showServers(numbers) {
    refill(byId("server-cards"), [numbers.servers, numbers.upstream, numbers.tls], () => [
        ...numbers.servers.map((server) => serverCard(server, numbers.servers.length > 1 && server.name === numbers.upstream)),
        ...(numbers.tls ? [certificateCard(numbers.tls)] : []),
    ]);
}

function serverCard(server, isCurrent) {
    const connections = server.connections, errors = Object.entries(server.errors);
    return make("div", { class: "card" },
        make("div", { class: "heading" }, make("h3", {}, server.name), badge(server.reachable ? "good" : "bad", say(server.reachable ? "server.up" : "server.down")), isCurrent && badge("plain", say("server.current"))),
        server.error && make("p", { class: "wrong" }, server.error),
        make("dl", { class: "facts" }, facts([
            [say("server.open"), number(connections.open)], [say("server.idle"), number(connections.idle)],
            [say("server.made"), number(connections.made)], [say("server.reused"), number(connections.reused)],
            [say("server.lost"), number(connections.lost_idle)],
            [say("server.success"), ago(server.last_success_age_seconds)], [say("server.failure"), ago(server.last_failure_age_seconds)],
        ])),
        errors.length ? make("ul", { class: "findings" }, errors.map(([code, count]) => make("li", {}, `${sayIfKnown("error", code)}: ${number(count)}`))) : null);
}

function certificateCard(tls) {
    const certificates = tls.certificates ?? [];
    return make("div", { class: "card" },
        make("div", { class: "heading" }, make("h3", {}, say("tls.title"))),
        tls.error && make("p", { class: "wrong" }, tls.error),
        make("dl", { class: "facts" }, facts(certificates.map((each) => [each.names.join(", ") || each.file, say("tls.expires", { date: dateOf(each.expires) })]))));
}

const badge = (kind, text) => make("span", { class: `badge ${kind}` }, text);

const GROUPS = { routes: routeName, profiles: profileName, http_versions: (version) => `HTTP/${version}` };
const SPANS = ["minute", "ten_minutes", "since_start"];
const QUANTILES = ["p50", "p90", "p99", "max"];

function showGroups(numbers) {
    const by = byId("by-group").value || "routes", span = byId("by-span").value || SPANS[0], groups = Object.entries(numbers[by]);
    const shown = groups.filter(([, group]) => group.requests);
    refill(byId("group-table").tBodies[0], [by, span, shown], () => {
        const heads = [say(`groups.${by}`), say("groups.requests"), say("groups.in_flight"), say("groups.answers"), ...QUANTILES.map((name) => say(`quantile.${name}`)), say("groups.working"), say("groups.bytes"), say("chart.factor")];
        const rows = shown.map(([name, group]) => {
            const durations = group.durations[span], total = durations.total_seconds, factors = durations.real_time_factor;
            return [GROUPS[by](name), number(group.requests), number(group.in_flight), answers(group.answers), ...QUANTILES.map((part) => quantile(total, part)), quantile(durations.working_seconds, "p50"), `${bytes(group.request_bytes)} / ${bytes(group.response_bytes)}`, factors?.p50 ? factor(factors.p50) : "–"];
        });
        rows.numeric = true;
        fillTable(byId("group-table"), heads, rows);
        return [...byId("group-table").tBodies[0].children];
    });
}

const quantile = (quantiles, part) => quantiles?.max ? duration(quantiles[part]) : "–";
const answers = (classes) => Object.entries(classes).map(([name, count]) => `${name} ${number(count)}`).join(", ") || "–";

const ACTS = ["forced", "replaced", "defaulted", "mapped", "removed", "joined", "cut", "renamed"];

function showRuleCounts(numbers) {
    const names = [...new Set(ACTS.flatMap((act) => Object.keys(numbers.rules[act] ?? {})))].sort();
    const acts = ACTS.filter((act) => numbers.rules[act]);
    const rows = names.map((name) => [make("code", {}, name), ...acts.map((act) => number(numbers.rules[act][name] ?? 0))]);
    showCounts("field", names.length, [say("field"), ...acts.map((act) => say(`act.${act}`))], rows, numbers.rules);
    const refusals = Object.entries(numbers.refusals);
    showCounts("refusal", refusals.length, [say("refusals.reason"), say("groups.requests")], refusals.map(([code, count]) => [make("span", {}, sayIfKnown("error", code), " ", make("code", {}, code)), number(count)]), refusals);
}

function showCounts(name, count, heads, rows, shown) {
    const table = byId(`${name}-table`);
    byId(`no-${name}s`).hidden = count > 0;
    table.hidden = !count;
    refill(table.tBodies[0], shown, () => {
        rows.numeric = true;
        fillTable(table, heads, rows);
        return [...table.tBodies[0].children];
    });
}

/** Fill a select, and keep its choice. */
function options(select, pairs) {
    refill(select, pairs, () => {
        const chosen = select.value;
        const items = pairs.map(([value, text]) => make("option", { value }, text));
        queueMicrotask(() => { if (pairs.some(([value]) => value === chosen)) select.value = chosen; });
        return items;
    });
}

function fillGroupChoices() {
    options(byId("by-group"), Object.keys(GROUPS).map((name) => [name, say(`groups.${name}`)]));
    options(byId("by-span"), SPANS.map((name) => [name, say(`span.${name}`)]));
}
