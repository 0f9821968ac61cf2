// A client on Node's http2 module.  Arguments: the URL of the proxy, and the authority's certificate or "".
// It uploads on several streams at a time, aborts some, and prints what it got as JSON.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";

const [url, authority] = process.argv.slice(2);
const session = connect(url, authority ? { ca: readFileSync(authority) } : {});

function upload(size) {
  const body = randomBytes(size);
  const stream = session.request({ ":method": "POST", ":path": "/v1/files", "content-length": size });
  return new Promise((resolve, reject) => {
    let status, text = "";
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.setEncoding("utf8");
    stream.on("data", (piece) => (text += piece));
    stream.on("end", () => {
      const digest = createHash("sha256").update(body).digest("hex");
      resolve(status === 200 && JSON.parse(text).sha256 === digest);
    });
    stream.on("error", reject);
    stream.end(body);
  });
}

function aborted() {
  const stream = session.request({ ":method": "POST", ":path": "/v1/files", "content-length": 1000000 });
  return new Promise((resolve) => {
    stream.on("error", () => {});
    stream.on("close", () => resolve(true));
    stream.write(Buffer.alloc(1000), () => stream.close(8));
  });
}

const sizes = [0, 1, 1000, 100000, 1000000, 3000000];
const intact = await Promise.all([...sizes.map(upload), aborted(), aborted()]);
intact.push(await upload(200000));
console.log(JSON.stringify({ intact, protocol: session.alpnProtocol }));
session.close();
