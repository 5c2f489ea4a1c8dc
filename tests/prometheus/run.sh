#!/bin/sh
# A real Prometheus (Debian: apt-get install prometheus) scrapes `iova export` of a recording; promtool checks metrics, rules and
# alerts. On loopback, in directories of its own. Fails where there is none.
set -eu
cd "$(dirname "$0")/../.."
IOVA_NEED_PROMETHEUS=1 exec cargo test -p iova-cli --lib commands::export::
