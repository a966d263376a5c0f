"""`tkLive` in Node.js: what it answers, how it ends what does not end, and what it says when it cannot start."""

import pytest

from .page import Page

RESULT = {"ok", "output", "pieces", "value", "error", "fresh", "seconds"}


def test_a_cell_shows_its_last_value_and_what_it_prints(page):
    result = page.run("print('a')\nprint('b')\n6 * 7", namespace="values")
    assert set(result) == RESULT and result["ok"] and result["fresh"]
    assert result["output"] == "a\nb\n" and result["error"] is None
    assert result["value"] == {"text": "42", "html": None, "json": 42, "passed": None, "exercise": None}
    assert result["pieces"] == [{"stream": "stdout", "text": "a\n"}, {"stream": "stdout", "text": "b\n"}]
    assert page.run("6 * 7;")["value"] is None and page.run("x = 1")["value"] is None


def test_standard_error_keeps_its_place(page):
    result = page.run("import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')")
    assert result["output"] == "a\nb\nc\n"
    assert [piece["stream"] for piece in result["pieces"]] == ["stdout", "stderr", "stdout"]


def test_too_much_output_is_cut_with_a_sentence(page):
    result = page.run("for i in range(60_000): print(i)")
    assert 100_000 < len(result["output"]) < 100_100
    assert result["output"].endswith("the rest is not shown.)\n")
    assert "".join(piece["text"] for piece in result["pieces"]) == result["output"]


def test_cells_share_a_namespace_and_run_what_they_need_first_and_once(page):
    assert page.run("a = 1\ncount = 0", namespace="n")["fresh"]
    assert not page.run("a += 1", namespace="n")["fresh"]
    assert page.run("a", namespace="n")["value"]["json"] == 2
    assert page.run("a", namespace="other")["error"]["type"] == "NameError"
    before = ["b = 10\nprint('silent')\nb", "b += a"]
    for _ in range(2):
        result = page.run("b", namespace="n", before=before)
        assert result["value"]["json"] == 12 and result["output"] == ""
    fresh = page.run("a", namespace="n", reset=True)
    assert fresh["fresh"] and fresh["error"]["message"] == "NameError: name 'a' is not defined"
    failed = page.run("b", namespace="n", before=["b = 1", "c = d"])
    assert failed["error"]["before"] == 1 and "'d'" in failed["error"]["message"]


def test_an_error_has_the_learners_lines_and_no_others(page):
    page.run("import json\ndef parse(x):\n    return json.loads(x)", name="first", namespace="lines")
    error = page.run("y = 1\nparse('{')", name="second", namespace="lines")["error"]
    assert error["kind"] == "python" and error["type"] == "JSONDecodeError" and error["line"] == 3
    assert error["traceback"] == [
        {"cell": "second", "line": 2, "text": "parse('{')", "function": ""},
        {"cell": "first", "line": 3, "text": "return json.loads(x)", "function": "parse"},
    ]


def test_a_syntax_error_has_its_place(page):
    error = page.run("x = 1\nif x\n    y")["error"]
    assert (error["kind"], error["line"], error["column"]) == ("syntax", 2, 5)
    assert error["message"] == "SyntaxError: expected ':'" and error["traceback"][0]["text"] == "if x"


def test_a_function_that_calls_itself_without_end_ends_in_an_error(page):
    error = page.run("def f(n):\n    return f(n + 1)\nf(0)")["error"]
    assert error["type"] == "RecursionError" and len(error["traceback"]) == 13
    assert page.run("1 + 1")["value"]["json"] == 2


@pytest.mark.parametrize(
    "code", ["raise SystemExit(3)", "raise KeyboardInterrupt", "import torch", "input()"]
)
def test_what_would_end_a_program_is_an_error_of_the_cell(page, code):
    assert page.run(code)["error"]["kind"] == "python"


def test_a_repr_that_fails_is_an_error_of_the_cell(page):
    error = page.run("class A:\n    def __repr__(self):\n        return 1 / 0\nA()")["error"]
    assert error["type"] == "ZeroDivisionError" and error["line"] == 3


def test_files_lie_where_the_notebooks_have_them(page):
    assert page.run("open('data/crepe_layers.csv').readline()")["ok"]


def test_a_call_hands_over_numbers_text_and_arrays(page):
    assert page.call("numpy", "add", 1, 2)["value"] == 3
    array = page.call("numpy", "ones", 3, "float16")
    assert array == {"value": [1.0, 1.0, 1.0], "kind": "Float32Array", "progress": []}
    assert page.call("builtins", "bytes", 2)["kind"] == "Uint8Array"
    assert page.call("builtins", "dict", [["a", [1.5, None, {"b": True}]]])["value"] == {
        "a": [1.5, None, {"b": True}]
    }


def test_a_call_reads_the_files_that_it_is_given(page):
    files = [{"path": "M.x/a/one.txt", "text": "1 2"}, {"path": "M.x/two.txt", "text": "3"}]
    read = page.call("numpy", "loadtxt", {"$file": "M.x/a/one.txt"}, files=files)
    assert read["value"] == [1.0, 2.0]
    assert page.call("os", "listdir", {"$file": "M.x"})["value"] == ["a", "two.txt"]
    page.call("os", "listdir", {"$file": "M.x"}, files=files[1:])
    assert page.call("os", "listdir", {"$file": "M.x"})["value"] == ["two.txt"]


def test_a_call_tells_how_far_it_is(page):
    page.run(
        "import sys\nsys.modules['walk'] = sys.modules['__main__']\n"
        "def far(progress):\n    progress(0.5, 'half')\n    progress(None, 'more')\n"
        "sys.modules['walk'].far = far"
    )
    assert page.call("walk", "far", progress=True)["progress"] == [[0.5, "half"], [None, "more"]]


def test_a_call_that_fails_says_what_python_said(page):
    error = page.call("numpy", "zeros", -1)["error"]
    assert error["kind"] == "python" and error["type"] == "ValueError"
    assert error["message"] == "negative dimensions are not allowed" and "Traceback" in error["traceback"]
    assert "cannot be given to the page" in page.call("builtins", "object")["error"]["message"]
    assert page.call("no_such_module", "f")["error"]["type"] == "ModuleNotFoundError"


def test_requests_wait_for_each_other(page):
    first = page.send("run", {"code": "order = [1]", "namespace": "order"})
    second = page.send("run", {"code": "order", "namespace": "order"})
    assert page.answer(second)["value"]["json"] == [1] and page.answer(first)["ok"]


def test_an_endless_loop_is_stopped_and_what_comes_next_works(page):
    page.run("kept = 1", namespace="loop")
    result = page.run("print('before')\nwhile True: pass", timeout=0.5, namespace="loop")
    assert not result["ok"] and result["output"] == "before\n"
    assert result["error"]["kind"] == "timeout"
    assert "had not finished after 0.5 seconds" in result["error"]["message"]
    again = page.run("kept + 1", namespace="loop", before=["kept = 41"])
    assert again["fresh"] and again["value"]["json"] == 42


def test_stop_ends_what_runs(page):
    endless = page.send("run", {"code": "while True: pass", "timeout": 60})
    while page.ask("state") != "busy":
        pass
    page.ask("stop")
    assert page.answer(endless)["error"]["kind"] == "stopped"
    assert page.run("1")["fresh"]


def test_stop_also_ends_a_start(page):
    page.ask("stop")
    started = page.send("run", {"code": "1"})
    while page.ask("state") != "loading":
        pass
    page.ask("stop")
    assert page.answer(started)["error"]["kind"] == "stopped"
    assert page.run("2")["value"]["json"] == 2


def test_python_that_has_failed_starts_anew(page):
    error = page.run("import ctypes\nctypes.string_at(2**32 - 8)")["error"]
    assert error["kind"] == "start" and "has failed and starts anew" in error["message"]
    assert page.run("3")["fresh"]


def test_a_build_without_python_says_what_to_do_instead():
    with Page() as page:
        available, instead = page.ask("available")
        assert not available and "JupyterLab" in instead
        assert page.ask("start") == {"error": instead}
        assert page.run("1")["error"]["message"] == instead


@pytest.mark.parametrize(
    "content, words", [(None, "could not be read"), (b"window.tkLivePack = {", "is damaged")]
)
def test_a_script_that_is_gone_or_cut_off_is_said(tmp_path, content, words):
    pack = tmp_path / "pack.js"
    if content:
        pack.write_bytes(content)
    with Page(pack) as page:
        assert words in page.ask("start")["error"]
        result = page.run("1")
        assert result["error"]["kind"] == "start" and words in result["error"]["message"]
