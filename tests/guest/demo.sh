#!/bin/sh
# What `cargo xtask lab` runs if nothing else is asked for: traffic on the disk and on the network, and a report
# about it. Arguments replace the report.
