"""What the tests of the package share: the package of the tree, and the servers of tests/e2e."""

import pathlib
import sys
import tempfile

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]
sys.path[:0] = [str(PACKAGE), str(ROOT / "tests/e2e")]

import harness  # noqa: E402  (in tests/e2e)

EXAMPLES = ROOT / "configs/examples"
SHAREGPT = EXAMPLES / "llama2-7b-a100-sharegpt.yaml"
SMALL = harness.SMALL_SPEC
LONG = harness.LONG_SPEC


def start_server(test_class):
    """A server for all tests of a class."""
    folder = tempfile.TemporaryDirectory(prefix="tokensim-python-")
    test_class.addClassCleanup(folder.cleanup)
    server = harness.Server(folder.name)
    test_class.addClassCleanup(server.stop)
    return server
