// The code editor of the book's pages. book/_tools/code_editor.py bundles this file with CodeMirror.
//
//   const editor = bookEditor(parent, { text, label, describedBy, onChange, onRun })
//   editor.text, editor.focus()
//
// Tab indents; Escape lets the next Tab leave, until something is typed. Colours are classes (tok-keyword, ...) for the
// page's own style sheet, which follows its scheme.
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands";
import { pythonLanguage } from "@codemirror/lang-python";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const STEP = 4;

// To the next multiple of four columns; several lines that are selected move as they are.
function indent(view) {
  const { state } = view, { main } = state.selection;
  if (!main.empty) return indentMore(view);
  const column = main.head - state.doc.lineAt(main.head).from;
  view.dispatch(state.replaceSelection(" ".repeat(STEP - (column % STEP))), { userEvent: "input" });
  return true;
}

globalThis.bookEditor = function bookEditor(parent, { text, label, describedBy, onChange, onRun }) {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (onRun(), true) }])),
        keymap.of([
          { key: "Escape", run: (view) => (view.setTabFocusMode(true), true) },
          { key: "Tab", run: indent, shift: indentLess },
          ...defaultKeymap,
          ...historyKeymap,
        ]),
        history(),
        drawSelection(),
        lineNumbers(),
        indentUnit.of(" ".repeat(STEP)),
        indentOnInput(),
        bracketMatching(),
        pythonLanguage,
        syntaxHighlighting(classHighlighter),
        EditorView.contentAttributes.of({ "aria-label": label, "aria-describedby": describedBy }),
        EditorView.domEventHandlers({ blur: (event, view) => view.setTabFocusMode(false) }),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          update.view.setTabFocusMode(false);
          onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    focus: () => view.focus(),
    get text() { return view.state.doc.toString(); },
    set text(changed) { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: changed } }); },
  };
};
