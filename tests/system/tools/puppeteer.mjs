// Puppeteer with Debian's Chromium, as a warm handler: one browser for each run, with a profile of its own.
import { createRequire } from 'node:module';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { serve, task } from '/usr/share/dormouse/clients/node/dormouse.js';
const puppeteer = createRequire('/srv/tools/node/')('puppeteer-core');
const here = process.env.TOOLS_HERE;

async function withPage(work) {
  const profile = mkdtempSync('/tmp/profile-');
  try {
    const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium', userDataDir: profile, handleSIGTERM: false });
    try { return await work(await browser.newPage()); } finally { await browser.close(); }
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}

task('invoice', () => withPage(async (page) => {
  await page.setContent('<title>Invoice</title><h1>17</h1>');
  await page.pdf({ path: `${here}/invoice.pdf` });
  return page.title();
}));
task('bad_selector', () => withPage((page) => page.click('#nowhere')));
task('long_page', () => withPage(async (page) => {
  appendFileSync(`${here}/long_page.begun`, '0\n');
  await page.goto('http://127.0.0.1:8904/', { timeout: 0 });
}));
serve({ concurrency: 2 });
