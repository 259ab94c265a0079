// The text of a specification: YAML with completion and mistakes at their lines. Loaded when needed.
import { autocompletion, type CompletionContext, closeBrackets, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";
import type { Catalog } from "../gen/tokensim/v1/catalog_pb";
import { fieldOptions, pathAt, valueOptions } from "../spec/completion";
import type { Mistake } from "../spec/reader";

const theme = EditorView.theme({
  "&": { backgroundColor: "var(--panel)", color: "var(--text)", fontSize: "13px", border: "1px solid var(--line)", borderRadius: "8px" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--text)", padding: "10px 0" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--muted)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 7%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent) !important" },
  ".cm-tooltip": { backgroundColor: "var(--panel)", color: "var(--text)", border: "1px solid var(--line)" },
});
const colors = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--accent)" },
  { tag: [tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.string, tags.number, tags.bool], color: "var(--text)" },
]);

type Props = { text: string; mistakes: Mistake[]; warnings: Mistake[]; catalog: Catalog | undefined; onChange: (text: string) => void; onRun: () => void };

export default function Editor(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    const complete = (context: CompletionContext) => {
      const line = context.state.doc.lineAt(context.pos);
      const before = line.text.slice(0, context.pos - line.from);
      const { path } = pathAt(context.state.doc.toString(), line.number - 1);
      const value = /([a-z_0-9]+):\s+([\w.-]*)$/.exec(before);
      const key = /(?:^|[\s{,-])([a-z_0-9]*)$/.exec(before);
      const typed = value ? value[2]! : (key?.[1] ?? "");
      if (!context.explicit && typed === "" && !value) return null;
      const options = value ? valueOptions(path, value[1]!, latest.current.catalog) : fieldOptions(path);
      return options.length === 0 ? null : { from: context.pos - typed.length, options };
    };
    const run = () => {
      latest.current.onRun();
      return true;
    };
    view.current = new EditorView({
      parent: box.current!,
      state: EditorState.create({
        doc: latest.current.text,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          indentOnInput(),
          indentUnit.of("  "),
          closeBrackets(),
          yaml(),
          syntaxHighlighting(colors),
          lintGutter(),
          autocompletion({ override: [complete] }),
          keymap.of([{ key: "Mod-Enter", run, preventDefault: true }, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": "Specification in YAML" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString());
          }),
          theme,
        ],
      }),
    });
    return () => view.current?.destroy();
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === props.text) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.text } });
  }, [props.text]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const at = (m: Mistake, severity: "error" | "warning") => {
      const line = editor.state.doc.line(Math.min(Math.max(1, m.line), editor.state.doc.lines));
      const from = line.from + (line.text.length - line.text.trimStart().length);
      return { from, to: Math.max(from, line.to), severity, message: (m.field ? `${m.field}: ` : "") + m.message };
    };
    const found = [...props.mistakes.map((m) => at(m, "error")), ...props.warnings.map((m) => at(m, "warning"))];
    editor.dispatch(setDiagnostics(editor.state, found));
  }, [props.mistakes, props.warnings]);

  return <div ref={box} class="editor" />;
}
