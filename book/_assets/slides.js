// A deck of slides, made by book/_tools/slides.py. Without this script it is a page that reads from top to bottom, and on a
// phone, or at ?page, it stays one; elsewhere reveal.js shows it slide by slide, and at ?print-pdf as pages to print.
(() => {
  const query = new URLSearchParams(location.search), printing = query.has("print-pdf");
  const narrow = matchMedia("(max-width: 576px)"), dark = matchMedia("(prefers-color-scheme: dark)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // As the pages of the book: what the reader has chosen there, or else what their system says. Paper is light.
  function follow() {
    const chosen = localStorage.getItem("mode");
    const theme = ["light", "dark"].includes(chosen) ? chosen : dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = printing ? "light" : theme;
  }
  follow();
  dark.addEventListener("change", follow);

  // What is shown takes the largest size at which its box holds it. A tall instrument has its drawing beside its controls.
  function fit(box) {
    const inner = box.querySelector(".fits");
    if (!inner || !box.clientHeight) return;
    const scale = () => Math.min(box.clientWidth / inner.offsetWidth, box.clientHeight / inner.offsetHeight, 2.2);
    if (box.dataset.widget && scale() < 1) inner.classList.add("beside");
    inner.style.transform = `scale(${scale()})`;
  }

  function draw(section) {
    for (const box of section.querySelectorAll(".shown")) {
      const inner = box.querySelector(".fits"), data = inner?.querySelector("script");
      if (data) {
        const { state, arrays } = JSON.parse(data.textContent);
        for (const [name, text] of Object.entries(arrays))
          state[name] = new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
        inner.replaceChildren();
        tkInstruments[box.dataset.widget](inner, state);
      }
      if (!deck) continue;
      fit(box);
      if (inner && !box.watched) {
        box.watched = new ResizeObserver(() => fit(box));
        box.watched.observe(inner);
      }
    }
  }

  // The previews of the speaker's view are small, and slides all the same.
  const deck = printing || query.has("receiver") || !(narrow.matches || query.has("page"));
  document.addEventListener("DOMContentLoaded", async () => {
    const sections = [...document.querySelectorAll("section")];
    if (!deck) {
      sections.forEach(draw);
      if (!query.has("page")) narrow.addEventListener("change", () => location.reload());
      return;
    }
    document.querySelector(".deck").classList.add("reveal");
    if (printing) for (const image of document.images) image.loading = "eager";
    Reveal.on("pdf-ready", () => sections.forEach(draw));
    Reveal.on("slidechanged", ({ currentSlide }) => draw(currentSlide));
    // The keys of a clicker turn the page wherever the focus is; all others belong to the widget that has it.
    document.addEventListener("keydown", ({ key }) => /^Page/.test(key) && document.activeElement.blur(), true);
    await Reveal.initialize({
      width: 1280, height: 720, margin: 0, minScale: 0.1, maxScale: 4, center: false, hash: true, slideNumber: "c/t",
      scrollActivationWidth: null, pdfMaxPagesPerSlide: 1, pdfSeparateFragments: false, plugins: [RevealNotes],
      transition: still.matches ? "none" : "fade", transitionSpeed: "fast",
      keyboardCondition: () => !document.activeElement.closest(".shown"),
    });
    if (!printing) draw(Reveal.getCurrentSlide());
    if (!printing && !query.has("receiver")) narrow.addEventListener("change", () => location.reload());
  });
})();
