"""tokensim-experiments: runs the experiments of the paper."""

import argparse
import pathlib
import sys
import time
import typing

from tokensim import experiments, plots
from tokensim.errors import TokensimError

_EXAMPLES = """examples:
  tokensim-experiments list
  tokensim-experiments run fig09
  tokensim-experiments run --all --quick --out /tmp/experiments
exit code: 0 every finding holds (or differs from the paper for the reason told); 1 an error; 2 usage; 4 one does not"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tokensim-experiments", description=__doc__, epilog=_EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what there is")
    run = commands.add_parser("run", help="run some: tables, pictures and findings")
    run.add_argument("names", nargs="*", metavar="NAME", help="as fig09")
    run.add_argument("--all", action="store_true", help="every one")
    run.add_argument("--quick", action="store_true", help="fewer and shorter runs: all in less than a minute")
    run.add_argument("--out", type=pathlib.Path, default=pathlib.Path("experiments"), metavar="DIR",
                     help="where CSV, SVG and PNG go; default: ./experiments")
    run.add_argument("--png", action="store_true", help="PNG beside SVG")
    run.add_argument("-j", "--jobs", type=int, metavar="N", help="runs at a time; default: one for each core")
    return parser


def _run(name: str, arguments: argparse.Namespace) -> bool:
    begin = time.monotonic()
    outcome = experiments.run(name, arguments.quick, arguments.jobs)
    for table, content in outcome.tables.items():
        content.to_csv(arguments.out / f"{table}.csv")
    for picture, content in outcome.pictures.items():
        for ending in ("svg", "png") if arguments.png else ("svg",):
            plots.save(content, arguments.out / f"{picture}.{ending}")
    title = experiments.load(name).title
    print(f"{name}: {title}  ({time.monotonic() - begin:.1f} s)")
    for check in outcome.checks:
        print(check)
    print(flush=True)
    return all(check.holds for check in outcome.checks)


def main(argv: typing.Optional[typing.Sequence[str]] = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.command == "list":
        for name in experiments.NAMES:
            print(f"{name:8}{experiments.load(name).title}")
        return 0
    names = experiments.NAMES if arguments.all else arguments.names
    if not names:
        parser.error("run: names of experiments, or --all")
    unknown = [name for name in names if name not in experiments.NAMES]
    if unknown:
        parser.error(f"no experiment '{unknown[0]}': there are {', '.join(experiments.NAMES)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    try:
        holds = [_run(name, arguments) for name in names]
    except TokensimError as error:
        print(f"tokensim-experiments: {error}", file=sys.stderr)
        return 1
    return 0 if all(holds) else 4


if __name__ == "__main__":
    sys.exit(main())
