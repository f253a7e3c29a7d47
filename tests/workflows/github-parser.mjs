// What GitHub's own parser says of workflows and actions.
// usage: node github-parser.mjs FOLDER FILE..   FOLDER holds node_modules with @actions/languageservice.
// Exit 0 with nothing to say; 1 with a line for each finding. A parser that breaks, or that finds nothing
// in a broken workflow, is a finding too.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
// The packages import JSON as bundlers let them; Node wants that said.
register(
  "data:text/javascript," +
    encodeURIComponent(`export async function load(url, context, next) {
      return url.endsWith(".json") ? next(url, { ...context, importAttributes: { type: "json" } }) : next(url, context);
    }`),
);
const module = (path) => import(pathToFileURL(join(resolve(folder), "node_modules", path)).href);
const { validate } = await module("@actions/languageservice/dist/validate.js");
const { registerLogger } = await module("@actions/languageservice/dist/log.js");
const { parse } = await module("yaml/dist/index.js");

const broken = [];
const keep = (message) => broken.push(message);
registerLogger({ log() {}, info() {}, warn: keep, error: keep });

// Called workflows are read from this repository, so that their inputs are compared with what is given.
const fileProvider = {
  getFileContent: async ({ path }) => ({ name: path, content: await readFile(path, "utf8") }),
};
// Of an action that is not there nothing is known, and its inputs are not compared.
const actionsMetadataProvider = process.env.REAL_ACTIONS && {
  fetchActionMetadata: async ({ name }) => {
    const path = join(process.env.REAL_ACTIONS, name, "action.yml");
    return existsSync(path) ? parse(await readFile(path, "utf8")) : {};
  },
};

async function findings(path, content) {
  const document = { uri: `file:///${path}`, getText: () => content, languageId: "yaml", version: 1 };
  document.positionAt = (offset) => ({ line: content.slice(0, offset).split("\n").length - 1, character: 0 });
  const found = await validate(document, { fileProvider, actionsMetadataProvider });
  const lines = found.map(({ range, message }) => `${path}:${range.start.line + 1}: ${message}`);
  return [...lines, ...broken.splice(0).map((message) => `${path}: ${message}`)];
}

const probes = [
  [".github/workflows/probe.yml", "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    neds: b\n    steps: [{run: x}]\n"],
  [".github/workflows/probe-2.yml", "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    env: {A: \"${{ gihub.sha }}\"}\n    steps: [{run: x}]\n"],
  ["probe/action.yml", "name: a\ndescription: b\nruns: {using: composite, steps: [{run: x}]}\n"],
];
let wrong = 0;
for (const [path, content] of probes) {
  if ((await findings(path, content)).length === 0) {
    console.log(`${path}: the parser finds nothing in a broken file`);
    wrong += 1;
  }
}
for (const path of files) {
  for (const line of await findings(path, await readFile(path, "utf8"))) {
    console.log(line);
    wrong += 1;
  }
}
process.exit(wrong ? 1 : 0);
