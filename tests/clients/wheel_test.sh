#!/bin/bash
# The wheel of the Python client is built without a network, installed into a fresh environment, and found there with its types; so is the
# tree itself (pip install -e).
set -euo pipefail
if ! /usr/bin/python3 -c 'from importlib.util import find_spec as f; raise SystemExit(not all(map(f, ("pip", "venv", "setuptools", "wheel"))))'; then
    echo "SKIPPED: needs Debian packages python3-pip, python3-venv, python3-setuptools, python3-wheel"
    exit 77
fi
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/dormouse-wheel.XXXXXX")
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH
export HOME=$work PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1
cp -R "$here/../../clients/python" "$work/python"
cd "$work"
/usr/bin/python3 -m venv --without-pip --system-site-packages env
env/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheels ./python
built=("$work"/wheels/dormouse_worker-*-py3-none-any.whl)
what='import dormouse, os, sys; print(dormouse.__version__); assert os.path.exists(os.path.dirname(dormouse.__file__) + "/py.typed"), "no py.typed"
assert dormouse.__file__.startswith(sys.argv[1]), dormouse.__file__'
for given in "${built[0]}" "--no-build-isolation -e ./python"; do
    # shellcheck disable=SC2086 # several words
    env/bin/python -m pip install --quiet --no-deps --force-reinstall $given
    version=$(cd / && "$work/env/bin/python" -c "$what" "$work")
    [ "$version" = "$DORMOUSE_VERSION" ] || { echo "FAILED: $given installs version $version"; exit 1; }
    (cd / && "$work/env/bin/python" -c 'import dormouse.sqlalchemy, dormouse.celery.utils.log')
    env/bin/python -m pip uninstall --quiet --yes dormouse-worker
done
