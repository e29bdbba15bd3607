"""Where the command starts, as `python -m nzip` and under its names `nzip`, `unnz` and `nzcat`.

Invariant: nothing is imported before signals are heard; otherwise Ctrl-C would end in a traceback.
"""

from nzip import _start


def main() -> None:
    """Run the command `nzip` and end the process with its exit status."""
    _start.listen()
    from nzip import cli

    cli.main()


def unnz() -> None:
    """Run `nzip -d`, whose other name `unnz` is."""
    _start.listen()
    from nzip import cli

    cli.unnz()


def nzcat() -> None:
    """Run `nzip -dc`, whose other name `nzcat` is."""
    _start.listen()
    from nzip import cli

    cli.nzcat()


if __name__ == "__main__":
    main()
