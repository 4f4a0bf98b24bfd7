// Judges payloads with the vendors' own validators and types: judge.mjs KIND PACKAGES, where PACKAGES is
// the folder with node_modules. Reads a payload a line on standard input, and writes a line for each: null,
// or why the vendor would refuse it. Ends with 77 where the packages are missing.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [kind, packages] = [process.argv[2], resolve(process.argv[3])];
const modules = join(packages, "node_modules");
if (!existsSync(modules)) process.exit(77);
const require = createRequire(join(packages, "package.json"));

// What the library does not write, because it is so anyway.
const USUAL = { firstRowAsHeader: true, size: "default" };

// The first thing in `given` that `kept` does not have: the library ignores what it does not know. It
// writes words in its own case.
function lost(given, kept, path = "") {
  if (given === null || typeof given !== "object") {
    return `${given}`.toLowerCase() === `${kept}`.toLowerCase() ? null : `${path} is ignored`;
  }
  for (const [key, value] of Object.entries(given)) {
    if (USUAL[key] === value && kept?.[key] === undefined) continue;
    const inner = lost(value, kept?.[key], `${path}/${key}`);
    if (inner) return inner;
  }
  return null;
}

// The card of a message to Teams, without what Teams alone knows.
function teams(message) {
  const AC = require("adaptivecards/dist/adaptivecards.js");
  const { msteams, $schema, ...content } = message.attachments[0].content;
  const card = new AC.AdaptiveCard();
  const context = new AC.SerializationContext(AC.Versions.v1_5);
  card.parse(structuredClone(content), context);
  const parsed = Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at));
  const [event] = [...parsed, ...card.validateProperties().validationEvents];
  return event ? event.message : lost(content, card.toJSON(new AC.SerializationContext(AC.Versions.v1_5)));
}

// Discord's limits, as its most used library has them.
function discord(message) {
  const { EmbedAssertions, embedLength } = require("@discordjs/builders");
  const checks = {
    title: EmbedAssertions.titlePredicate,
    description: EmbedAssertions.descriptionPredicate,
    color: EmbedAssertions.colorPredicate,
    fields: EmbedAssertions.embedFieldsArrayPredicate,
    footer: EmbedAssertions.embedFooterPredicate,
    author: EmbedAssertions.embedAuthorPredicate,
    timestamp: EmbedAssertions.timestampPredicate,
    url: EmbedAssertions.urlPredicate,
  };
  const embeds = message.embeds ?? [];
  const content = message.content ?? "";
  if (content.length > 2000 || embeds.length > 10) return "over a limit of the message";
  if (!content && embeds.length === 0) return "an empty message";
  for (const embed of embeds) {
    for (const [key, value] of Object.entries(embed)) {
      if (!checks[key]) return `${key} is unknown`;
      try {
        checks[key].parse(value);
      } catch (error) {
        return `${key}: ${error.message}`;
      }
    }
  }
  const sum = embeds.map(embedLength).reduce((sum, length) => sum + length, 0);
  return sum > 6000 ? "embeds over 6000 in all" : null;
}

const BODY = `NonNullable<operations[Path]["requestBody"]>["content"]["application/json"]`;
// A type by kind; what is typed is a literal, so an unknown field is an error too.
const TYPES = {
  "github-create": `import type { operations } from "@octokit/openapi-types"; type Path = "issues/create"; type Body = ${BODY};`,
  "github-update": `import type { operations } from "@octokit/openapi-types"; type Path = "issues/update"; type Body = ${BODY};`,
  "github-comment": `import type { operations } from "@octokit/openapi-types"; type Path = "issues/create-comment"; type Body = ${BODY};`,
  discord: `import type { RESTPostAPIWebhookWithTokenJSONBody as Body } from "discord-api-types/v10";`,
};

// All payloads in one run of the compiler, each on its line behind the import.
function typed(lines, type) {
  const folder = mkdtempSync(join(packages, "typed-"));
  try {
    const file = join(folder, "payloads.ts");
    // JSON is TypeScript, but for two line ends.
    const json = (line) => line.replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
    const payloads = lines.map((line, at) => `export const p${at}: Body = ${json(line)};`);
    writeFileSync(file, [type, ...payloads, ""].join("\n"));
    const compiler = join(modules, "typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--pretty", "false", "--skipLibCheck", "--module", "nodenext"];
    const run = spawnSync(process.execPath, [compiler, ...options, file], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
    const verdicts = lines.map(() => null);
    let wrong = 0;
    for (const [, line, error] of run.stdout.matchAll(/payloads\.ts\((\d+),\d+\): error (.*)/g)) {
      verdicts[line - 2] ??= error;
      wrong += 1;
    }
    if ((run.status === 0) !== (wrong === 0)) throw new Error(run.stdout + run.stderr + run.error);
    return verdicts;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const lines = readFileSync(0, "utf8").split("\n").filter((line) => line);
const judge = { teams, discord }[kind];
const verdicts = lines.map((line) => (judge ? judge(JSON.parse(line)) : null));
const types = TYPES[kind] ? typed(lines, TYPES[kind]) : verdicts;
lines.forEach((_, at) => console.log(JSON.stringify(verdicts[at] ?? types[at])));
