#!/usr/bin/env bash
# Sees to it that the programs which the tests call are there.
# Silent when they are; else one line for each that is missing, with what to do.
# tools.sh [PROGRAM...]; without any, all.
here=$(cd "$(dirname "$0")" && pwd)
status=0
[ $# -gt 0 ] || set -- asterisk sipp kamailio baresip tshark chromium
for tool; do
  "$here/fetch.sh" "$tool" >/dev/null || status=1
done
exit $status
