"""`nzip completion`: scripts that teach a shell to complete nzip's commands and options."""

from __future__ import annotations

import click


@click.command(short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  echo 'eval "$(nzip completion bash)"' >> ~/.bashrc
    zsh:   echo 'eval "$(nzip completion zsh)"' >> ~/.zshrc
    fish:  nzip completion fish > ~/.config/fish/completions/nzip.fish
    """
    from click.shell_completion import get_completion_class

    from nzip.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "nzip", "_NZIP_COMPLETE").source())
