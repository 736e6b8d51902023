import { cp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { request } from './checkpoint-store-checks.ts'
import { goldenState, writeGolden } from './golden-checkpoint.ts'
import { desk } from './stores.ts'

const golden = fileURLToPath(new URL('../golden/', import.meta.url))
const newest = 'checkpoint-v1'

// A new format version gets a directory of its own, written once: WRITE_GOLDEN=1 npx vitest run test/checkpoint/golden
if (process.env['WRITE_GOLDEN'] !== undefined) {
  await rm(join(golden, newest), { recursive: true, force: true })
  await writeGolden(join(golden, newest))
}

const versions = (await readdir(golden)).filter((name) => name.startsWith('checkpoint-v')).sort()

test.each(versions)('conf-S25 %s is restored to the byte', async (version) => {
  const here = await desk()
  await cp(join(golden, version), here.root, { recursive: true })
  const session = await here.store().open(request())
  const restored = []
  for (const { parts, uid, kind, parallelism } of session.restored?.operators ?? []) {
    const read = []
    for (const part of parts) {
      const { kind, subtask, serializer } = part
      read.push({ kind, subtask, serializer, bytes: await session.readPart(part) })
    }
    restored.push({ uid, kind, parallelism, parts: read })
  }
  expect(restored).toEqual(goldenState)
  expect(session.restored?.checkpointId).toBe(2)
  expect(await session.carryOver()).toBe(3)
  await here.dispose()
})

test('conf-S25 a checkpoint written today has the bytes of the newest golden one', async () => {
  const here = await desk()
  await writeGolden(here.root)
  const files = (await readdir(join(golden, newest), { recursive: true, withFileTypes: true })).filter((f) =>
    f.isFile(),
  )
  expect(files).not.toHaveLength(0)
  for (const file of files) {
    const name = join(file.parentPath, file.name).slice(join(golden, newest).length)
    expect(await readFile(join(here.root, name)), name).toEqual(await readFile(join(golden, newest, name)))
  }
  await here.dispose()
})
