"""`python -m platform`: the commands there are, one line each."""

import ast
from pathlib import Path


def commands() -> dict[str, str]:
    """Each command's name and the first line of its docstring, without importing it."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        source = file.read_text()
        if "def main(" in source:
            docstring = ast.get_docstring(ast.parse(source)) or ""
            found[file.stem] = docstring.partition("\n")[0]
    return found


if __name__ == "__main__":
    print("Lesion Platform. Commands (each lists its options with --help):\n")
    for name, line in commands().items():
        print(f"  python -m platform.{name:<10} {line}")
    print("\nFor research only: not a medical device.")
