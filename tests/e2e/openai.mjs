// The OpenAI SDK for JavaScript.  Arguments: the base URL, a recording, and the folder of its package.
// It prints the response to a transcription as JSON.  NODE_EXTRA_CA_CERTS names the authority.

import { createReadStream } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [baseURL, path, modules] = process.argv.slice(2);
const entry = createRequire(modules + "/").resolve("openai");
const { default: OpenAI } = await import(pathToFileURL(entry));
const client = new OpenAI({ baseURL, apiKey: "sk-test", maxRetries: 0 });
const answer = await client.audio.transcriptions.create({ model: "m", file: createReadStream(path) });
console.log(JSON.stringify(answer));
