#!/usr/bin/python3
"""Each link from a page of ours to a file or a heading of ours finds it, also from an installed page to an installed file
(packaging/files.txt), and README.md stays short: at most 200 lines of at most 100 characters. Prints FILE:LINE: what; remedy."""
import fnmatch
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINES, COLUMNS = 200, 100
LINK = re.compile(r"\]\(([^()\s]+)\)")
INSTALLED = re.findall(r"/usr/share/doc/dormouse/(\S+)$", (ROOT / "packaging/files.txt").read_text(encoding="utf-8"), re.M)


def is_installed(file):
    return any(fnmatch.fnmatchcase(str(file.relative_to(ROOT)), pattern) for pattern in INSTALLED)


def text_of(page):
    """Line by line, code blocks as empty lines."""
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = line.startswith("```")
        inside ^= fence
        yield "" if fence or inside else line


def anchors(page):
    """As GitHub and GitLab make them."""
    found = set()
    for line in text_of(page):
        if line.startswith("#"):
            words = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            found.add(words.replace(" ", "-"))
    return found


def check(page):
    for number, line in enumerate(text_of(page), 1):
        for link in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists():
                yield f"{number}: there is no {path}; name it relative to this page"
            elif anchor and target.suffix == ".md" and anchor not in anchors(target):
                yield f"{number}: {target.name} has no heading #{anchor}"
            elif is_installed(page) and not is_installed(target):
                yield f"{number}: this page is installed and {path} is not; a line in packaging/files.txt and cmake/install.cmake, or no link"
    if page == ROOT / "README.md":
        lines = page.read_text(encoding="utf-8").splitlines()
        if len(lines) > LINES:
            yield f"{LINES}: {len(lines)} lines, {LINES} are the most; move the rest to docs/"
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS:
                yield f"{number}: {len(line)} columns, {COLUMNS} are the most"


listed = subprocess.check_output(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, text=True)
found = [f"{name}:{what}" for name in listed.splitlines() if (ROOT / name).exists() for what in check(ROOT / name)]
print("\n".join(found), end="\n" if found else "")
sys.exit(1 if found else 0)
