/** `npm run docs`: writes the pages that are made from tables of the code. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatedPages } from './docs-tables.ts'
import { root } from './source-tree.ts'

for (const [path, text] of Object.entries(generatedPages())) {
  writeFileSync(join(root, path), text)
  process.stdout.write(`wrote ${path}\n`)
}
