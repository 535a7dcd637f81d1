#!/bin/bash
# Puppeteer in a warm handler of Node: a PDF, an error, and a browser that is ended with its run while the process stays for others.
source "$(dirname "$0")/../tools/lib.sh"
tools_pool tools-puppeteer
cp "$tools/puppeteer.mjs" $here/
chmod 0644 $here/*
for name in invoice bad_selector long_page; do
    table $name <<<"handler = \"warm\"
command = [\"/usr/bin/node\", \"$here/puppeteer.mjs\"]
environment = { TOOLS_HERE = \"$here\" }
sandbox = { write = [\"$here\"], namespaces = true }"
done
begin_pool
if available chromium && [ -d /srv/tools/node/node_modules/puppeteer-core ]; then
    works invoice
    equal "the page and its PDF" "$(column result) $(head -c 5 $here/invoice.pdf)" '"Invoice" %PDF-'
    fails bad_selector 'No element found for selector: #nowhere' Error
    systemd-run --quiet --unit=tools-still /usr/bin/python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 8904)); time.sleep(3600)'
    at_end systemctl stop tools-still
    ends_on_demand long_page chromium
else
    say "SKIPPED: Puppeteer is not installed here"
fi
