//! The licence notices of everything that is bundled into the page, as one text file beside it: taken from the packages
//! themselves, so that none is forgotten and none is of another version. A package without a licence's text ends the build.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

/** The notices' file, as `index.html` is beside it. */
export const FILE = 'third-party-licences.txt';

const LICENCE = /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i;
const RULE = '─'.repeat(78);

/** Where a package's own licence ends and those of what its tools are made of begin: none of that is in the page. */
const TOOLS = /\n# Licenses of bundled dependencies[\s\S]*/;

interface Package {
  name: string;
  version: string;
  license?: string;
  dependencies?: Record<string, string>;
}

/** The folder of the package that a module belongs to; `undefined` for the page's own code. */
function folder(module: string): string | undefined {
  // Vite adds a few lines of its own to every bundle.
  const virtual = /^\0?(vite|rolldown)\//.exec(module)?.[1];
  if (virtual !== undefined) return join('node_modules', virtual);
  const path = module.replace(/^\0/, '').replace(/\?.*$/, '');
  if (!path.includes('/node_modules/')) return undefined;
  let at = dirname(path);
  while (!existsSync(join(at, 'package.json')) || !('version' in described(at))) at = dirname(at);
  return at;
}

/** Addons of xterm.js come as one file that holds what they depend on. */
function within(at: string): string[] {
  const { name, dependencies } = described(at);
  return name.startsWith('@xterm/') ? Object.keys(dependencies ?? {}).map((other) => join('node_modules', other)) : [];
}

function described(at: string): Package {
  return JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as Package;
}

function notice(at: string): string {
  const { name, version, license } = described(at);
  const texts = readdirSync(at)
    .filter((file) => LICENCE.test(file))
    .sort()
    .map((file) => readFileSync(join(at, file), 'utf8').replace(TOOLS, '').trim());
  if (texts.length === 0) throw new Error(`${name} ${version} brings no licence text: it cannot be bundled`);
  return [RULE, `${name} ${version}${license === undefined ? '' : ` (${license})`}`, '', ...texts].join('\n');
}

/** Writes the notices beside the bundle. */
export const licences: Plugin = {
  name: 'licences',
  generateBundle(_options, bundle) {
    const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
    const modules = chunks.flatMap((chunk) => chunk.moduleIds).map(folder);
    const folders = modules.filter((found) => found !== undefined).flatMap((found) => [found, ...within(found)]);
    const notices = [...new Set(folders)].map(notice).sort();
    const head =
      'The page of Sandlot contains the following software, each under the licence that stands below its name.';
    this.emitFile({ type: 'asset', fileName: FILE, source: `${head}\n\n${notices.join('\n\n')}\n` });
  },
};
