// What every instrument of the book shares. base.py puts this text before an instrument's own file,
// and the two make one ES module: no import, no request, no library, so it runs from a USB stick.
//
// An instrument's file ends with `export default tk.instrument(build)`. `build(view)` fills
// view.controls, view.stage (class tk-view: the drawing) and view.readout (read out by screen
// readers), and calls view.on(...) for whatever should happen later; all of that is undone when
// the view is removed.
const tk = (() => {
  // Each instrument is a module of its own, so a counter alone would repeat on a page with several.
  const unique = Math.random().toString(36).slice(2, 8);
  let serial = 0;
  const newId = () => `tk-${unique}-${++serial}`;

  const make = (namespace) => (tag, attributes = {}, ...children) => {
    const node = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === false || value === null || value === undefined) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  };
  const html = make(null);
  const svg = make("http://www.w3.org/2000/svg");

  // The site, JupyterLab and VS Code each say in their own way that they are dark; elsewhere the
  // page's own background decides.
  function isDark() {
    const site = document.documentElement.dataset.theme;
    if (site) return site === "dark";
    const lab = document.body.dataset.jpThemeLight;
    if (lab) return lab === "false";
    if (document.body.dataset.vscodeThemeKind) return document.body.dataset.vscodeThemeKind.includes("dark");
    const [r, g, b, alpha = 1] = (getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g) || []).map(Number);
    return alpha > 0 && 0.2126 * r + 0.7152 * g + 0.0722 * b < 100;
  }

  function followTheme(root, changed, undo) {
    const apply = () => {
      const theme = isDark() ? "dark" : "light";
      if (root.dataset.tkTheme === theme) return;
      root.dataset.tkTheme = theme;
      changed.forEach((react) => react());
    };
    apply();
    const observer = new MutationObserver(apply);
    for (const node of [document.documentElement, document.body])
      observer.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "data-vscode-theme-kind", "class", "style"] });
    const media = matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", apply);
    undo.push(() => observer.disconnect(), () => media.removeEventListener("change", apply));
  }

  // Numbers as the book writes them: 25,557,032 and 51.1, with a true minus sign.
  const number = (value, digits = 0) =>
    value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "\u2212");

  function bytes(count) {
    const [unit, name] = count >= 1e6 ? [1e6, "MB"] : count >= 1e3 ? [1e3, "kB"] : [1, "B"];
    const scaled = count / unit;
    return `${number(scaled, unit === 1 ? 0 : scaled < 10 ? 2 : 1)} ${name}`;
  }

  // Binary state arrives as a DataView; typed arrays must start at a multiple of their item size.
  function array(view, Type) {
    const copy = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    return new Type(copy);
  }

  class View {
    constructor(model, root, undo) {
      this.colors = new Map(); // a style that is looked up at every stroke costs more than the stroke
      const forget = () => this.colors.clear();
      Object.assign(this, { model, root, undo, themeReactions: [forget], sizeReactions: [] });
      this.controls = html("div", { class: "tk-controls" });
      this.stage = html("div", { class: "tk-view" });
      this.readout = html("div", { class: "tk-readout", role: "status", "aria-live": "polite" });
    }

    get(trait) { return this.model.get(trait); }

    // What the reader sets goes to Python when there is a kernel, and to nobody when there is none.
    set(trait, value) {
      this.model.set(trait, value);
      this.model.save_changes();
    }

    on(trait, react) {
      const event = `change:${trait}`;
      this.model.on(event, react);
      this.undo.push(() => this.model.off(event, react));
    }

    onTheme(react) { this.themeReactions.push(react); }

    onSize(react) { this.sizeReactions.push(react); }

    color(name) {
      if (!this.colors.has(name)) this.colors.set(name, getComputedStyle(this.root).getPropertyValue(`--tk-${name}`).trim());
      return this.colors.get(name);
    }

    // A slider bound to a trait. `text` says the value in words, for the eye and the screen reader.
    range({ label, trait, min, max, step = 1, text = String, from = Number, to = Number }) {
      const id = newId();
      const input = html("input", {
        type: "range", id, min, max, step, value: to(this.get(trait)),
        "data-lm-suppress-shortcuts": "true", // or JupyterLab takes the arrow keys
        oninput: () => this.set(trait, from(input.value)),
      });
      const shown = html("span", { class: "tk-value", "aria-hidden": "true" });
      const node = html("div", { class: "tk-control" },
        html("label", { for: id }, label), html("div", { class: "tk-slide" }, input, shown));
      const update = () => {
        input.value = to(this.get(trait));
        shown.textContent = text(this.get(trait));
        input.setAttribute("aria-valuetext", text(this.get(trait)));
      };
      update();
      this.on(trait, update);
      return { node, input, update };
    }

    // A choice bound to a trait: a row of radio buttons, or a select box when there are many.
    choice({ label, trait, options, many = options.length > 5 }) {
      const id = newId();
      const pick = (value) => this.set(trait, value);
      const inputs = [];
      let node;
      if (many) {
        const select = html("select", { id, "data-lm-suppress-shortcuts": "true", onchange: () => pick(options[select.selectedIndex][0]) },
          ...options.map(([value, name]) => html("option", { value }, name)));
        inputs.push(select);
        node = html("div", { class: "tk-control" }, html("label", { for: id }, label), select);
      } else {
        node = html("fieldset", { class: "tk-control tk-radios" }, html("legend", {}, label),
          ...options.map(([value, name], i) => {
            const input = html("input", { type: "radio", name: id, id: `${id}-${i}`, "data-lm-suppress-shortcuts": "true", onchange: () => pick(value) });
            inputs.push(input);
            return html("label", { for: `${id}-${i}` }, input, html("span", {}, name));
          }));
      }
      const update = () => {
        const at = options.findIndex(([value]) => value === this.get(trait));
        if (many) inputs[0].selectedIndex = at;
        else inputs.forEach((input, i) => { input.checked = i === at; });
      };
      update();
      this.on(trait, update);
      return { node, inputs, update };
    }

    // A button that moves a slider on, a step each so many milliseconds, until it is pressed again or is at its end. Who
    // has asked the system for less motion gets the end at once, or the beginning again.
    player({ slider, trait, at, last, milliseconds, say }) {
      let timer = null;
      const button = html("button", { type: "button", onclick: () => (timer ? pause() : start()) }, "Play");
      const pause = () => {
        clearInterval(timer);
        timer = null;
        button.textContent = "Play";
        this.readout.setAttribute("aria-live", "polite");
        say();
      };
      const next = () => (at() < last() ? this.set(trait, at() + 1) : pause());
      const start = () => {
        if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.set(trait, at() === last() ? 0 : last());
        if (at() === last()) this.set(trait, 0);
        button.textContent = "Pause";
        this.readout.setAttribute("aria-live", "off"); // while it plays, a screen reader is not told every step
        timer = setInterval(next, milliseconds);
        next();
      };
      this.undo.push(() => clearInterval(timer));
      slider.node.querySelector(".tk-slide").append(button);
      return { pause: () => timer && pause() };
    }

    // Controls for a table of settings (grid.py): the technique, and the options of the one chosen.
    // `changed(technique, row)` is called at once and after every change; row is the setting's number.
    grid(techniques, changed) {
      const nearest = (axis) => {
        const value = this.get(axis.name), at = axis.values.indexOf(value);
        if (at >= 0 || typeof value !== "number") return Math.max(at, 0);
        return axis.values.reduce((best, v, i) => (Math.abs(v - value) < Math.abs(axis.values[best] - value) ? i : best), 0);
      };
      const which = this.choice({ label: "Technique", trait: "technique", options: techniques.map((t) => [t.name, t.label]) });
      which.node.classList.add("tk-whole");
      this.controls.classList.add("tk-two");
      this.controls.append(which.node);
      const groups = techniques.map((technique) => technique.axes.map((axis) => {
        const numeric = typeof axis.values[0] === "number";
        const control = numeric
          ? this.range({ label: axis.label, trait: axis.name, min: 0, max: axis.values.length - 1,
            to: () => nearest(axis), from: (position) => axis.values[position], text: () => axis.words[nearest(axis)] })
          : this.choice({ label: axis.label, trait: axis.name, options: axis.values.map((v, i) => [v, axis.words[i]]) });
        this.controls.append(control.node);
        return control;
      }));
      const update = () => {
        const at = techniques.findIndex((t) => t.name === this.get("technique")), technique = techniques[at];
        groups.forEach((controls, i) => controls.forEach((control, k) => {
          control.node.hidden = i !== at || technique.axes[k].values.length < 2;
        }));
        this.root.style.setProperty("--tk-accent", `var(--tk-${technique.color})`);
        const row = technique.axes.reduce((sum, axis) => sum * axis.values.length + nearest(axis), 0);
        changed(technique, technique.first + row);
      };
      for (const name of new Set(["technique", ...techniques.flatMap((t) => t.axes.map((axis) => axis.name))])) this.on(name, update);
      update();
    }

    // A canvas that stays sharp: `draw(context, width, height)` works in CSS pixels.
    canvas({ label, height, draw }) {
      const node = html("canvas", { role: "img", "aria-label": label });
      const paint = () => {
        const width = node.clientWidth, tall = typeof height === "function" ? height(width) : height;
        if (!width) return;
        const dense = window.devicePixelRatio || 1;
        node.style.height = `${tall}px`;
        node.width = Math.round(width * dense);
        node.height = Math.round(tall * dense);
        const context = node.getContext("2d");
        context.setTransform(node.width / width, 0, 0, node.height / tall, 0, 0);
        draw(context, width, tall);
      };
      this.onTheme(paint);
      this.onSize(paint);
      return { node, paint };
    }
  }

  function instrument(name, build) {
    return {
      render({ model, el }) {
        const undo = [];
        const root = html("div", { class: "tk-instrument", "data-instrument": name, role: "group", "aria-label": model.get("label") });
        el.append(root);
        const view = new View(model, root, undo);
        root.append(view.controls, view.stage, view.readout);
        followTheme(root, view.themeReactions, undo);
        build(view);
        let width = 0;
        const sized = new ResizeObserver(() => {
          if (!root.clientWidth || root.clientWidth === width) return; // hidden, it has no size to draw at
          width = root.clientWidth;
          view.sizeReactions.forEach((react) => react(width));
        });
        sized.observe(root);
        undo.push(() => sized.disconnect());
        return () => undo.splice(0).forEach((step) => step());
      },
    };
  }

  return { html, svg, number, bytes, array, newId, instrument };
})();
