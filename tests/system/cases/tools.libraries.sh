#!/bin/bash
# Libraries of Python (Pillow, pandas and numpy, matplotlib, aiohttp, psycopg, Django) and sharp of npm in warm handlers of a real unit: what they do,
# raise and print, and how they are ended.
source "$(dirname "$0")/../tools/lib.sh"
tools_pool tools-libraries
cp "$tools"/{tasks.py,sharp.mjs} $here/
chmod 0644 $here/*
# warm TASK PROGRAM FILE: all of one program share its processes
warm() {
    table "$1" <<<"handler = \"warm\"
command = [\"$2\", \"$here/$3\"]
environment = { TOOLS_HERE = \"$here\", TOOLS_URL = \"postgresql://postgres@127.0.0.1/$database\" }
sandbox = { write = [\"$here\"] }"
}
for name in $(sed -n '/^@task/{n;s/.*def \([a-z_]*\).*/\1/p}' $here/tasks.py); do warm "$name" /usr/bin/python3 tasks.py; done
for name in sharp bad_sharp long_sharp prints_in_node; do warm $name /usr/bin/node sharp.mjs; done
begin_pool
result() { column result; }
python_has() { /usr/bin/python3 -c "import $1" 2>/dev/null || { say "SKIPPED: Python's $1 is not installed here"; return 1; }; }

if python_has PIL; then
    works pillow
    equal "the thumbnail" "$(result) $(file --brief $here/pillow.png | cut -d, -f1,2)" "[100, 75] PNG image data, 100 x 75"
    fails bad_pillow 'cannot identify image file' UnidentifiedImageError
fi
if python_has pandas; then
    works pandas
    equal "the sums" "$(result)" '{"0": 166833, "1": 166167, "2": 166500}'
    fails bad_pandas "'b'" KeyError
    ends_on_demand long_numpy python3
fi
if python_has matplotlib; then
    works matplotlib
    equal "the plot" "$(file --brief $here/plot.png | cut -d, -f1)" "PNG image data"
fi
if python_has aiohttp; then
    systemd-run --quiet --unit=tools-http /usr/bin/python3 -m http.server 8903 --bind 127.0.0.1 --directory $here
    systemd-run --quiet --unit=tools-mute /usr/bin/python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 8902)); time.sleep(3600)'
    at_end systemctl stop tools-http tools-mute
    wait_for 20 curl --silent --output /dev/null http://127.0.0.1:8903/
    works aiohttp '{"url": "http://127.0.0.1:8903/tasks.py"}'
    equal "the page" "$(result)" "[200, $(wc -m <$here/tasks.py)]"
    ends_on_demand long_aiohttp python3 stays
fi
if python_has psycopg; then
    works psycopg
    equal "the count" "$(result)" 42
    fails bad_psycopg 'relation "nowhere" does not exist' UndefinedTable
    ends_on_demand long_psycopg python3 stays
fi
if python_has django; then
    works django
    equal "the page" "$(result)" '"1 order"'
fi
fails not_writable "sandbox = { write = " OSError
fails dies 'about to read where nothing is' process_died
floods prints
if [ -d /srv/tools/node/node_modules/sharp ]; then
    works sharp
    equal "the picture" "$(result)" '["webp", 80, 60]'
    fails bad_sharp 'Input file is missing' Error
    ends_on_demand long_sharp node
    floods prints_in_node
else
    say "SKIPPED: sharp is not installed here"
fi
