#!/usr/bin/env node
// The bench page in Chromium, on the graphics adapter and on the processor: its table, or JSON.
//
//   CHROMIUM=/usr/bin/chromium node tools/bench.mjs [--json] [FOLDER]        FOLDER: dist

import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from './serve.mjs';

const arguments_ = process.argv.slice(2);
const json = arguments_.includes('--json');
const folder = arguments_.find((argument) => !argument.startsWith('--')) ?? fileURLToPath(new URL('../dist', import.meta.url));
const server = await serve({ roots: [folder] });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--enable-unsafe-webgpu'],
});
const reports = [];
for (const device of ['webgpu', 'cpu']) {
  const page = await browser.newPage();
  await page.goto(`${server.url}bench.html`);
  await page.selectOption('#device', device);
  await page.click('#run');
  await page.waitForFunction(() => globalThis.report, null, { timeout: 600_000 });
  reports.push(await page.evaluate(() => globalThis.report));
  if (!json)
    console.log(
      await page.evaluate(() =>
        report.error
          ? report.error
          : [results.caption.textContent, ...[...results.rows].map(({ cells }) => `  ${cells[0].textContent.padEnd(34)}${cells[1].textContent}`)].join('\n'),
      ),
    );
  await page.close();
}
if (json) console.log(JSON.stringify(reports, null, 2));
await browser.close();
await server.close();
