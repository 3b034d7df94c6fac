//! How the page is built. The server embeds `dist/` as it is: names carry a hash of their content, so that everything
//! but `index.html` may be cached for ever. Invariant: nothing is fetched from another origin.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds a running sandlot-server. */
const server = process.env['SANDLOT_SERVER'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [svelte()],
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
