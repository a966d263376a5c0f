// Where a browser keeps nothing for a page, by its settings, it throws at the mere name of its storage, and scripts that
// only wanted to remember a colour end there. Such a page gets a storage that lasts as long as the page does.
for (const name of ["localStorage", "sessionStorage"]) {
  try {
    window[name].setItem("toykit-try", "");
    window[name].removeItem("toykit-try");
  } catch {
    const kept = new Map();
    window.tkForgets = true;
    Object.defineProperty(window, name, { configurable: true, value: {
      getItem: (key) => kept.get(String(key)) ?? null,
      setItem: (key, value) => { kept.set(String(key), String(value)); },
      removeItem: (key) => { kept.delete(String(key)); },
      clear: () => kept.clear(),
      key: (place) => [...kept.keys()][place] ?? null,
      get length() { return kept.size; },
    } });
  }
}
