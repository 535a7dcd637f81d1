# shellcheck shell=sh
# %postun of python3-dormouse: $1 is how many are left. What Python compiled, for root, is no file of the package.
if [ "$1" = 0 ]; then
    rm -rf --one-file-system /usr/lib/python3/site-packages/dormouse || :
    rmdir /usr/lib/python3/site-packages /usr/lib/python3 2>/dev/null || :
fi
