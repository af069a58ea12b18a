#!/usr/bin/env node
// The mark → the icons of an installed page, www/icons/*.png, drawn by the tests' browser. Run it when the mark changes.
//
//   node tools/icons.mjs

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const ROOT = new URL('../', import.meta.url);
// Size, and the share of it that the mark takes: a maskable icon may lose its rim.
const ICONS = { 'icon-180': [180, 0.68], 'icon-192': [192, 0.7], 'icon-512': [512, 0.7], 'maskable-512': [512, 0.54] };
const CORNERS = { 'icon-192': 0.22, 'icon-512': 0.22 };

const mark = (await readFile(new URL('www/logo.svg', ROOT), 'utf8')).replace(/<style>.*<\/style>/s, '<style>.iron { stroke: #e9dccb }</style>');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox'] });
const page = await browser.newPage();
await mkdir(new URL('www/icons/', ROOT), { recursive: true });
for (const [name, [size, share]] of Object.entries(ICONS)) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>
    body { margin: 0; background: transparent }
    div { display: grid; place-items: center; width: ${size}px; height: ${size}px; border-radius: ${(CORNERS[name] ?? 0) * size}px; background: #201713 }
    svg { width: ${share * size}px; height: ${share * size}px }
  </style><div>${mark}</div>`);
  await writeFile(new URL(`www/icons/${name}.png`, ROOT), await page.screenshot({ omitBackground: true }));
}
await browser.close();
