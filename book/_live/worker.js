// The worker of the live cells: Pyodide, with every file that it asks for answered from memory.
//
// live.js puts this text behind Pyodide's own two scripts into one Blob. It sends {files, module} first, then
// one request at a time, each with an id; each is answered with "done" or "failed".
"use strict";

const MEMORY = "memory:/"; // where Pyodide believes that its files are
const MOUNT = "/mounted";
let files, python, cells;

const post = (message, transfer = []) => self.postMessage(message, transfer);

// What Pyodide loads, it loads with these two; no other request has an answer.
self.fetch = async (address) => {
  const name = String(address.url || address).replace(MEMORY, "");
  if (!(name in files)) throw new TypeError(`Python in the page may not ask for ${name}.`);
  return new Response(files[name], { status: 200 });
};

function answerWith(module) {
  WebAssembly.instantiateStreaming = async (response, imports) => {
    await response;
    return { module, instance: await WebAssembly.instantiate(module, imports) };
  };
}

async function start(message) {
  const tell = (share, text) => post({ type: "progress", id: 0, share, text });
  files = message.files;
  answerWith(message.module);
  python = await loadPyodide({ indexURL: MEMORY, checkIntegrity: false });
  tell(0.5, "Loading NumPy");
  await python.loadPackage("numpy", { messageCallback() {}, checkIntegrity: false });
  tell(0.75, "Loading toykit");
  const site = python.runPython("import site; site.getsitepackages()[0]");
  const read = async (name) => (await self.fetch(name)).arrayBuffer();
  python.unpackArchive(await read("toykit.zip"), "zip", { extractDir: site });
  python.unpackArchive(await read("data.zip"), "zip", { extractDir: python.FS.cwd() });
  cells = python.pyimport("book_cells");
  python.runPython("import numpy, toykit.exercises.framework");
  files = {}; // all of it has been read
  post({ type: "started" });
}

function unmount() {
  if (!python.FS.analyzePath(MOUNT).exists) return;
  try {
    python.FS.unmount(MOUNT);
  } catch {
    // it holds copies, which go with the folder
  }
  python.runPython(`import shutil; shutil.rmtree("${MOUNT}", ignore_errors=True)`);
}

// Files of the page below `folder`: read in place where the browser can, else copied.
async function place(given, folder) {
  const { FS } = python;
  const blobs = given.filter(({ file }) => file instanceof Blob);
  FS.mkdirTree(folder);
  if (folder === MOUNT && blobs.length === given.length && self.FileReaderSync) {
    const named = blobs.map(({ path, file }) => ({ name: path, data: file }));
    FS.mount(FS.filesystems.WORKERFS, { blobs: named }, MOUNT);
    return;
  }
  for (const { path, file } of given) {
    const target = `${folder}/${path}`;
    FS.mkdirTree(target.replace(/\/[^/]*$/, ""));
    FS.writeFile(target, new Uint8Array(file instanceof Blob ? await file.arrayBuffer() : file));
  }
}

// A Python dict as a plain object, with its arrays moved out of Python's memory and null for None.
function taken(proxy) {
  const value = proxy.toJs({ dict_converter: Object.fromEntries, create_pyproxies: false });
  proxy.destroy();
  const buffers = [];
  const finish = (inner) => {
    if (ArrayBuffer.isView(inner)) buffers.push(inner.buffer);
    else if (inner && typeof inner === "object") for (const key of Object.keys(inner)) inner[key] = finish(inner[key]);
    return inner ?? null;
  };
  return { answer: finish(value), buffers };
}

const REQUESTS = {
  async run({ id, code, namespace, before, reset, name, files: given }) {
    await place(given, python.FS.cwd());
    const began = () => post({ type: "began", id });
    const tell = (stream, text) => post({ type: "output", id, stream, text });
    return taken(cells.run(code, namespace, python.toPy(before), reset, name, began, tell));
  },

  async call({ id, module, function: called, args, kwargs, files: given, progress }) {
    if (given.length) {
      unmount();
      await place(given, MOUNT);
    }
    post({ type: "began", id });
    const told = progress ? (share, text) => post({ type: "progress", id, share: share ?? null, text }) : undefined;
    const tell = (stream, text) => post({ type: "output", id, stream, text });
    return taken(cells.call(module, called, python.toPy(args), python.toPy(kwargs), MOUNT, told, tell));
  },

  async unmount() {
    unmount();
    return { answer: null, buffers: [] };
  },
};

self.onmessage = async ({ data }) => {
  if (data.type === "start") {
    try {
      await start(data);
    } catch (error) {
      post({ type: "broken", message: String(error) });
    }
    return;
  }
  try {
    const { answer, buffers } = await REQUESTS[data.type](data);
    post({ type: "done", id: data.id, answer }, buffers);
  } catch (error) {
    // Python itself has failed, as by a stack that is too deep for the browser: it is not used again.
    post({ type: "failed", id: data.id, message: String(error) });
  }
};
