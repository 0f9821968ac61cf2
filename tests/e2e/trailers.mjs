// Trailers with Node's own modules.
// "serve": servers of HTTP/1.1 and of HTTP/2 in clear, which respond with what they heard, and with trailers.
// "ask VERSION PORT PATH": a request with trailers; prints the response as JSON.
import http from "node:http";
import http2 from "node:http2";

const SENT = { "x-sum": "of the response", "grpc-status": "0", "set-cookie": "evil=1" };
const ASKED = { "x-sum": "of the request", authorization: "evil" };
const BODY = "a".repeat(100_000);

async function text(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function serve() {
  const heard = (headers, body, trailers) =>
    JSON.stringify({ te: headers.te ?? null, trailer: headers.trailer ?? null, size: body.length, trailers });
  const one = http.createServer(async (request, response) => {
    const body = await text(request);
    response.writeHead(200, { Trailer: "X-Sum" });
    response.write(heard(request.headers, body, request.trailers));
    response.addTrailers(SENT);
    response.end();
  });
  const two = http2.createServer();
  two.on("stream", async (stream, headers) => {
    let trailers = {};
    stream.on("trailers", (received) => (trailers = { ...received }));
    const body = await text(stream);
    stream.respond({ ":status": 200, trailer: "X-Sum" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(SENT));
    stream.end(heard(headers, body, trailers));
  });
  one.listen(0, "127.0.0.1", () =>
    two.listen(0, "127.0.0.1", () => console.log(`ports ${one.address().port} ${two.address().port}`)),
  );
}

function print(trailer, body, trailers) {
  console.log(JSON.stringify({ trailer: trailer ?? null, heard: JSON.parse(body), trailers }));
}

function ask(version, port, path) {
  const headers = { te: "trailers", trailer: "X-Sum", "content-type": "application/octet-stream" };
  if (version === "1") {
    const options = { port, path, method: "POST", headers, agent: false };
    const request = http.request(options, async (response) => {
      const body = await text(response);
      print(response.headers.trailer, body, response.trailers);
    });
    request.write(BODY);
    request.addTrailers(ASKED);
    request.end();
    return;
  }
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const request = session.request({ ":method": "POST", ":path": path, ...headers }, { waitForTrailers: true });
  let announced;
  let trailers = {};
  request.on("wantTrailers", () => request.sendTrailers(ASKED));
  request.on("response", (response) => (announced = response.trailer));
  request.on("trailers", (received) => (trailers = { ...received }));
  text(request).then((body) => {
    print(announced, body, trailers);
    session.close();
  });
  request.end(BODY);
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === "serve") serve();
else ask(...rest);
