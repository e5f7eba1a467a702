#!/usr/bin/env -S node --max-semi-space-size=16
// Where there is much memory, Node.js lets short-lived objects fill 128 MB before it looks at them. This many MiB take a
// third less memory in all, and next to no time: docs/decisions.md.
import '../dist/host/main.js';
