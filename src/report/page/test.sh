#!/bin/sh
# test.sh SOURCE BUILD PAGE [NIBBLE EXAMPLE]: the page's tests, with the program NIBBLE also of a page that it makes of the model in the
# folder EXAMPLE; 77 where something that they need is missing.
set -eu
source=$1 build=$2 page=$3 program=${4:-} example=${5:-}
sh "$source/build.sh" "$source" "$build" "$page" test
if [ ! -d "$build/node_modules/puppeteer-core" ] || [ ! -f "$page" ]; then
  echo "left out: the report's page (npm could not install its packages)"
  exit 77
fi
if [ -z "${CHROMIUM:-}" ] && ! command -v chromium >/dev/null; then
  echo "left out: the report's page in a browser (Debian: chromium)"
  exit 77
fi
cd "$build"
node node_modules/typescript/bin/tsc
NIBBLE_REPORT_PAGE=$page NIBBLE_PROGRAM=$program NIBBLE_EXAMPLE=$example exec node --test test/unit.test.mjs test/page.test.mjs
