"""Executes docs/tour.ipynb, cell by cell in one namespace, as a notebook does.

TOKENSIM_UPDATE_GOLDEN=1 writes what the cells give into the notebook. Needs no Jupyter.
"""

import ast
import base64
import contextlib
import io
import json
import os
import unittest

from support import ROOT

NOTEBOOK = ROOT / "docs/tour.ipynb"


def execute(source, names):
    """Runs a cell; the value of its last line when that is an expression, and what it printed."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        value = None if last is None else eval(compile(last, "cell", "eval"), names)
    return value, printed.getvalue()


def outputs(value, printed, count):
    """As a notebook keeps them."""
    found = []
    if printed:
        found.append({"output_type": "stream", "name": "stdout", "text": printed.splitlines(keepends=True)})
    if value is None:
        return found
    data = {"text/plain": repr(value).splitlines(keepends=True)}
    if hasattr(value, "savefig"):
        image = io.BytesIO()
        value.savefig(image, dpi=80, format="png", metadata={"Software": None})
        data["image/png"] = base64.b64encode(image.getvalue()).decode()
    elif hasattr(value, "_repr_html_"):
        data["text/html"] = value._repr_html_().splitlines(keepends=True)
    return [*found, {"output_type": "execute_result", "execution_count": count, "data": data, "metadata": {}}]


class Tour(unittest.TestCase):
    def test_every_cell_runs(self):
        try:
            import matplotlib  # noqa: F401
            import pandas  # noqa: F401
        except ImportError as error:
            self.skipTest(str(error))
        notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(ROOT)
        names = {"__name__": "__main__"}
        count = 0
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code":
                continue
            count += 1
            value, printed = execute("".join(cell["source"]), names)
            cell["execution_count"] = count
            cell["outputs"] = outputs(value, printed, count)
        self.assertGreater(count, 5)
        if os.environ.get("TOKENSIM_UPDATE_GOLDEN"):
            NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    unittest.main()
