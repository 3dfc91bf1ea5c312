#!/usr/bin/env node
import { existsSync } from 'node:fs';

const client = new URL('../dist/bundle/client/main.js', import.meta.url);
if (!existsSync(client)) {
  console.error('argo: this clone has not been built yet; run `npm start` once');
  process.exit(1);
}
const { main } = await import(client.href);
process.exitCode = await main(process.argv.slice(2));
