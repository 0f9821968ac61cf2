// Reads forms with busboy or with undici (Response.formData): lines of JSON in, a line of JSON out for each.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const BIG = 1 << 30;

async function undici(type, body) {
  const form = await new Response(body, { headers: { "content-type": type } }).formData();
  const items = [];
  for (const [name, value] of form) {
    if (typeof value === "string") items.push([name, null, Buffer.from(value).toString("base64")]);
    else items.push([name, value.name, Buffer.from(await value.arrayBuffer()).toString("base64")]);
  }
  return items;
}

function busboy(type, body) {
  const open = createRequire(process.argv[3] + "/")("busboy");
  return new Promise((resolve, reject) => {
    const items = [];
    const limits = { fieldNameSize: BIG, fieldSize: BIG, fields: BIG, fileSize: BIG, files: BIG, parts: BIG };
    const reader = open({ headers: { "content-type": type }, limits, defParamCharset: "utf8" });
    reader.on("field", (name, value) => items.push([name, null, Buffer.from(value).toString("base64")]));
    reader.on("file", (name, stream, info) => {
      const item = [name, info.filename ?? "", ""];
      const pieces = [];
      items.push(item);
      stream.on("data", (piece) => pieces.push(piece));
      stream.on("end", () => (item[2] = Buffer.concat(pieces).toString("base64")));
    });
    reader.on("close", () => resolve(items));
    reader.on("error", reject);
    reader.end(body);
  });
}

const read = { undici, busboy }[process.argv[2]];
for await (const line of createInterface({ input: process.stdin })) {
  const { type, body } = JSON.parse(line);
  let answer;
  try {
    answer = await read(type, Buffer.from(body, "base64"));
  } catch (error) {
    answer = String(error?.cause ?? error);
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
