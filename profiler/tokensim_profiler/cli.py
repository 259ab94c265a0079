"""`tokensim-profile`: measure, validate, serve, import-vidur, import-kernels."""

import argparse
import sys

import tokensim_profiler
from tokensim_profiler import (import_kernels, import_vidur, measure_command, serve_command,
                               validation)
from tokensim_profiler.errors import UserError

_EXAMPLES = """examples:
  tokensim-profile measure --model llama3.1-8b --output bundles/my-gpu
  tokensim-profile measure --model-config config.json --tp 1,2 --quick --output bundles/quick
  tokensim-profile validate bundles/my-gpu
  tokensim-profile serve --model llama3.1-8b --requests 300 --rate 10 --output run.csv
  tokensim-profile import-vidur --mlp mlp.csv --attention attention.csv --output bundles/vidur

exit codes: 0 fine, 1 the bundle has problems or is not complete, 2 bad input, 130 interrupted
"""


def main(argv=None):
    parser = argparse.ArgumentParser(
        prog="tokensim-profile", epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures a model's operators on this machine for TokenSim's profile backend, "
                    "or converts what other tools measured.")
    parser.add_argument("--version", action="version",
                        version=f"tokensim-profile {tokensim_profiler.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    measure_command.add_parser(commands)
    _add_validate(commands)
    serve_command.add_parser(commands)
    import_vidur.add_parser(commands)
    import_kernels.add_parser(commands)
    options = parser.parse_args(argv)
    try:
        return options.run(options)
    except UserError as error:
        print(f"tokensim-profile: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tokensim-profile: interrupted", file=sys.stderr)
        return 130


def _add_validate(commands):
    parser = commands.add_parser("validate", help="say what is wrong with a bundle")
    parser.add_argument("bundle", help="folder with meta.yaml")
    parser.set_defaults(run=_validate)


def _validate(options):
    problems = validation.check(options.bundle)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{options.bundle}: a complete bundle")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
