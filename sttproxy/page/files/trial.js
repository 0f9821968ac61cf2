// Try it: send a recording, and see what comes back and what was done to it.

const TRIAL_PATH = document.body.dataset.path.replace(/^\//, "");
const MOST_RECORDED_S = 300;
const ENDINGS = { "audio/webm": "webm", "audio/ogg": "ogg", "audio/mp4": "m4a", "audio/wav": "wav" };

let recorder = null;
let recorded = null;
let trial = null;

function chosenRecording() {
    return byId("recording").files[0] ?? recorded;
}

function readyToSend() {
    byId("send").disabled = !chosenRecording() || trial !== null || recorder !== null;
}

byId("recording").addEventListener("change", () => {
    if (byId("recording").files.length) hear(null);
    readyToSend();
});

/** Take a recording of the microphone, or drop it. */
function hear(file) {
    const player = byId("heard");
    if (player.src) URL.revokeObjectURL(player.src);
    recorded = file;
    player.hidden = !file;
    if (file) player.src = URL.createObjectURL(file);
    else player.removeAttribute("src");
}

byId("record").addEventListener("click", () => recorder ? recorder.stop() : record());

async function record() {
    if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
        tell(byId("record-help"), "trial.record.insecure");
        return;
    }
    let stream;
    try {
        stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
        tell(byId("record-help"), "trial.record.denied", { error: error.message });
        return;
    }
    const pieces = [], began = performance.now();
    recorder = new MediaRecorder(stream);
    const ticking = setInterval(() => {
        const seconds = (performance.now() - began) / 1000;
        tell(byId("record-help"), "trial.recording.now", { age: age(seconds) });
        if (seconds >= MOST_RECORDED_S) recorder?.stop();
    }, 250);
    recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
    recorder.addEventListener("stop", () => {
        clearInterval(ticking);
        stream.getTracks().forEach((track) => track.stop());
        const type = recorder.mimeType.split(";")[0];
        recorder = null;
        byId("recording").value = "";
        hear(new File(pieces, `microphone.${ENDINGS[type] ?? "webm"}`, { type }));
        tell(byId("record-help"), "trial.recorded", { size: bytes(recorded.size) });
        showRecording();
    });
    recorder.start();
    showRecording();
}

function showRecording() {
    byId("record").classList.toggle("recording", recorder !== null);
    tell(byId("record-text"), recorder ? "trial.record.end" : "trial.record");
    readyToSend();
}

byId("trial-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (chosenRecording() && !trial) send(chosenRecording());
});
byId("stop").addEventListener("click", () => trial?.abort());

/** A name for one request, by which its record is found again. */
const freshId = () => `page-${[...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

async function send(file) {
    const profile = byId("profile").value, id = freshId(), form = new FormData();
    form.append("model", byId("model").value);
    form.append("response_format", byId("format").value);
    form.append("file", file, file.name);
    trial = new AbortController();
    const began = performance.now();
    const ticking = setInterval(() => tell(byId("outcome"), "trial.under_way", { age: age((performance.now() - began) / 1000) }), 500);
    byId("transcript").hidden = byId("done").hidden = true;
    byId("stop").hidden = false;
    byId("result").className = "busy";
    tell(byId("outcome"), "trial.under_way", { age: age(0) });
    readyToSend();
    try {
        const answer = await fetch(BASE + (profile ? `profiles/${encodeURIComponent(profile)}/` : "") + TRIAL_PATH, {
            method: "POST", body: form, headers: { "X-Request-ID": id, ...authorization() }, signal: trial.signal, credentials: "same-origin",
        });
        showTranscript(answer, await answer.text());
    } catch (error) {
        byId("result").className = "failed";
        if (trial.signal.aborted) tell(byId("outcome"), "trial.stopped");
        else tell(byId("outcome"), "trial.failed", { error: error.message });
    } finally {
        clearInterval(ticking);
        trial = null;
        byId("stop").hidden = true;
        readyToSend();
    }
    await showDone(id);
}

function showTranscript(answer, body) {
    const place = byId("transcript");
    let text = body, error = "";
    if (answer.headers.get("content-type")?.startsWith("application/json")) {
        try {
            const content = JSON.parse(body);
            error = content.error?.message ?? "";
            text = content.text ?? body;
        } catch { /* shown as it is */ }
    }
    byId("result").className = answer.ok ? "good" : "failed";
    tell(byId("outcome"), answer.ok ? "trial.answered" : "trial.refused", { status: answer.status });
    write(place, (error || text).trim() || say("trial.silence"));
    place.hidden = false;
}

/** Find the record of the request, and show its fields and phases. */
async function showDone(id) {
    for (let attempt = 0; attempt < 5; attempt += 1) {
        await poll();
        const entry = entries.find((each) => each.request_id === id);
        if (entry) {
            showEntry(entry);
            return;
        }
        await new Promise((resolve) => setTimeout(resolve, 300));
    }
}

let entryShown = null;

function showEntry(entry) {
    entryShown = entry;
    const acts = ACTS.filter((act) => entry.fields[act]?.length);
    byId("done-fields").replaceChildren(...(acts.length ? acts.map((act) => make("li", { class: `chip ${act}` }, `${say(`act.${act}`)}: `, make("code", {}, entry.fields[act].join(", ")))) : [make("li", { class: "empty" }, say("trial.untouched"))]));
    const seconds = phasesOf(entry);
    const rows = PHASES.map((phase) => make("div", {}, make("dt", {}, make("span", { class: `swatch ${phase}` }), say(`phase.${phase}`)), make("dd", {}, duration(seconds[phase]))));
    const total = make("div", { class: "total" }, make("dt", {}, say("phase.total")), make("dd", {}, duration(entry.total_seconds)));
    byId("done-phases").replaceChildren(phaseBar(seconds), make("dl", { class: "phase-list" }, rows, total), entry.audio_seconds ? make("p", {}, say("size.audio", { age: duration(entry.audio_seconds), factor: factor(entry.audio_seconds / entry.total_seconds) })) : "");
    byId("done").hidden = false;
}

if (!TRIAL_PATH) {
    byId("trial-nowhere").hidden = false;
    byId("trial-form").hidden = byId("result").hidden = true;
}
