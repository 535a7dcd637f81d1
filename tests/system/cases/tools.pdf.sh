#!/bin/bash
# PDF from a page by Chromium, with its own sandbox and without that, and from a document by LibreOffice.
# shellcheck disable=SC2016 # scripts of handlers expand by themselves
source "$(dirname "$0")/../tools/lib.sh"
chromium='chromium --headless --user-data-dir="$profile"' page=file://$here/page.html
profile='profile=$(mktemp -d); trap '\''rm -rf "$profile"'\'' EXIT'
tools_pool tools-chromium
is_pdf() { equal "$1" "$(head -c 5 "$here/$1")" "%PDF-"; }
echo '<h1>An invoice</h1>' >$here/page.html

script own_sandbox 'namespaces = true' <<BASH
$profile
$chromium --print-to-pdf=own.pdf $page
BASH
script not_writable <<BASH
$profile
$chromium --print-to-pdf=/srv/elsewhere.pdf $page 2>&1 | tee said
[ -e /srv/elsewhere.pdf ]
BASH
script never_loaded <<BASH
$began
began chromium
$profile
$chromium --print-to-pdf=never.pdf http://127.0.0.1:8901/
BASH
stdout=log script console <<BASH
$profile
$chromium --enable-logging=stderr --print-to-pdf=console.pdf file://$here/console.html
BASH
# A profile for each run: two with one profile do not work side by side.
office='soffice --headless -env:UserInstallation=file://$profile'
script document <<BASH
$profile
$office --convert-to pdf --outdir "\$(jq --raw-output .to)" letter.txt
BASH
script document_of_nothing <<BASH
$profile
$office --convert-to pdf nothing.odt
ls nothing.pdf
BASH
script one_profile <<BASH
soffice --headless --convert-to pdf --outdir "\$(jq --raw-output .to)" letter.txt
[ -e "\$(jq --raw-output .to)/letter.pdf" ]
BASH
script long_document <<BASH
$began
began soffice.bin
$profile
$office --convert-to pdf --outdir long long.txt
BASH
begin_pool
if available chromium; then
    # a server that takes connections and never answers
    systemd-run --quiet --unit=tools-silent /usr/bin/python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 8901)); time.sleep(3600)'
    at_end systemctl stop tools-silent
    works own_sandbox
    is_pdf own.pdf
    fails not_writable 'Failed to|elsewhere'
    ends_on_demand never_loaded chromium
    echo '<script>for (let i = 0; i < 100; ++i) console.log("x".repeat(1000000))</script>' >$here/console.html
    floods console
fi
if available soffice; then
    echo 'Dear Sir or Madam' >$here/letter.txt
    works document '{"to": "one"}'
    is_pdf one/letter.pdf
    runs=()
    for n in 1 2 3; do runs+=("$(enqueue document "payload => '{\"to\": \"side$n\"}'")"); done
    ring "$pool"
    for run in "${runs[@]}"; do wait_for 240 ended; done
    for n in 1 2 3; do is_pdf side$n/letter.pdf; done
    runs=()
    for n in 1 2 3; do runs+=("$(enqueue one_profile "payload => '{\"to\": \"same$n\"}'")"); done
    ring "$pool"
    for run in "${runs[@]}"; do wait_for 240 ended; done
    say "   with one profile for all, of three side by side: $(sql "SELECT string_agg(status, ' ') FROM dormouse.runs WHERE task = 'one_profile'")"
    fails document_of_nothing 'source file could not be loaded'
    seq 100000 >$here/long.txt
    ends_on_demand long_document soffice.bin
fi

# Without the word, in a pool of which no task says it: the error names it, and so does that of half of the way around it.
tools_pool tools-no-word
echo '<h1>An invoice</h1>' >$here/page.html
script own <<BASH
$profile
$chromium --print-to-pdf=own.pdf $page
BASH
script half <<BASH
$profile
timeout 60 $chromium --no-sandbox --print-to-pdf=half.pdf $page
BASH
script none <<BASH
$profile
$chromium --no-sandbox --no-zygote --print-to-pdf=none.pdf $page
BASH
script not_writable <<BASH
touch /srv/elsewhere
BASH
begin_pool
if available chromium; then
    fails own 'sandbox = \{ namespaces = true \} in \[task.own\]'
    fails half 'sandbox = \{ namespaces = true \} in \[task.half\]'
    works none
    is_pdf none.pdf
fi
fails not_writable 'sandbox = \{ write = '
