"""Exercises and other cells are changed and run in the page: by keyboard, on a phone, where nothing is kept."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from .conftest import SITE
from .test_pages import STICKING_OUT
from .visit import PHONE, WIDE, Visit

PAGE = "notebooks/02_pruning.html"
PYTHON = 120_000  # milliseconds until Python must have started, on a busy machine
DATA = re.compile(r'<script type="application/json" id="live-cells">(.*?)</script>')

WRONG = "def pruning_mask(weights, sparsity):\n    print('shape', weights.shape)\n    return weights > 0\n"
RIGHT = (
    "def pruning_mask(weights, sparsity):\n    size = np.abs(weights)\n    if sparsity == 0:\n"
    "        return size > 0\n    return size > np.quantile(size, sparsity)\n"
)
BROKEN = "def divide(w):\n    return w / 0\n\n\ndef pruning_mask(weights, sparsity):\n    return 1\n\n\ndivide(1)\n"


def opened(browser, base, name=PAGE, viewport=WIDE, script=None):
    context = browser.new_context(viewport=viewport)
    if script:
        context.add_init_script(script)
    visit = Visit(context, SITE, base, name)
    if not visit.page.evaluate("window.tkLive?.available"):
        context.close()
        pytest.skip("Python for the pages cannot be had: the site was built without it")
    return visit


@pytest.fixture(scope="module")
def visit(browser, address):
    """The page in which Python starts once, for all tests that run something."""
    visit = opened(browser, address)
    yield visit
    assert not visit.faults, "\n".join(visit.faults)
    visit.page.context.close()


def exercise(visit, name="pruning_mask"):
    return Exercise(visit, visit.page.locator(".cell.tag_exercise", has_text=f"def {name}("))


class Exercise:
    """A cell of the page, with what a reader does to it."""

    def __init__(self, visit, cell):
        self.page, self.cell = visit.page, cell.element_handle()

    def button(self, name):
        return next(b for b in self.cell.query_selector_all("button") if b.inner_text() == name)

    @property
    def text(self):
        return "\n".join(line.inner_text().rstrip("\n") for line in self.cell.query_selector_all(".cm-line"))

    def write(self, text):
        if not self.cell.query_selector(".cm-content"):
            self.button("Edit").click()
            self.cell.wait_for_selector(".cm-content")
        self.cell.query_selector(".cm-content").focus()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)

    def check(self, press=None):
        """Check what is written, and return what the page says."""
        self.page.keyboard.press(press) if press else self.button("Check").click()
        self.page.wait_for_function(
            "cell => ![...cell.querySelectorAll('button')].some(b => b.textContent === 'Stop')",
            arg=self.cell,
            timeout=PYTHON,
        )
        return self.said

    @property
    def said(self):
        return self.cell.query_selector(".live-result").inner_text()


def test_an_answer_is_checked_and_the_stored_verdict_is_gone(visit):
    assert not visit.page.locator(".tk-check:visible").count()
    mask = exercise(visit)
    assert "Nothing is written here yet" in mask.check()
    mask.write(WRONG)
    said = mask.check("ControlOrMeta+Enter")
    assert "shape (4,)" in said and "Not yet" in said and "You gave" in said
    mask.write(RIGHT)
    assert "Passed" in mask.check()
    other = exercise(visit, "sparse_bytes")
    other.write("def sparse_bytes(weights):\n    return 2 * np.count_nonzero(weights)\n")
    assert "Not yet" in other.check()
    assert "Passed" in mask.said  # each has an answer of its own
    other.button("Reset").click()


def test_an_answer_is_kept_and_reset_can_be_taken_back(visit):
    mask = exercise(visit)
    mask.write(RIGHT)
    mask.button("Reset").click()
    assert "..." in mask.text and "quantile" not in mask.text
    mask.button("Undo").click()
    assert "quantile" in mask.text
    kept = visit.page.evaluate("JSON.parse(localStorage.getItem('toykit-answers'))")
    assert kept == {"02_pruning/pruning_mask": RIGHT}
    mask.button("Reset").click()
    assert visit.page.evaluate("localStorage.getItem('toykit-answers')") == "{}"


def test_an_error_shows_the_lines_of_the_reader_alone(visit):
    mask = exercise(visit)
    mask.write(BROKEN)
    said = mask.check()
    assert "ZeroDivisionError: division by zero" in said
    assert re.findall(r"line \d+.*", said) == ["line 9", "line 2, in divide"] and "/" not in said.replace(
        "w / 0", ""
    )
    mask.write("def pruning_mask(weights, sparsity)\n    return 1\n")
    assert "SyntaxError" in mask.check() and "line 1" in mask.said
    mask.write("def another_name(weights, sparsity):\n    return 1\n")
    assert "'pruning_mask' is not defined" in mask.check() and "check.pruning_mask(pruning_mask)" in mask.said
    mask.button("Reset").click()


def test_a_cell_to_try_is_changed_and_those_below_it_see_it(visit):
    first, below = (Exercise(visit, visit.page.locator(f".cell.tag_live-{n}")) for n in (6, 9))

    def run(cell, old=None, new=None):
        if old:
            cell.page.keyboard.press("ControlOrMeta+a")
            cell.page.keyboard.insert_text(cell.text.replace(old, new))
        cell.page.keyboard.press("ControlOrMeta+Enter")
        visit.page.wait_for_function(
            "cell => cell.querySelector('.live-result').innerText.match(/weights stay|bytes/)",
            arg=cell.cell,
            timeout=PYTHON,
        )
        return cell.said

    for cell in (first, below):
        cell.button("Try it").click()
        cell.cell.wait_for_selector(".cm-content")
    first.cell.query_selector(".cm-content").focus()
    assert "2 weights stay, 23 go" in run(first, "[12]", "[22]")
    assert not visit.page.locator(".cell.tag_live-6 .cell_output").is_visible()
    below.cell.query_selector(".cm-content").focus()
    assert run(below).startswith("2 values: 4 bytes")
    first.button("Reset").click()
    assert visit.page.locator(".cell.tag_live-6 .cell_output").is_visible()
    first.button("Run").click()  # as it is
    first.cell.wait_for_selector(".live-printed")
    first.button("Reset").click()
    assert visit.page.locator(".cell.tag_live-6 .cell_output").is_visible()


def test_every_cell_to_try_prints_what_is_stored(visit):
    seen = 0
    for path in sorted(Path(SITE, "notebooks").glob("0[1-7]*.html")):
        data = json.loads(DATA.search(path.read_text(encoding="utf-8"))[1])
        notebook = json.loads(Path("notebooks", f"{path.stem}.ipynb").read_text(encoding="utf-8"))
        for cell in data["cells"]:
            if not cell["name"]:
                options = {
                    "code": cell["text"],
                    "before": [code for _, code in cell["before"]],
                    "reset": True,
                }
                ran = visit.page.evaluate("options => tkLive.run(options)", options)
                outputs = notebook["cells"][cell["cell"]]["outputs"]
                stored = "".join("".join(output.get("text", ())) for output in outputs)
                assert (ran["output"], ran["error"]) == (stored, None), (path.stem, cell["cell"])
                seen += 1
    assert seen >= 29


# Says what it was asked, and runs nothing.
ASKED = """tkLive.run = async (options) => {
  window.asked = options;
  return { output: "", value: null, error: null, ok: true };
}"""


def test_a_cell_further_down_runs_with_the_readers_own_answer(browser, address):
    visit = opened(browser, address, "notebooks/07_calibration.html")
    page, below = visit.page, Exercise(visit, visit.page.locator(".cell.tag_live-42"))
    page.evaluate(ASKED)
    below.button("Try it").click()
    below.cell.wait_for_selector(".cm-content:focus")
    page.keyboard.press("ControlOrMeta+Enter")
    page.wait_for_function("window.asked?.before.some(code => code.includes('np.ix_'))")  # the solution's
    exercise(visit, "gptq_row").write("def gptq_row(row, hessian, scale, order):\n    return 'mine'\n")
    below.button("Run").click()
    page.wait_for_function("window.asked.before.some(code => code.includes('mine'))")
    assert not page.evaluate("window.asked.before.some(code => code.includes('np.ix_'))")
    page.context.close()


def test_with_the_editor_open_axe_finds_nothing_serious(visit):
    exercise(visit).write(WRONG + "# a comment, 1.5 and 'text'\n")
    exercise(visit).check()
    visit.page.locator(".live-answers > summary").click()
    where = {"include": [[".live-answers"], [".cell.tag_exercise"]]}
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
        visit.hold_still()
        options = {"resultTypes": ["violations"], "preload": False, **rules}
        response = Axe().run(visit.page, context=where, options=options).response
        bad = [rule for rule in response["violations"] if rule["impact"] in ("serious", "critical")]
        assert not bad, [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in bad]
    visit.page.emulate_media(color_scheme="light")
    visit.page.locator(".live-answers > summary").click()
    exercise(visit).button("Reset").click()


def test_a_loop_without_an_end_is_stopped_with_a_sentence(visit):
    mask = exercise(visit)
    visit.page.evaluate("bookCells.seconds = 1")
    mask.write("print('begun')\nwhile True:\n    pass\n")
    said = mask.check()
    assert "begun" in said and "had not finished after 1 second" in said and "loop" in said
    mask.write("while True:\n    print('and so on')\n")
    assert "had not finished" in mask.check() and len(mask.said) < 200_000
    visit.page.evaluate("bookCells.seconds = 10")
    mask.write(RIGHT)
    assert "Passed" in mask.check()  # Python has started anew
    mask.button("Reset").click()


def test_a_keyboard_is_enough(browser, address):
    visit = opened(browser, address)
    page, mask = visit.page, exercise(visit)
    mask.button("Edit").focus()
    page.keyboard.press("Enter")
    mask.cell.wait_for_selector(".cm-content:focus")
    described = page.evaluate(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent"
    )
    assert "Escape, then Tab" in described
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")  # back to the margin
    page.keyboard.type("x")
    page.keyboard.press("Backspace")
    page.keyboard.press("Tab")
    page.keyboard.type("return 1")
    assert mask.text.endswith("...\n    return 1")
    page.keyboard.press("ControlOrMeta+z")
    assert "return 1" not in mask.text
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    page.keyboard.type("#")
    page.keyboard.press("Tab")  # something was typed: Tab indents again
    assert page.evaluate("document.activeElement.className").startswith("cm-content")
    page.context.close()


def test_answers_are_saved_erased_and_loaded(browser, address, tmp_path):
    visit = opened(browser, address)
    page, mask = visit.page, exercise(visit)
    mask.write(RIGHT)
    visit.load()
    mask = exercise(visit)
    mask.cell.wait_for_selector(".cm-content")  # an answer that is there is shown
    assert mask.text == RIGHT.rstrip("\n") or mask.text == RIGHT
    page.locator(".live-answers > summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.name == "toykit-answers.py" and file.read_text() == f"# %% 02_pruning/pruning_mask\n{RIGHT}"
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_role("button", name="Keep them").click()
    assert "quantile" in mask.text
    page.get_by_role("button", name="Erase", exact=True).click()
    page.get_by_role("button", name="Erase all answers for good").click()
    assert "quantile" not in mask.text and page.evaluate("localStorage.getItem('toykit-answers')") == "{}"
    page.locator(".live-answers input[type=file]").set_input_files(file)
    page.wait_for_function(
        "document.querySelector('.live-answers [role=status]').textContent.includes('1 answer')"
    )
    assert "quantile" in mask.text
    (tmp_path / "other.py").write_text("x = 1\n")
    page.locator(".live-answers input[type=file]").set_input_files(tmp_path / "other.py")
    page.wait_for_function(
        "document.querySelector('.live-answers [role=status]').textContent.includes('holds no answers')"
    )
    page.context.close()


BLOCKED = """for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name,
  { configurable: true, get() { throw new DOMException("The operation is insecure.", "SecurityError"); } });"""
FULL = """Storage.prototype.setItem = (key) => {
  if (key === "toykit-answers") throw new DOMException("full", "QuotaExceededError"); };"""


@pytest.mark.parametrize("script", [BLOCKED, FULL], ids=["blocked", "full"])
def test_where_nothing_is_kept_answers_last_as_long_as_the_page(browser, tmp_path, script):
    visit = opened(browser, SITE.as_uri() + "/", script=script)
    page, mask = visit.page, exercise(visit)
    mask.write(RIGHT)
    summary = page.locator(".live-answers > summary")
    assert "keeps no more answers" in summary.inner_text()
    summary.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    download.value.save_as(tmp_path / "answers.py")
    assert "quantile" in (tmp_path / "answers.py").read_text()
    mask.button("Reset").click()
    assert "quantile" not in mask.text and not visit.faults
    page.context.close()


def test_on_a_phone_nothing_sticks_out_and_code_scrolls_in_its_box(browser, address):
    visit = opened(browser, address, viewport=PHONE)
    mask = exercise(visit)
    mask.write(RIGHT + "#" * 200)
    visit.settle()
    assert not visit.page.evaluate(STICKING_OUT)
    box = mask.cell.query_selector(".cm-scroller")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    size = mask.button("Check").bounding_box()
    assert size["height"] >= 24 and size["width"] >= 24
    visit.page.context.close()


def test_without_the_editor_a_plain_field_does_the_same(browser, address):
    visit = opened(
        browser, address, script="Object.defineProperty(window, 'bookEditor', { set() {}, get() {} });"
    )
    page, mask = visit.page, exercise(visit)
    mask.button("Edit").click()
    field = mask.cell.wait_for_selector("textarea:focus")
    page.keyboard.press("ControlOrMeta+End")
    page.keyboard.press("Tab")
    page.keyboard.type("# mine")
    assert field.input_value().endswith("    # mine")
    assert page.evaluate(
        "Object.values(JSON.parse(localStorage.getItem('toykit-answers')))[0].endsWith('# mine')"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Check"
    mask.button("Reset").click()
    assert "mine" not in field.input_value()
    page.context.close()


@pytest.mark.parametrize("script", [True, False])
def test_where_python_does_not_run_the_page_says_what_to_do(browser, address, script):
    context = browser.new_context(java_script_enabled=script, viewport=WIDE)
    page = context.new_page()
    page.route("**/live/live.js*", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(address + PAGE)
    note = page.locator(".live-instead")
    assert "JupyterLab" in note.text_content() and not page.locator(".live-bar").count()
    assert page.locator(".cell.tag_exercise + .cell").first.text_content().strip().startswith("check.")
    context.close()


# An exercise as a reader of Firefox does it, without the helpers of Playwright.
BY_HAND = """async () => {
  const until = async (found) => {
    while (!found()) await new Promise(done => setTimeout(done, 50));
    return found();
  };
  document.querySelector(".book-folds input").click();
  const cells = [...document.querySelectorAll(".cell.tag_exercise")];
  const cell = cells.find(cell => cell.textContent.includes("def pruning_mask("));
  const press = name => [...cell.querySelectorAll("button")].find(button => button.textContent === name).click();
  press("Edit");
  const content = await until(() => cell.querySelector(".cm-content"));
  await until(() => document.activeElement === content);
  getSelection().selectAllChildren(content);
  document.execCommand("insertText", false, "def pruning_mask(weights, sparsity): return weights > 0");
  await until(() => (localStorage.getItem("toykit-answers") || "").includes("weights > 0"));
  press("Check");
  return (await until(() => cell.querySelector(".live-result .tk-check"))).textContent;
}"""


def test_firefox(browser, address, in_firefox):
    opened(browser, address).page.context.close()  # skips where there is no Python
    (told,) = in_firefox([(f"{SITE.as_uri()}/{PAGE}", BY_HAND)])
    assert told["faults"] == [] and told["answer"].startswith("Not yet: pruning_mask.")
