#!/bin/sh
# Fails on purpose.
greeting="hello wrold"
echo "got:      $greeting"
echo "expected: hello world"
[ "$greeting" = "hello world" ]
