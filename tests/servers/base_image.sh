#!/usr/bin/env bash
# What a container needs below it, made of Debian packages, for tests: no registry of images is asked. Root only.
#
#   base_image.sh make FILE         a root file system with Python, as a tar: taken from the cache, else made in half a minute
#   base_image.sh wheels DIR ROOT   wheels, for that Python, of this project and of what it needs with Redis, from the index of packages
set -euo pipefail
umask 022
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/minionize-tests
PYTHON=${PYTHON:-python3}
# No documentation and no translations, as in the images that people use; venv is what the Containerfile builds with.
SUITE=bookworm VERSION=3.11 PACKAGES=python3-minimal,python3-venv,ca-certificates

make() { # FILE
    local cached=$CACHE/base-$SUITE-1.tar
    if ! [ -e "$cached" ]; then
        mmdebstrap --quiet --variant=minbase --include="$PACKAGES" \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --dpkgopt='path-exclude=/usr/share/doc/*' \
            "$SUITE" "$cached.new.tar" >&2
        mv "$cached.new.tar" "$cached"
    fi
    ln -sf "$cached" "$1"
}
wheels() { # DIR ROOT
    local needed cached
    needed=$(sed -n 's/^\(dependencies\|redis\) = \[\(.*\)\]$/\2/p' "$2/pyproject.toml" | tr -d '" ' | tr ',' '\n')
    # shellcheck disable=SC2086 # they are words
    set -- "$1" "$2" $needed 'async-timeout>=4.0.3' # which pip would take for the Python that runs it, not for that of the image
    cached=$CACHE/wheels-$VERSION-$(printf '%s\n' "${@:3}" | cksum | cut -d' ' -f1)
    if ! [ -d "$cached" ]; then
        rm -rf "$cached.new"
        "$PYTHON" -m pip download --quiet --only-binary=:all: --python-version "$VERSION" --dest "$cached.new" "${@:3}" >&2
        mv "$cached.new" "$cached"
    fi
    mkdir -p "$1"
    cp "$cached"/*.whl "$1"
    "$PYTHON" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$1" "$2" >&2
}

mkdir -p "$CACHE"
exec 9>>"$CACHE/base_image.lock"
flock 9 # one at a time
"$@"
