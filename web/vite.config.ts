//! How the page is built. The server embeds `dist/` as it is: names carry a hash of their content, so that everything
//! but `index.html` may be cached for ever. Invariant: nothing is fetched from another origin.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { licences } from './licences.ts';

/** Where `npm run dev` finds a running sandlot-server. */
const server = process.env['SANDLOT_SERVER'] ?? 'http://127.0.0.1:8080';

/**
 * Lets the browser fetch the terminal's code while the page's own code is still on its way, so that a session's address
 * opened anew costs one round trip less.
 */
const preloadTerminal: Plugin = {
  name: 'preload-terminal',
  transformIndexHtml: {
    order: 'post',
    handler: (_html, { bundle }) =>
      Object.values(bundle ?? {})
        // The player waits until a recording is watched, the editor until a file is opened.
        .filter((chunk) => chunk.type === 'chunk' && chunk.isDynamicEntry && chunk.name !== 'player')
        .filter((chunk) => !/codemirror|src\/editor/.test(chunk.facadeModuleId ?? ''))
        .map(({ fileName }) => ({
          tag: 'link',
          attrs: { rel: 'modulepreload', href: `/${fileName}`, crossorigin: true, fetchpriority: 'low' },
          injectTo: 'head',
        })),
  },
};

export default defineConfig({
  plugins: [svelte(), preloadTerminal, licences],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      '/api': { target: server, ws: true, changeOrigin: true, rewriteWsOrigin: true },
    },
  },
});
