"""`python -m promptyard` is `promptyard`."""

from promptyard.cli.main import main

if __name__ == "__main__":
    main()
