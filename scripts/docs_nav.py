#!/usr/bin/env python3
"""docs_nav.py INDEX SOURCE SITE: the settings of mkdocs, in JSON, which is YAML as well. INDEX has the order of the pages: a line in
bold for each kind, and below it links."""

import json
import os
import re
import sys

index, source, site = sys.argv[1:]
kinds = []
with open(index, encoding="utf-8") as file:
    for line in file:
        if kind := re.match(r"\*\*([^*]+)\*\*", line):
            kinds.append((kind[1], []))
        for title, path in re.findall(r"\[([^\]]+)\]\(([^)#]+\.md)\)", line) if kinds else []:
            kinds[-1][1].append({title: os.path.normpath(os.path.join("docs", path))})
home = [{"Overview": "README.md"}, {"All pages": "docs/index.md"}]
nav = home + [{kind: [page for page in pages if "README.md" not in page.values()]} for kind, pages in kinds]
listed = {path for _, pages in kinds for page in pages for path in page.values()}
pages = {os.path.normpath(os.path.join("docs", folder, name)) for folder in (".", "decisions", "design", "moving")
         for name in os.listdir(os.path.join(source, "docs", folder)) if name.endswith(".md")}
with open(os.path.join(source, "docs/decisions/README.md"), encoding="utf-8") as file:
    listed |= {"docs/decisions/" + page for page in re.findall(r"\]\(([^)/]+\.md)\)", file.read())}
missing = sorted(pages - listed - {"docs/index.md"})
if missing:
    sys.exit(f"neither docs/index.md nor docs/decisions/README.md names {', '.join(missing)}")
print(json.dumps({"site_name": "dormouse", "docs_dir": source, "site_dir": site, "nav": nav, "theme": {"name": "readthedocs"}, "use_directory_urls": False}, indent=1))
