#!/bin/bash
# What a release has for pip (scripts/release_clients.sh), a wheel and a source archive, is made without a network, installed into a fresh
# environment, and found there with its types and the licence; so is the tree itself (pip install -e). Made again from another copy by
# somebody with another umask it is the same bytes.
set -euo pipefail
if ! /usr/bin/python3 -c 'from importlib.util import find_spec as f; raise SystemExit(not all(map(f, ("pip", "venv", "setuptools", "wheel"))))'; then
    echo "SKIPPED: needs Debian packages python3-pip, python3-venv, python3-setuptools, python3-wheel"
    exit 77
fi
command -v npm >/dev/null || { echo "SKIPPED: needs npm, for what is made with it"; exit 77; }
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-wheel.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH
export HOME=$work PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1
cp -R "$here/../../clients/python" "$work/python"
cd "$work"
/usr/bin/python3 -m venv --without-pip --system-site-packages env
export SOURCE_DATE_EPOCH=1700000000
"$here/../../scripts/release_clients.sh" "$work/made"
mkdir again
cp -R "$here/../../scripts" "$here/../../clients" "$here/../../LICENSE" again/
(umask 077 && chmod -R go= again && again/scripts/release_clients.sh "$work/made_again")
diff -r made made_again || { echo "FAILED: made again, it is not the same"; exit 1; }
built=(made/dormouse_worker-"$DORMOUSE_VERSION"-py3-none-any.whl "--no-build-isolation made/dormouse_worker-$DORMOUSE_VERSION.tar.gz")
what='import dormouse, os, sys; print(dormouse.__version__); assert os.path.exists(os.path.dirname(dormouse.__file__) + "/py.typed"), "no py.typed"
assert dormouse.__file__.startswith(sys.argv[1]), dormouse.__file__'
for given in "${built[@]}" "--no-build-isolation -e ./python"; do
    # shellcheck disable=SC2086 # several words
    env/bin/python -m pip install --quiet --no-deps --force-reinstall $given
    version=$(cd / && "$work/env/bin/python" -c "$what" "$work")
    [ "$version" = "$DORMOUSE_VERSION" ] || { echo "FAILED: $given installs version $version"; exit 1; }
    (cd / && "$work/env/bin/python" -c 'import dormouse.sqlalchemy, dormouse.celery.utils.log')
    [[ $given == *" -e ."* ]] || [ -n "$(find env -path '*dormouse_worker*' -name LICENSE)" ] || { echo "FAILED: $given installs no LICENSE"; exit 1; }
    env/bin/python -m pip uninstall --quiet --yes dormouse-worker
done
