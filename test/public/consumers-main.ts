/**
 * `npm run consumers -- [versions]`: a user's project compiles against the package with other versions of TypeScript,
 * which are installed into a folder that is removed at the end.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../tidy/source-tree.ts'
import { ConsumerProject, resolutions } from './consumer-project.ts'
import { runNpm } from './packed-files.ts'

const given = process.argv.slice(2)
const versions = given.length > 0 ? given : ['5.9.3', '6.0.3']
const consumer = new ConsumerProject(root)
process.on('exit', () => consumer.remove())

let failed = 0
for (const version of versions) {
  const folder = join(consumer.folder, `typescript-${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  runNpm(folder, 'install', '--no-audit', '--no-fund', '--ignore-scripts', `typescript@${version}`)
  for (const resolution of resolutions) {
    const complaint = consumer.compile(join(folder, 'node_modules/typescript/bin/tsc'), resolution)
    process.stdout.write(
      `TypeScript ${version}, ${resolution}: ${complaint === '' ? 'compiles' : `fails\n${complaint}`}\n`,
    )
    if (complaint !== '') failed += 1
  }
}
process.exitCode = failed === 0 ? 0 : 1
