import { defineConfig } from "vite";

export default defineConfig({
  build: {
    target: "es2022",
    // MapLibre is one library of 1 MB; there is nothing to split off a single page.
    chunkSizeWarningLimit: 1500,
    assetsInlineLimit: 0,
  },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
