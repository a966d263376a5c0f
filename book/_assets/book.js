// A page opened from a file may not read another one, so the search there lists titles without excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}

// Code and output that is wider than the page scrolls in its box; a keyboard must reach the box to scroll it.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("pre, .cell_output .text_html, mjx-container")) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  }
});
