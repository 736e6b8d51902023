import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { sourcePaths } from './test/public/source-paths.ts'
import { SummaryReporter } from './test/summary-reporter.ts'

const root = fileURLToPath(new URL('.', import.meta.url))
const seed = process.env['SEED'] ?? String(Math.floor(Math.random() * 2 ** 31))

/** `millrace/files` and the like, as the exports map has them, but answered from `src`: tests need no build. */
const alias = sourcePaths(readFileSync(`${root}package.json`, 'utf8')).map(({ specifier, source }) => ({
  find: new RegExp(`^${specifier}$`),
  replacement: `${root}${source}`,
}))

export default defineConfig({
  resolve: { alias },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    env: { SEED: seed },
    reporters: ['default', new SummaryReporter(seed)],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
})
