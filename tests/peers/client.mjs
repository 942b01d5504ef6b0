// A client of Node's tls module, for the tests: client.mjs MODE PORT NAME
//
// half-close  sends a line, ends its side, and prints the answer
// ask         prints what it reads, or the error
// anonymous   as ask, without a certificate

import { readFileSync } from "node:fs";
import { connect } from "node:tls";

const [mode, port, name] = process.argv.slice(2);
const own = mode === "anonymous" ? {} : { cert: readFileSync("sleep.pem"), key: readFileSync("sleep.key") };

const socket = connect({
  host: "127.0.0.1",
  port: Number(port),
  servername: name,
  ca: readFileSync("cluster-2.pem"),
  ALPNProtocols: ["istio"],
  ...own,
  // The gateway is known by its SPIFFE ID, not by a host name.
  checkServerIdentity: (_, { subjectaltname }) =>
    subjectaltname === "URI:spiffe://cluster.local/ns/istio-system/sa/eastwest" ? undefined : new Error("a stranger"),
});

socket.on("data", (piece) => process.stdout.write(piece));
socket.on("error", (error) => {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
});
// close_notify, then FIN; reading goes on until the other side ends as well.
if (mode === "half-close") socket.end("a line from node\n");
