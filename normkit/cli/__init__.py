"""The command ``normkit``: stdout is data, stderr is talk; exit 0, 1 = a certificate fails, 2 = the user's error."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

import click

from normkit.cli.codegen import codegen
from normkit.cli.derive import derive
from normkit.cli.doctor import doctor
from normkit.cli.dualize import dualize
from normkit.cli.model import model
from normkit.cli.norms import norms
from normkit.cli.polar import polar
from normkit.cli.schedule import schedule
from normkit.cli.step import step
from normkit.cli.study import study
from normkit.cli.value import value
from normkit.errors import NormkitError

WRONG, DEFECT, INTERRUPTED, UNREAD, TERMINATED = 2, 70, 130, 141, 143
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What a disk says that takes no more."""


class Main(click.Group):
    """A group whose errors are one line each: the user's own end in exit 2, a reader that left in 141."""

    def main(self, *args: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """Run the command line; with `standalone_mode` exit with its code."""
        start: Callable[..., Any] = super().main
        if not standalone_mode:
            return start(*args, standalone_mode=False, **options)
        options.setdefault("prog_name", "normkit")
        sys.exit(_code(lambda: start(*args, standalone_mode=False, **options)))

    def invoke(self, ctx: click.Context) -> Any:
        """Run one command to its last byte of output."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _discard()
            return UNREAD


def _code(run: Callable[[], Any]) -> int:
    """Return the exit code of a run; errors of the user become one line on stderr."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The caller closed it (>&-): without a stream there, the next file opened would take its number.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # Formulas, HTML and JSON are UTF-8 whatever the terminal's locale says.
            stream.reconfigure(encoding="utf-8")
    try:
        code = run()
    except click.Abort:
        return _say("normkit: interrupted; nothing was written", INTERRUPTED)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "normkit"
        return _say(f"normkit: error: {error.format_message().rstrip('.')}. See: {command} --help", WRONG)
    except (NormkitError, click.ClickException) as error:
        return _say(f"normkit: error: {error}", WRONG)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            _discard()
            return _say(f"normkit: error: cannot write {error.filename or 'the output'}: {error.strerror}", WRONG)
        # A defect of normkit's own: the traceback is wanted, but exit 1 would say that a certificate fails.
        traceback.print_exc()
        return DEFECT
    return code if isinstance(code, int) else 0


def _discard() -> None:
    """Send what stdout still holds nowhere: Python flushes it once more at its end, which must find an open place."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, code: int) -> int:
    click.echo(" ".join(text.split()), err=True)
    return code


@click.group(cls=Main, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="normkit")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Norms, their duals, and the updates that follow, derived, computed and certified.

    A norm is named by a spec, such as linf, 'rms->rms', 'max(spectral, 4*max)' or 'rows(linf, l2)'; normkit norms lists
    the names. Arrays are .npy, .npz, .csv, .txt or .safetensors files; - is a stream.

    \b
    Examples:
      normkit dualize --norm 'rms->rms' grad.npy -o update.npy
      normkit derive 'max(linf, 3/4*l1)'
      normkit value --dual 'rms->rms' grad.npy
    """  # noqa: D301 (click reads the backspace as: keep these lines)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (dualize, derive, codegen, value, norms, polar, schedule, model, step, study, doctor):
    main.add_command(command)
