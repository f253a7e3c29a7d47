#!/bin/sh
# Passes: two and two are four.
[ $((2 + 2)) -eq 4 ]
