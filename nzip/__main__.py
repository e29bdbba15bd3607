"""`python -m nzip`: the command."""

from nzip.cli import main

if __name__ == "__main__":
    main()
