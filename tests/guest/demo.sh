#!/bin/sh
# What `cargo xtask lab` runs without a terminal if nothing else is asked for: a mixed load, and a report about it.
# Arguments replace the report's own. Init ends the load when the report is done.

lab-load mixed &

[ $# -gt 0 ] || set -- --duration 10
iova report "$@"
