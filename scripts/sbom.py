#!/usr/bin/env python3
"""sbom.py BUILD VERSION: what the programs of a build consist of, as SPDX 2.3 (JSON) on stdout.

Compiled in: the Debian packages whose headers the compiler read, which ninja noted. Loaded when a program starts: the Debian packages of
the shared libraries that it names, and that these name, of its own architecture (ldd would run it). SOURCE_DATE_EPOCH is its time."""

import datetime
import json
import os
import re
import subprocess
import sys

build, version = sys.argv[1:]
programs = ["dormouse", "dormouse-due", "dormouse-relay", "dormouse-alert"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def owners(files):
    """The Debian packages that files are of."""
    answer = subprocess.run(["dpkg-query", "--search", *sorted(files)], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    return {name for line in answer.splitlines() if ": " in line for name in line.split(": ")[0].split(", ")}


headers = {os.path.realpath(line.strip()) for line in output("ninja", "-C", build, "-t", "deps").splitlines() if line.startswith("    /usr/")}
machine = re.search(r"Machine: +(.*)", output("readelf", "-h", os.path.join(build, programs[0])))[1]
architecture, libraries = {"Advanced Micro Devices X86-64": ("amd64", "/usr/lib/x86_64-linux-gnu"), "AArch64": ("arm64", "/usr/lib/aarch64-linux-gnu")}[machine]
loaded, paths = set(), {os.path.abspath(os.path.join(build, program)) for program in programs}
while paths:
    needed = {os.path.join(libraries, name) for path in paths for name in re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", path))}
    paths = needed - loaded
    loaded |= needed
# where dpkg knows it: /lib is a link to usr/lib on the machine, and not in all lists of files
loaded |= {os.path.realpath(path) for path in loaded}
loaded |= {path.removeprefix("/usr") for path in loaded}

packages = {}
for kind, names in (("STATIC_LINK", owners(headers)), ("DYNAMIC_LINK", owners(loaded))):
    for name in names:
        packages.setdefault(name, kind)

created = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
document = {
    "spdxVersion": "SPDX-2.3",
    "dataLicense": "CC0-1.0",
    "SPDXID": "SPDXRef-DOCUMENT",
    "name": f"dormouse-{version}-{architecture}",
    "documentNamespace": f"urn:dormouse:{version}:{architecture}:{int(created.timestamp())}",
    "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: dormouse-sbom"]},
    "packages": [
        {"SPDXID": "SPDXRef-dormouse", "name": "dormouse", "versionInfo": version, "downloadLocation": "NOASSERTION", "licenseDeclared": "MIT", "filesAnalyzed": False}
    ],
    "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-dormouse"}],
}
for name in sorted(packages):
    about = output("dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${source:Package}\t${source:Version}\t${Architecture}", name)
    package, its_version, source, source_version, its_architecture = about.split("\t")
    identity = "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", package)
    document["packages"].append(
        {
            "SPDXID": identity,
            "name": package,
            "versionInfo": its_version,
            "sourceInfo": f"built from the Debian source {source} {source_version}",
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False,
            "externalRefs": [
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:deb/debian/{package}@{its_version}?arch={its_architecture}"}
            ],
        }
    )
    document["relationships"].append({"spdxElementId": "SPDXRef-dormouse", "relationshipType": packages[name], "relatedSpdxElement": identity})
json.dump(document, sys.stdout, indent=1)
print()
