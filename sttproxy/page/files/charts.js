// The charts of the last ten minutes, drawn by uPlot.

const SPAN_S = 600;
const HEIGHT = 170;
const FORWARDED = ["transcription", "realtime", "pass_through"];
/** The values of one name in the windows of one route. */
const of = (route, name) => (data) => data.routes[route][name];
/** Sums over routes; a window without a request counts as 0. */
const sum = (routes, read) => (data) => data.in_flight.map((_, index) => routes.reduce((all, route) => all + read(data.routes[route], index), 0));
const succeeded = (route, index) => route.requests[index] - route.failures[index];
const failed = (route, index) => route.failures[index];

/** What each chart shows: its series from bottom to top, and how a value is written. */
const CHARTS = [
    {
        name: "requests", stacked: true, whole: true, write: (value) => number(value), least: 4,
        series: [
            { name: "transcriptions", color: "--working", read: sum(["transcription"], succeeded) },
            { name: "others", color: "--sending", read: sum(["realtime", "pass_through"], succeeded) },
            { name: "failures", color: "--bad", read: sum(FORWARDED, failed) },
        ],
    },
    {
        name: "phases", stacked: true, write: duration, least: 0.001, room: 58,
        series: PHASES.map((phase) => ({ name: phase, label: `phase.${phase}`, color: `--${phase}`, read: of("transcription", `${phase}_seconds`) })),
    },
    {
        name: "queue", whole: true, write: (value) => number(value), least: 4,
        series: [
            { name: "in_flight", color: "--working", stepped: true, read: (data) => data.in_flight },
            { name: "queued", color: "--waiting", stepped: true, read: (data) => data.queued },
        ],
    },
    {
        name: "factor", write: factor, least: 2, mark: 1,
        series: [{ name: "factor", color: "--answering", dots: true, read: of("transcription", "real_time_factor") }],
    },
];

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

class Chart {
    constructor(plan, grid) {
        this.plan = plan;
        this.title = make("h3", { "data-text": `chart.${plan.name}` });
        this.holder = make("div", { class: "plot", tabindex: "0", role: "img" });
        this.legend = make("ul", { class: "legend" });
        this.when = make("span", { class: "when" });
        grid.append(make("figure", { class: "card" }, make("div", { class: "heading" }, this.title, this.when), this.holder, this.legend));
        this.holder.addEventListener("keydown", (event) => this.step(event));
        this.holder.addEventListener("blur", () => this.point(null));
        new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.holder);
    }

    size() { return { width: Math.max(this.holder.clientWidth, 120), height: HEIGHT }; }

    /** Draw anew: for another language or other colours. */
    redraw() {
        this.plot?.destroy();
        this.plot = null;
        write(this.title, say(`chart.${this.plan.name}`));
        if (this.data) this.show(this.data);
    }

    show(data) {
        this.data = data;
        this.values = this.plan.series.map((series) => series.read(data));
        const drawn = this.plan.stacked ? stacked(this.values) : this.values;
        // What is drawn last lies on top: of stacked series that is the lowest.
        const rows = [data.times, ...(this.plan.stacked ? drawn.reverse() : drawn)];
        if (this.plot) this.plot.setData(rows);
        else this.plot = new uPlot(this.options(), rows, this.holder);
        this.tell();
    }

    options() {
        const plan = this.plan, text = color("--dim"), line = color("--line");
        const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
        const bars = uPlot.paths.bars({ size: [0.8, 14], align: 1, radius: 0.15 }), steps = uPlot.paths.stepped({ align: 1 });
        const series = plan.series.map((each) => {
            const shade = color(each.color);
            if (plan.stacked) return { fill: shade, stroke: shade, width: 0, paths: bars, points: { show: false } };
            if (each.stepped) return { stroke: shade, fill: `${shade}30`, width: 2, paths: steps, points: { show: false } };
            return { stroke: shade, width: 2, spanGaps: true, points: { show: true, size: 6, fill: shade } };
        });
        return {
            ...this.size(), legend: { show: false }, padding: [8, 4, 0, 0],
            cursor: { sync: { key: "sttproxy" }, drag: { x: false, y: false }, points: { show: !plan.stacked }, y: false },
            scales: {
                x: { time: true, range: () => [this.data.until - SPAN_S, this.data.until] },
                y: { range: (_, least, most) => [0, Math.max(plan.least, (most ?? 0) * 1.1)] },
            },
            axes: [
                { ...axis, space: 60, size: 26, values: (_, splits) => splits.map((time) => clock(time, MINUTES)) },
                { ...axis, size: plan.room ?? 38, space: 26, values: (_, splits) => splits.map((value) => plan.whole && !Number.isInteger(value) ? "" : plan.write(value)) },
            ],
            series: [{}, ...(plan.stacked ? series.reverse() : series)],
            hooks: { setCursor: [() => this.tell()], draw: [(plot) => plan.mark && markLine(plot, plan.mark)] },
        };
    }

    /** Move along the points with the arrow keys. */
    step(event) {
        const last = this.data ? this.data.times.length - 1 : -1;
        const index = this.plot?.cursor.idx ?? last;
        const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: last, Escape: null }[event.key];
        if (to === undefined || last < 0) return;
        event.preventDefault();
        this.point(to === null ? null : Math.min(Math.max(to, 0), last));
        if (to !== null) write(byId("announcement"), this.holder.getAttribute("aria-label"));
    }

    point(index) {
        if (!this.plot) return;
        const left = index === null ? -10 : this.plot.valToPos(this.data.times[index], "x") + 1;
        this.plot.setCursor({ left, top: index === null ? -10 : 10 });
    }

    /** Write the values of the pointed window, otherwise of the last one. */
    tell() {
        if (!this.data) return;
        const pointed = this.plot?.cursor.left >= 0 ? this.plot.cursor.idx : null;
        const index = pointed ?? this.data.times.length - 1;
        const items = this.plan.series.map((series, row) => {
            const value = this.values[row][index];
            return [series, say(series.label ?? `series.${series.name}`), value == null ? "–" : this.plan.write(value)];
        });
        write(this.when, pointed == null ? "" : clock(this.data.times[index]));
        refill(this.legend, items.map((item) => item.slice(1)), () => items.map(([series, name, value]) =>
            make("li", {}, make("span", { class: `swatch ${series.color.slice(2)}` }), `${name} `, make("b", {}, value))));
        const told = items.map(([, name, value]) => `${name} ${value}`).join(", ");
        this.holder.setAttribute("aria-label", `${say(`chart.${this.plan.name}`)}, ${clock(this.data.times[index])}: ${told}. ${say("chart.keys")}`);
    }
}

/** Sums from the bottom to the top, since uPlot does not stack. */
function stacked(rows) {
    const sums = new Array(rows[0].length).fill(0);
    return rows.map((row) => row.map((value, index) => value == null ? null : (sums[index] += value)));
}

/** A dashed line at a value. */
function markLine(plot, value) {
    const y = Math.round(plot.valToPos(value, "y", true)), context = plot.ctx;
    context.save();
    context.strokeStyle = color("--bad");
    context.setLineDash([4, 4]);
    context.beginPath();
    context.moveTo(plot.bbox.left, y);
    context.lineTo(plot.bbox.left + plot.bbox.width, y);
    context.stroke();
    context.restore();
}

const charts = CHARTS.map((plan) => new Chart(plan, byId("chart-grid")));

/** Show the series of /stats. */
function showCharts(numbers) {
    const series = numbers.series, count = series.in_flight.length, step = series.window_seconds;
    const last = numbers.time - series.window_age_seconds;
    const data = { ...series, until: last + step, times: series.in_flight.map((_, index) => last - (count - 1 - index) * step) };
    for (const chart of charts) chart.show(data);
}
