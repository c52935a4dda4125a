// Reads cards as JSON lines from standard input, as cards.py does, and has the TypeScript compiler check them against
// @slack/types. A line "name: what is wrong" comes out for each that does not fit.
const fs = require("node:fs");
const path = require("node:path");
const ts = require("typescript");

const FILE = path.join(process.env.NODE_PATH, "..", "cards.ts"); // beside the packages, and only in memory

// The types of views and messages also take any block with a type; the cards must be of the known ones. RichTextList
// misses offset, which Slack documents and slack_sdk knows.
const head = `import type { KnownBlock, ModalView, HomeView } from "@slack/types";
declare module "@slack/types" { interface RichTextList { offset?: number } }
type Message = KnownBlock[];
type Modal = Omit<ModalView, "blocks"> & { blocks: KnownBlock[] };
type Home = Omit<HomeView, "blocks"> & { blocks: KnownBlock[] };
`;
const types = { message: "Message", modal: "Modal", home: "Home" };

const cards = fs.readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
let source = head;
for (const [i, card] of cards.entries()) {
  card.at = source.length;
  source += `export const card${i}: ${types[card.kind]} = ${JSON.stringify(card.kind === "message" ? card.blocks : card.view)};\n`;
}

const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, moduleResolution: ts.ModuleResolutionKind.Node10 };
const host = ts.createCompilerHost(options);
const read = host.getSourceFile.bind(host);
host.getSourceFile = (name, ...rest) => (name === FILE ? ts.createSourceFile(name, source, options.target) : read(name, ...rest));
const exists = host.fileExists.bind(host);
host.fileExists = (name) => name === FILE || exists(name);

for (const d of ts.getPreEmitDiagnostics(ts.createProgram([FILE], options, host))) {
  const card = cards.findLast((c) => c.at <= (d.start ?? 0));
  console.log(`${card?.name ?? "the check"}: ${ts.flattenDiagnosticMessageText(d.messageText, " ")}`);
}
