// Preloaded into Azurite: ends it as SIGTERM would (data is written out) when its stdin closes, which happens at the
// latest when the process that started it is gone, however it went.
'use strict';

function end() {
  if (!process.emit('SIGTERM')) process.exit(0);
}

process.stdin.once('end', end);
process.stdin.once('error', end);
process.stdin.resume();
if (process.stdin.unref) process.stdin.unref();
