// Fetches artifacts from the service and unpacks them: one straight into the folder, several into one each.
const fs = require("fs");
const path = require("path");
const input = (name) => process.env[`INPUT_${name.toUpperCase().replace(/ /g, "_")}`] || "";
const base = process.env.ACTIONS_RESULTS_URL;

async function fetchOne(name, folder) {
  const response = await fetch(`${base}stand-in/${encodeURIComponent(name)}`);
  if (!response.ok) {
    console.log(`::error::${name}: ${response.status}`);
    process.exit(1);
  }
  console.log(`downloaded ${name}`);
  for (const [file, data] of Object.entries(await response.json())) {
    const to = path.join(folder, file);
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.writeFileSync(to, Buffer.from(data, "base64"));
  }
}

// A glob as a regular expression: `*`, `[ab]` and `{a,b}`.
function expression(glob) {
  let depth = 0;
  return glob.replace(/[^\w-]/g, (c) => {
    if (c === "*") return ".*";
    if (c === "[" || c === "]") return c;
    if (c === "{") return depth++, "(?:";
    if (c === "}") return depth--, ")";
    return c === "," && depth ? "|" : `\\${c}`;
  });
}

async function main() {
  const folder = input("path");
  if (input("name")) return fetchOne(input("name"), folder);
  const wanted = new RegExp(`^${expression(input("pattern"))}$`);
  const names = (await (await fetch(`${base}stand-in/`)).json()).filter((name) => wanted.test(name));
  fs.mkdirSync(folder, { recursive: true });
  for (const name of names) await fetchOne(name, names.length === 1 ? folder : path.join(folder, name));
}
main();
