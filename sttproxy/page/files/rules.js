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

function ruleItem(rule) {
    const hidden = rule.rule !== "removed" && rule.value === undefined && rule.table === undefined;
    const values = rule.table ? Object.entries(rule.table).map(([old, replacement]) => make("code", { class: "value" }, `${old} → ${replacement}`))
        : rule.value !== undefined ? [make("code", { class: "value" }, rule.value)]
        : hidden ? [make("span", { class: "value hidden-value", title: say("values.hidden") }, "••••")] : [];
    return make("li", {}, badge(`rule ${rule.rule}`, say(`rule.${rule.rule}`)), make("code", {}, rule.field), ...values, rule.when_empty ? make("span", { class: "reason" }, say("rule.when_empty")) : null);
}

byId("show-values").addEventListener("click", () => {
    valuesWanted = !valuesWanted;
    write(byId("values-refused"), "");
    if (outlineShown) outlineShown.wanted = "";
    if (latest) showConfiguration(latest).then(showOutline);
});
