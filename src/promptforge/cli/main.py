"""`promptforge`: the group of commands. Each command is imported only when it is called, so that --help is quick."""

import gc
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from keyword import iskeyword

import click

from promptforge import __version__

__all__ = ["main", "promptforge"]

_COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Prompts": {
        "init": ("start", "Start a project, or take existing prompts over."),
        "check": ("prompts", "Say everything that is wrong in the project's files."),
        "build": ("prompts", "Compile the prompts of all agents."),
        "diff": ("prompts", "Show what changed in the knowledge, and whom it touches."),
        "explain": ("prompts", "Show where each line of a prompt comes from."),
        "ask": ("measure", "Try a compiled prompt by hand."),
        "doctor": ("start", "Look whether models, keys and tokenizers are in order."),
    },
    "Knowledge": {
        "import": ("sources", "Take facts over from what a house already has: dumps, inventories, leases."),
        "drift": ("sources", "Say what in the knowledge no longer holds, against the same dumps."),
        "redact": ("redact", "Make a copy that can be shown: no real name or address, and still a project."),
    },
    "Measure": {
        "bench": ("measure", "Ask a suite's questions with and without the knowledge."),
        "compare": ("judge", "Say whether one run or variant is better than another."),
        "report": ("judge", "Write a run's page: one HTML file."),
        "history": ("history", "List, export, import and prune runs and answers."),
        "export": ("export", "Write a suite for promptfoo, or a run for Inspect."),
    },
    "Train": {
        "dataset": ("dataset", "Make balanced training data, and audit anybody's files."),
        "train": ("train", "Train a recipe with the real trainer, on audited rows."),
        "promote": ("promote", "Hold an adapter against the champion, and act on the verdict."),
        "champion": ("promote", "Show the champions and their history; go back to one."),
        "nightly": ("nightly", "Build, train, measure, judge and act in one go, for cron."),
        "advise": ("fleet", "Say whether a model's prompt is enough, or what to train."),
        "fleet": ("fleet", "Give each agent a model by evidence, privacy and cost."),
    },
}
"""Group to command to (module, one line)."""


class _Commands(click.Group):
    """Commands by name, imported when called, listed by group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for group in _COMMANDS.values() for name in group]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for group in _COMMANDS.values():
            if cmd_name in group:
                module = import_module(f"promptforge.cli.{group[cmd_name][0]}")
                command: click.Command = getattr(module, f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.list_commands(ctx):
            from promptforge.source import did_you_mean

            ctx.fail(f"no command '{name}'; {did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, group in _COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl([(name, about) for name, (_, about) in group.items()])
        with formatter.section("Start here"):
            formatter.write_dl(
                [
                    ("promptforge init", "a small working project in this folder"),
                    ("promptforge build", "compile it"),
                    ("promptforge diff", "after an edit: whom it touches"),
                ]
            )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="promptforge")
@click.option("-C", "--project", "folder", metavar="DIR", help="The project's folder; default: here or above.")
@click.pass_context
def promptforge(ctx: click.Context, folder: str | None) -> None:
    """Compile hand-edited knowledge into the prompts of a council of AI agents.

    knowledge/*.yaml, fewshot/*.yaml and agents/*.yaml become build/agent_prompts.yaml; every line of it has its
    source, and every change its price.
    """
    ctx.obj = folder


def main() -> None:
    """The console script. Exit codes: 0 fine, 1 a diagnostic or a verdict says no, 2 wrong usage, …; see errors.py."""
    # A command makes many values and hardly a cycle, and ends: collecting and taking them apart is time for nothing.
    gc.disable()
    try:
        code = _run()
    except KeyboardInterrupt:  # once more, while it was said
        code = _INTERRUPTED
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None: the process was started with it closed
        with suppress(OSError, KeyboardInterrupt):
            stream.flush()
    os._exit(code)


_INTERRUPTED = 130


def _run() -> int:
    from promptforge.errors import PromptforgeError

    try:
        result = promptforge.main(standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as problem:
        problem.show()
        return 2
    except PromptforgeError as problem:
        from promptforge.console.terminal import print_error

        print_error(problem)
        return problem.exit_code
    except (click.Abort, KeyboardInterrupt):
        import signal

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever goes on pressing Ctrl-C needs no other answer
        click.echo("interrupted", err=True)
        return _INTERRUPTED
    except SystemExit:  # click's answer to a reader of the help that has gone (`| head`)
        return 0
    except OSError as problem:  # a full disk behind stdout, a current folder that is gone
        from promptforge.console.terminal import print_error

        place = f"{problem.filename}: " if problem.filename else ""
        print_error(PromptforgeError(place + (problem.strerror or str(problem)).lower()))
        return 2
    except Exception as problem:  # a mistake of ours: said in one line, told apart from a diagnostic's exit code
        if os.environ.get("PROMPTFORGE_DEBUG"):
            raise
        from promptforge.console.terminal import print_error

        hint = "please report it with the traceback that PROMPTFORGE_DEBUG=1 shows"
        print_error(PromptforgeError(f"promptforge itself failed: {type(problem).__name__}: {problem}", hint=hint))
        return 2
