#!/usr/bin/env node
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

async function run() {
  const client = join(__dirname, '..', 'dist', 'bundle', 'client', 'main.mjs');
  if (!existsSync(client)) {
    console.error('argo: this clone has not been built yet; run `npm start` once');
    process.exit(1);
  }
  const { main } = await import(pathToFileURL(client).href);
  process.exitCode = await main(process.argv.slice(2));
}

void run();
