// sharp, a library of npm with machine code of its own, as a warm handler.
import { createRequire } from 'node:module';
import { appendFileSync } from 'node:fs';
import { serve, task } from '/usr/share/dormouse/clients/node/dormouse.js';
const sharp = createRequire('/srv/tools/node/')('sharp');
const here = process.env.TOOLS_HERE;

task('sharp', async () => {
  const made = await sharp({ create: { width: 800, height: 600, channels: 3, background: 'teal' } }).resize(80).webp().toFile(`${here}/sharp.webp`);
  return [made.format, made.width, made.height];
});
task('bad_sharp', () => sharp(`${here}/nothing.png`).png().toBuffer());
task('long_sharp', async () => {
  appendFileSync(`${here}/long_sharp.begun`, '0\n');
  for (;;) await sharp({ create: { width: 2000, height: 2000, channels: 3, background: 'teal' } }).blur(200).png().toBuffer();
});
task('prints_in_node', () => {
  for (let i = 0; i < 100; ++i) console.log('x'.repeat(1000000));
});
serve();
