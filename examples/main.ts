/** `npm run example -- 01 [arguments]`: runs an example by the number its folder begins with. */
import { readdir } from 'node:fs/promises'

const { argv, stderr } = process
const here = new URL('.', import.meta.url)

const folders = (await readdir(here)).filter((name) => /^\d\d-/.test(name)).sort()
const [wanted = '', ...rest] = argv.slice(2)
const folder = folders.find((name) => name === wanted || name.startsWith(`${wanted.padStart(2, '0')}-`))
if (folder === undefined) {
  stderr.write(
    `npm run example -- NN [arguments], where NN is one of\n${folders.map((name) => `  ${name}\n`).join('')}`,
  )
  process.exit(2)
}
process.argv = [...argv.slice(0, 2), ...rest]
await import(new URL(`${folder}/main.js`, here).href)
