#!/usr/bin/env bash
# Rows, columns and a service over several hosts, in short: tests/hosts says what that is. Ends with
# 77 where the kernel lets us make no hosts. $DID is the program, $DID_TEST_MODELS the models.
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && { echo "skipped under the sanitizers: it takes minutes"; exit 77; }
exec "$(dirname "${BASH_SOURCE[0]}")/../hosts" --quick
