// A page without a browser: the book's own live.js and the script that it loads, in Node.js, where a thread with
// the globals of a web worker stands for one. Reads requests from standard input, a line of JSON each, and answers.
//
//   node page.cjs <live.js> <pack.js>
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");
const vm = require("node:vm");
const { resolveObjectURL } = require("node:buffer");
const threads = require("node:worker_threads");

const [live, pack] = process.argv.slice(2);

// What a worker of a browser has, and nothing by which Pyodide could take this for Node.js.
const LIKE_A_BROWSER = `
const { parentPort, workerData } = require("node:worker_threads");
const vm = require("node:vm");
globalThis.self = globalThis;
globalThis.location = new URL("blob:nodedata:worker");
globalThis.importScripts = () => { throw new Error("nothing is left to import"); };
globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
parentPort.on("message", (data) => self.onmessage({ data }));
delete globalThis.process;
vm.runInThisContext(workerData);
`;

class Worker {
  constructor(address) {
    const text = resolveObjectURL(address).text();
    this.thread = text.then((workerData) => {
      const thread = new threads.Worker(LIKE_A_BROWSER, { eval: true, workerData, stdout: true, stderr: true });
      thread.on("message", (data) => this.onmessage({ data }));
      thread.on("error", (error) => this.onerror(error));
      return thread;
    });
  }

  postMessage(message, transfer) {
    this.thread.then((thread) => thread.postMessage(message, transfer));
  }

  terminate() {
    this.thread.then((thread) => thread.terminate());
  }
}

Object.assign(globalThis, {
  window: globalThis,
  Worker,
  CustomEvent: class {},
  document: {
    currentScript: { src: "file:///site/live.js", dataset: pack ? { pack, bytes: "1" } : {} },
    createElement: () => ({ remove() {} }),
    dispatchEvent() {},
    head: {
      append(script) {
        let text;
        try {
          text = fs.readFileSync(pack, "utf8");
        } catch {
          return setTimeout(() => script.onerror());
        }
        try {
          vm.runInThisContext(text);
        } catch {
          // a browser, too, goes on when a script is cut off
        }
        return setTimeout(() => script.onload());
      },
    },
  },
});
vm.runInThisContext(fs.readFileSync(live, "utf8"));

// A file is given by its text, or by its place on this computer.
const blobs = (files = []) =>
  files.map(({ path, text, place }) => ({ path, file: new Blob([place ? fs.readFileSync(place) : text]) }));

const METHODS = {
  run: async (options) => {
    const pieces = [];
    const result = await tkLive.run({ ...options, files: blobs(options.files), onOutput: (piece) => pieces.push(piece) });
    return { ...result, pieces };
  },
  call: async ([module, name, options]) => {
    const progress = [];
    const tell = options.progress ? (share, text) => progress.push([share, text]) : undefined;
    try {
      const value = await tkLive.call(module, name, { ...options, files: blobs(options.files), onProgress: tell });
      return { value, kind: value?.constructor?.name, progress };
    } catch (error) {
      return { error: { ...error, message: error.message } };
    }
  },
  start: () => tkLive.start().catch((error) => ({ error: error.message })),
  stop: async () => tkLive.stop(),
  state: async () => tkLive.state,
  available: async () => [tkLive.available, tkLive.instead],
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method, options } = JSON.parse(line);
  const bytes = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
  let answer;
  try {
    answer = { id, answer: await METHODS[method](options) };
  } catch (error) {
    answer = { id, broken: error.stack };
  }
  process.stdout.write(JSON.stringify(answer, bytes) + "\n");
}).on("close", () => process.exit(0));
