#!/bin/sh
# Passes: sort puts lines in order.
sorted=$(printf 'pear\napple\n' | sort | head -n 1)
echo "first: $sorted"
[ "$sorted" = apple ]
