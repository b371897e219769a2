#!/bin/sh
# build.sh SOURCE BUILD PAGE build|test: bundles the page in the folder BUILD, for tests with what they need. Without npm's registry there is no page, and the build goes on.
set -eu
source=$1 build=$2 page=$3 purpose=$4
omit=--omit=dev
[ "$purpose" = build ] || omit=--include=dev
mkdir -p "$build"
# Sources that are gone must not linger; packages stay while the lock file is the same.
find "$build" -mindepth 1 -maxdepth 1 ! -name node_modules ! -name installed -exec rm -rf {} +
cp -R "$source"/*.* "$source/sections" "$source/test" "$build"
cd "$build"
{ echo "$omit" && cat package-lock.json; } >wanted
if ! cmp -s wanted installed || [ ! -d node_modules ]; then
  rm -f installed
  if ! npm ci "$omit" --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1; then
    cat npm.log >&2
    echo "npm cannot install what the report's page is made with (see above): nibble is built without \`nibble report\`'s page" >&2
    exit 0
  fi
  cp wanted installed
fi
node build.mjs "$page"
