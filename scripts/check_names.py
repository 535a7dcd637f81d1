#!/usr/bin/python3
"""./dev check names: a class has its name in one folder of src only, so that a reader who meets it knows which is meant.

Looks at what stands at the level of a namespace. A folder whose names are its users' (embed) is not asked."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEFINED = re.compile(r"^(?:class|struct|enum class|union) (\w+)\b[^;()]*\{", re.MULTILINE)
PUBLIC = {"embed"}

places: dict[str, dict[str, str]] = {}
for path in sorted((ROOT / "src").rglob("*")):
    folder = path.relative_to(ROOT / "src").parts[0]
    if path.suffix not in {".h", ".cpp"} or folder in PUBLIC:
        continue
    text = path.read_text(encoding="utf-8")
    for found in DEFINED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        places.setdefault(found[1], {}).setdefault(folder, f"{path.relative_to(ROOT)}:{line}")

failed = False
for name, folders in sorted(places.items()):
    if len(folders) > 1:
        failed = True
        first, *others = folders.values()
        print(f"{first}: {name} is a name in {', '.join(others)}, too; say in its name what it is")
if not places:
    failed = True
    print("src: no class was found; has the layout of the code changed?")
sys.exit(failed)
