#!/usr/bin/env node
const { existsSync } = require('node:fs');
const { join } = require('node:path');

async function run() {
  const program = join(__dirname, '..', 'dist', 'bundle', 'mqtt', 'main.js');
  if (!existsSync(program)) {
    console.error('argo-mqtt: this clone has not been built yet; run `npm start` once');
    process.exit(1);
  }
  process.exitCode = await require(program).main(process.argv.slice(2));
}

void run();
