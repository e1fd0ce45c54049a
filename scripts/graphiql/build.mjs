// Bundles GraphiQL into gateway/static/graphiql: modules, one stylesheet, and the licences of what is inside.
import { readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const out = fileURLToPath(new URL("../../gateway/static/graphiql/", import.meta.url));

await rm(out, { recursive: true, force: true });
await build({
  entryPoints: { graphiql: fileURLToPath(new URL("main.jsx", import.meta.url)) },
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: "es2022",
  jsx: "automatic",
  loader: { ".graphql": "text", ".ttf": "empty", ".woff2": "empty" },
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "linked",
  logLevel: "warning",
});

// GraphiQL's own fonts are nine tenths of its stylesheet; the system's read as well.
const css = out + "graphiql.css";
await writeFile(css, (await readFile(css, "utf8")).replace(/@font-face\{[^}]*\}/g, ""));
