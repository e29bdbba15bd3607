"""`nzip completion`: scripts that teach a shell to complete nzip's commands and options."""

from __future__ import annotations

import click

# unnz and nzcat are completed as `nzip decompress`, after what click writes for nzip.
DECOMPRESSING = {
    "bash": """\
_unnz_completion() {
    COMP_WORDS=(nzip decompress "${COMP_WORDS[@]:1}")
    COMP_CWORD=$((COMP_CWORD + 1))
    _nzip_completion nzip
}

complete -o nosort -F _unnz_completion unnz nzcat
""",
    "zsh": """\
_unnz_completion() {
    words=(nzip decompress "${(@)words[2,-1]}")
    (( CURRENT++ ))
    _nzip_completion
}

compdef _unnz_completion unnz nzcat
""",
    "fish": """\
complete --command unnz --wraps "nzip decompress"
complete --command nzcat --wraps "nzip decompress"
""",
}


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
    click.echo(DECOMPRESSING[shell])
