//! Which language a file is written in, by its name; each is loaded when a file asks for it.
import { StreamLanguage, type LanguageSupport } from '@codemirror/language';
import type { Extension } from '@codemirror/state';

type Load = () => Promise<Extension>;

/** A language of the older, line-wise kind. */
function simple<Module>(
  load: () => Promise<Module>,
  pick: (module: Module) => Parameters<typeof StreamLanguage.define>[0],
): Load {
  return async () => StreamLanguage.define(pick(await load()));
}

function whole<Module>(load: () => Promise<Module>, pick: (module: Module) => LanguageSupport): Load {
  return async () => pick(await load());
}

const shell = simple(
  () => import('@codemirror/legacy-modes/mode/shell'),
  (m) => m.shell,
);
const dockerfile = simple(
  () => import('@codemirror/legacy-modes/mode/dockerfile'),
  (m) => m.dockerFile,
);
const toml = simple(
  () => import('@codemirror/legacy-modes/mode/toml'),
  (m) => m.toml,
);
const properties = simple(
  () => import('@codemirror/legacy-modes/mode/properties'),
  (m) => m.properties,
);
const nginx = simple(
  () => import('@codemirror/legacy-modes/mode/nginx'),
  (m) => m.nginx,
);
const javascript = whole(
  () => import('@codemirror/lang-javascript'),
  (m) => m.javascript({ jsx: true }),
);
const typescript = whole(
  () => import('@codemirror/lang-javascript'),
  (m) => m.javascript({ jsx: true, typescript: true }),
);
const python = whole(
  () => import('@codemirror/lang-python'),
  (m) => m.python(),
);
const json = whole(
  () => import('@codemirror/lang-json'),
  (m) => m.json(),
);
const yaml = whole(
  () => import('@codemirror/lang-yaml'),
  (m) => m.yaml(),
);
const markdown = whole(
  () => import('@codemirror/lang-markdown'),
  (m) => m.markdown(),
);
const html = whole(
  () => import('@codemirror/lang-html'),
  (m) => m.html(),
);
const css = whole(
  () => import('@codemirror/lang-css'),
  (m) => m.css(),
);
const rust = whole(
  () => import('@codemirror/lang-rust'),
  (m) => m.rust(),
);
const cpp = whole(
  () => import('@codemirror/lang-cpp'),
  (m) => m.cpp(),
);
const go = whole(
  () => import('@codemirror/lang-go'),
  (m) => m.go(),
);

const BY_ENDING: Readonly<Record<string, Load>> = {
  sh: shell,
  bash: shell,
  zsh: shell,
  dockerfile,
  containerfile: dockerfile,
  toml,
  ini: properties,
  conf: properties,
  cfg: properties,
  env: properties,
  js: javascript,
  mjs: javascript,
  cjs: javascript,
  jsx: javascript,
  ts: typescript,
  tsx: typescript,
  py: python,
  json,
  yaml,
  yml: yaml,
  md: markdown,
  html,
  htm: html,
  svg: html,
  xml: html,
  css,
  rs: rust,
  c: cpp,
  h: cpp,
  cc: cpp,
  cpp,
  hpp: cpp,
  go,
};

const BY_NAME: Readonly<Record<string, Load>> = {
  dockerfile,
  containerfile: dockerfile,
  makefile: shell,
  '.profile': shell,
  '.bashrc': shell,
  '.bash_profile': shell,
  '.ashrc': shell,
  profile: shell,
  'nginx.conf': nginx,
};

/** The language of a file, or nothing for plain text; `name` as it is shown. */
export async function languageOf(name: string): Promise<Extension> {
  const lower = name.toLowerCase();
  const load = BY_NAME[lower] ?? BY_ENDING[lower.slice(lower.lastIndexOf('.') + 1)];
  return load === undefined || (!lower.includes('.') && BY_NAME[lower] === undefined) ? [] : await load();
}
