// The configuration in force, by profile.

let outlineShown = null;
let valuesWanted = false;

/** Read the rules anew if another configuration is in force. */
async function showConfiguration(numbers) {
    const config = numbers.config, refusal = config.last_refusal;
    refill(byId("config-facts"), [config.path, config.generation, config.since], () => facts([
        [say("config.path"), make("code", {}, config.path)], [say("config.generation"), number(config.generation)], [say("config.since"), dateOf(config.since)],
    ]));
    refill(byId("warnings"), [config.error, refusal, config.warnings], () => [
        ...(config.error ? [make("li", { class: "wrong" }, say("config.error", { error: config.error }))] : []),
        ...(!config.error && refusal ? refusal.errors.map((error) => make("li", {}, say("config.refused", { date: dateOf(refusal.at), error }))) : []),
        ...config.warnings.map((warning) => make("li", {}, say("config.warning", { warning }))),
    ]);
    const wanted = `${config.hash} ${config.generation} ${valuesWanted}`;
    if (wanted === outlineShown?.wanted) return;
    const answer = await ask(`with=${valuesWanted ? "outline,values" : "outline"}`);
    if (answer.status === 403) {
        valuesWanted = false;
        write(byId("values-refused"), say("values.refused"));
        return;
    }
    if (!answer.ok) return;
    outlineShown = { wanted, outline: (await answer.json()).outline };
    showOutline();
}

function showOutline() {
    const button = byId("show-values");
    button.setAttribute("aria-pressed", String(valuesWanted));
    tell(button, valuesWanted ? "values.hide" : "values.show");
    if (!outlineShown) return;
    const outline = outlineShown.outline;
    refill(byId("profiles"), outlineShown, () => outline.map((each) => make("div", { class: "profile" },
        make("h3", {}, each.profile || say("profile.base")),
        each.rules.length ? make("ul", { class: "rules" }, each.rules.map(ruleItem)) : make("p", { class: "empty" }, say("config.none")),
        each.translations ? null : make("p", { class: "empty" }, say("config.no_translations")))));
    options(byId("profile"), outline.map((each) => [each.profile, profileName(each.profile)]));
}

/** What a rule sends or replaces, as far as the values were asked for. */
function ruleValues(rule) {
    const value = (text) => make("code", { class: "value" }, text);
    if (rule.new_name !== undefined) return [make("span", {}, "→"), make("code", {}, rule.new_name)];
    if (rule.table) return Object.entries(rule.table).map(([old, replacement]) => value(`${old} → ${replacement ?? say("rule.removed")}`));
    if (rule.before !== undefined) return [value(`${rule.before} + … + ${rule.after}`)];
    if (rule.value !== undefined) return [value(rule.value)];
    return rule.rule === "removed" ? [] : [make("span", { class: "value hidden-value", title: say("values.hidden") }, "••••")];
}

function ruleItem(rule) {
    const notes = [rule.when_empty && say("rule.when_empty"), rule.max_tokens && say("rule.max_tokens", { count: number(rule.max_tokens) })].filter(Boolean);
    return make("li", {}, badge("plain", say(`rule.${rule.rule}`)), make("code", {}, rule.field), ruleValues(rule), notes.map((note) => make("span", { class: "reason" }, note)));
}

byId("show-values").addEventListener("click", () => {
    valuesWanted = !valuesWanted;
    write(byId("values-refused"), "");
    if (outlineShown) outlineShown.wanted = "";
    if (latest) showConfiguration(latest).then(showOutline);
});
