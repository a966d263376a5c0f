// Python in the page: `window.tkLive`.
//
// A click loads one script that holds Pyodide, NumPy and toykit as text (book/_tools/live.py packs it), and a
// worker made of that text runs them. A page that is opened from a file may load a script and start a worker from
// memory, but not fetch: so every page does it this way, and nothing is asked of any other address.
(() => {
  "use strict";

  const here = document.currentScript;
  const SCRIPTS = ["pyodide.asm.js", "pyodide.js", "worker.js"]; // the worker's text, in this order
  const LOOP = "Is there a loop whose condition never becomes false?";

  let loading = null; // promise of {text, files, module}
  let worker = null; // promise of a worker that is ready; its `end` stops it
  let queue = Promise.resolve(); // one request at a time
  let requests = 0;

  const tkLive = {
    available: Boolean(here.dataset.pack),
    bytes: Number(here.dataset.bytes || 0),
    instead:
      "This copy of the book was built without Python for the page. To do the exercise, open its chapter in " +
      "JupyterLab: run “make lab” in the book's folder.",
    state: "idle",
    start,
    run,
    call,
    stop,
    unmount,
  };

  function become(state) {
    if (tkLive.state === state) return;
    tkLive.state = state;
    document.dispatchEvent(new CustomEvent("tklive", { detail: { state } }));
  }

  function bytesOf(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    const letters = atob(base64);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  const unpacked = (base64) =>
    new Response(new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();

  function loadScript() {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(here.dataset.pack, here.src).href;
      script.onload = () => {
        const pack = window.tkLivePack;
        delete window.tkLivePack;
        script.remove();
        if (pack) resolve(pack);
        else reject(new Error("The file of Python is damaged: copy the book again."));
      };
      script.onerror = () => {
        script.remove();
        reject(new Error(`The file ${here.dataset.pack} could not be read: is the book's folder complete?`));
      };
      document.head.append(script);
    });
  }

  async function load(tell) {
    if (!tkLive.available) throw new Error(tkLive.instead);
    tell(0, `Loading Python (${(tkLive.bytes / 1e6).toFixed(0)} MB, once)`);
    const pack = await loadScript();
    tell(0.2, "Unpacking Python");
    const names = Object.keys(pack);
    const blobs = await Promise.all(names.map((name) => unpacked(pack[name])));
    const files = Object.fromEntries(names.map((name, i) => [name, blobs[i]]));
    const text = new Blob(SCRIPTS.flatMap((name) => [files[name], "\n;\n"]), { type: "text/javascript" });
    const module = await WebAssembly.compile(await files["pyodide.asm.wasm"].arrayBuffer());
    return { text, files, module };
  }

  // A worker that has not begun yet; `listen` is told what it says, until it ends.
  function makeWorker(text) {
    const address = URL.createObjectURL(text);
    const made = new Worker(address);
    made.listen = () => {};
    made.end = (why) => {
      made.terminate();
      URL.revokeObjectURL(address);
      made.listen({ type: "ended", ...why });
    };
    made.onmessage = ({ data }) => made.listen(data);
    made.onerror = (event) => {
      event.preventDefault?.();
      made.listen({ type: "broken", message: event.message || "The browser did not start the worker." });
    };
    return made;
  }

  function ready(tell) {
    if (worker) return worker;
    const made = begin(tell);
    worker = made;
    made.catch((error) => {
      if (worker !== made) return;
      worker = null;
      become(error.kind === "stopped" ? "idle" : "failed");
    });
    return made;
  }

  const stopped = () => Object.assign(new Error("This was stopped."), { kind: "stopped" });
  let starting = null; // the worker that is being started, so that stop() finds it
  let stops = 0;

  async function begin(tell) {
    const before = stops;
    become("loading");
    loading ??= load(tell);
    loading.catch(() => (loading = null));
    const { text, files, module } = await loading;
    if (stops !== before) throw stopped();
    tell(0.4, "Starting Python");
    const made = makeWorker(text);
    starting = made;
    await new Promise((resolve, reject) => {
      made.listen = (said) => {
        if (said.type === "progress") tell(said.share, said.text);
        if (said.type === "started") resolve();
        if (said.type === "ended") reject(stopped());
        if (said.type === "broken") {
          made.terminate();
          reject(new Error(`Python could not be started in this browser. ${said.message}`));
        }
      };
      made.postMessage({ type: "start", files, module });
    });
    starting = null;
    made.listen = () => {};
    tell(1, "Python is ready");
    become("ready");
    return made;
  }

  // The answer of the worker to one request; a worker that does not answer in time is ended, and the next one made.
  async function ask(request, { timeout, onOutput, onProgress, transfer = [] }) {
    const used = ready((share, text) => onProgress?.(share, text));
    const made = await used;
    const id = ++requests;
    let clock;
    become("busy");
    const said = await new Promise((resolve) => {
      made.listen = (message) => {
        if (message.type === "ended" || message.type === "broken") resolve(message);
        if (message.id !== id) return;
        if (message.type === "began" && timeout) {
          clearTimeout(clock);
          clock = setTimeout(() => {
            const message = `This had not finished after ${timeout} seconds, so it was stopped. ${LOOP}`;
            made.end({ kind: "timeout", message });
          }, timeout * 1000);
        }
        if (message.type === "output") onOutput?.({ stream: message.stream, text: message.text });
        if (message.type === "progress") onProgress?.(message.share, message.text);
        if (message.type === "done" || message.type === "failed") resolve(message);
      };
      try {
        made.postMessage({ ...request, id }, transfer);
      } catch (error) {
        resolve({ type: "refused", kind: "arguments", message: error.message });
      }
    });
    clearTimeout(clock);
    made.listen = () => {};
    if (said.type === "done") {
      become("ready");
      return said.answer;
    }
    if (said.type === "refused") {
      become("ready");
    } else {
      made.terminate();
      if (worker === used) worker = null;
      if (!worker) become("idle");
      if (said.kind === "timeout" || said.type === "failed") ready(() => {}).catch(() => {});
    }
    const failed = "Python in the page has failed and starts anew.";
    const message = said.kind ? said.message : `${failed} ${said.message}`;
    throw Object.assign(new Error(message), { kind: said.kind || "start" });
  }

  // Requests wait for each other, whatever becomes of them.
  function inTurn(work) {
    const turn = queue.then(work);
    queue = turn.catch(() => {});
    return turn;
  }

  async function start(onProgress) {
    await ready((share, text) => onProgress?.({ share, text }));
  }

  async function run(options) {
    const { code, namespace = "page", before = [], reset = false, timeout = 10, files = [], name = "cell" } = options;
    const { onOutput, onProgress } = options;
    const request = { type: "run", code, namespace, before: [...before], reset, files: [...files], name };
    let began = performance.now();
    const printed = [];
    const keep = (piece) => {
      printed.push(piece.text);
      onOutput?.(piece);
    };
    const tell = (share, text) => onProgress?.({ share, text });
    let answer;
    try {
      answer = await inTurn(() => {
        began = performance.now();
        return ask(request, { timeout, onOutput: keep, onProgress: tell });
      });
    } catch (error) {
      const place = { line: null, column: null, traceback: [], before: null };
      const said = { kind: error.kind || "start", type: "", message: error.message, ...place };
      answer = { ok: false, output: printed.join(""), value: null, error: said, fresh: false };
    }
    return { ...answer, seconds: (performance.now() - began) / 1000 };
  }

  async function call(module, called, options = {}) {
    const { args = [], kwargs = {}, files = [], timeout = null, transfer = [], onOutput, onProgress } = options;
    const request = { type: "call", module, function: called, args, kwargs, files, progress: Boolean(onProgress) };
    const answer = await inTurn(() => ask(request, { timeout, onOutput, onProgress, transfer }));
    if (!answer.error) return answer.value;
    const { type, message, traceback } = answer.error;
    throw Object.assign(new Error(message), { kind: "python", type, traceback });
  }

  function stop() {
    const { kind, message } = stopped();
    stops++;
    starting?.end({ kind, message });
    starting = null;
    worker?.then((made) => made.end({ kind, message })).catch(() => {});
    worker = null;
    become("idle");
  }

  async function unmount() {
    if (worker) await inTurn(() => worker && ask({ type: "unmount" }, {}));
  }

  window.tkLive = tkLive;
})();
