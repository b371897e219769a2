#!/bin/sh
# test.sh SOURCE BUILD PAGE: the page's tests; 77 where something that they need is missing.
set -eu
source=$1 build=$2 page=$3
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
NIBBLE_REPORT_PAGE=$page exec node --test test/page.test.mjs
