// Opens a report in headless Chromium, as a person would: loads it, types into the filter, opens a failure.
// usage: node browse.mjs CHROMIUM PAGE.html WORD [SCREENSHOT-PREFIX]; prints one JSON object.
// It speaks to the browser over two pipes, so nothing is installed and no port is opened.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [program, page, word, screenshots] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'pester-gate-page-'));
const browser = spawn(
  program,
  ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--window-size=1200,900', `--user-data-dir=${profile}`, '--remote-debugging-pipe'],
  // A group of its own: its helpers end with it, and write nothing into a profile that is being removed.
  { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true },
);
const end = () => {
  try {
    process.kill(-browser.pid, 'SIGKILL');
  } catch {
    browser.kill('SIGKILL');
  }
};
const [to, from] = [browser.stdio[3], browser.stdio[4]];
const answers = new Map();
const listeners = [];
let last = 0;
let rest = '';
from.setEncoding('utf8');
from.on('data', (chunk) => {
  const parts = (rest + chunk).split('\0');
  rest = parts.pop();
  for (const message of parts.map((part) => JSON.parse(part))) {
    const answer = answers.get(message.id);
    if (answer) {
      answers.delete(message.id);
      message.error ? answer.reject(new Error(JSON.stringify(message.error))) : answer.resolve(message.result);
    } else {
      listeners.forEach((listener) => listener(message));
    }
  }
});
const send = (method, params = {}, sessionId) =>
  new Promise((resolve, reject) => {
    const id = ++last;
    answers.set(id, { resolve, reject });
    to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
  });
const event = (method) =>
  new Promise((resolve) => {
    const listener = (message) => {
      if (message.method === method) {
        listeners.splice(listeners.indexOf(listener), 1);
        resolve(message.params);
      }
    };
    listeners.push(listener);
  });

const failed = setTimeout(() => {
  console.error('the browser does not answer');
  end();
  process.exit(1);
}, 120_000);

try {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const tell = (method, params) => send(method, params, sessionId);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await tell('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return result.value;
  };
  await Promise.all(['Page.enable', 'Runtime.enable', 'Network.enable', 'Log.enable'].map((method) => tell(method)));
  const requests = [];
  const complaints = [];
  listeners.push((message) => {
    if (message.method === 'Network.requestWillBeSent') requests.push(message.params.request.url);
    if (message.method === 'Runtime.exceptionThrown') complaints.push(message.params.exceptionDetails.text);
    if (message.method === 'Log.entryAdded' && message.params.entry.level === 'error') complaints.push(message.params.entry.text);
  });
  const url = pathToFileURL(page).href;
  const began = performance.now();
  const loaded = event('Page.loadEventFired');
  await tell('Page.navigate', { url });
  await loaded;
  // Painted, and ready for the next key.
  await evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done)))');
  const openMs = performance.now() - began;

  const count = "[...document.querySelectorAll('.failure, .test')].filter((node) => !node.hidden).length";
  const before = await evaluate(count);
  const filterMs = await evaluate(`new Promise((done) => {
    const input = document.getElementById('filter'), shown = document.getElementById('shown');
    if (!input) return done(0);
    const began = performance.now();
    new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)))).observe(shown, { childList: true, characterData: true, subtree: true });
    input.focus();
    input.value = ${JSON.stringify(word)};
    input.dispatchEvent(new Event('input', { bubbles: true }));
  })`);
  const told = {
    openMs,
    filterMs,
    before,
    after: await evaluate(count),
    shown: await evaluate("document.getElementById('shown')?.textContent"),
    opened: await evaluate("(() => { const first = document.querySelector('details.failure:not([hidden])'); if (!first) return null; first.querySelector('summary').click(); return first.open && first.querySelector('pre').textContent; })()"),
    requests: requests.filter((request) => request !== url),
    complaints,
    // What a screen reader needs: names for controls, one first heading, headings in order, heads of tables, a language.
    unnamed: await evaluate("[...document.querySelectorAll('input, button, a')].filter((node) => !node.labels?.length && !node.textContent.trim() && !node.ariaLabel).length"),
    headings: await evaluate("[...document.querySelectorAll('h1, h2, h3')].map((node) => Number(node.tagName[1]))"),
    headless: await evaluate("[...document.querySelectorAll('table')].filter((table) => !table.querySelector('thead th[scope]')).length"),
    language: await evaluate('document.documentElement.lang'),
    sections: await evaluate("[...document.querySelectorAll('section')].map((node) => node.getAttribute('aria-labelledby')).filter((id) => document.getElementById(id))"),
    markup: await evaluate("document.querySelectorAll('main b b, main img, main iframe, main script').length"),
    // Contrast of text on its ground, the least of all that is shown, in each scheme.
    contrast: {},
  };
  for (const scheme of ['light', 'dark']) {
    await tell('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    told.contrast[scheme] = await evaluate(`(() => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
      const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
      const light = (color) => { const [r, g, b] = [...rgb(color)].map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ground = (node) => { for (let at = node; at; at = at.parentElement) { const color = getComputedStyle(at).backgroundColor; if (rgb(color)[3] > 250) return color; } return 'white'; };
      let least = 99;
      for (const node of [...document.querySelectorAll('h1, h2, p, li, td, th, summary, .class, code, pre, small')].slice(0, 400)) {
        if (!node.textContent.trim() || !node.checkVisibility()) continue;
        const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
        least = Math.min(least, (a + 0.05) / (b + 0.05));
      }
      return least;
    })()`);
    if (screenshots) {
      const { data } = await tell('Page.captureScreenshot', { format: 'png' });
      writeFileSync(`${screenshots}-${scheme}.png`, Buffer.from(data, 'base64'));
    }
  }
  console.log(JSON.stringify(told));
} finally {
  clearTimeout(failed);
  end();
  await new Promise((done) => browser.exitCode === null && browser.signalCode === null ? browser.once('exit', done) : done());
  for (let attempt = 1; ; attempt++) {
    try {
      rmSync(profile, { recursive: true, force: true });
      break;
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}
