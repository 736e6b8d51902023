import type { PlantedBug } from './planted-bug.ts'

const store = 'src/checkpoint/directory-checkpoint-store.ts'
const session = 'src/checkpoint/directory-checkpoint-session.ts'
const writer = 'src/checkpoint/directory-checkpoint-writer.ts'
const start = 'src/runtime/attempt-start.ts'

/** The protocol of the checkpoint directory. */
export const checkpointBugs: readonly PlantedBug[] = [
  {
    id: 'manifest-not-synced',
    file: writer,
    search: '      await file.append(encodeManifest(manifest, digest))\n      await file.sync()\n',
    replacement: '      await file.append(encodeManifest(manifest, digest))\n',
    breaks: 'a power loss leaves a published checkpoint empty or torn',
  },
  {
    id: 'parts-not-synced',
    file: 'src/checkpoint/directory-part-writer.ts',
    search: '      await this.#open.file.sync()\n',
    replacement: '',
    breaks: 'a power loss takes state that a published checkpoint names',
  },
  {
    id: 'part-names-not-synced',
    file: writer,
    search: '    if (this.#partFiles.length > 0) await fs.syncDirectory(this.#directory)\n',
    replacement: '',
    breaks: 'a power loss keeps the manifest and loses the name of a part',
  },
  {
    id: 'publish-not-synced',
    file: writer,
    search:
      '    await fs.rename(temporary, joinPath(this.#directory, manifestName(this.id)))\n    await fs.syncDirectory(this.#directory)\n',
    replacement: '    await fs.rename(temporary, joinPath(this.#directory, manifestName(this.id)))\n',
    breaks: 'output is committed for a checkpoint that a power loss takes back',
  },
  {
    id: 'generation-not-synced',
    file: store,
    search: '    await this.#raceable(request, writeOwner(fs, path, claim))\n    await fs.syncDirectory(this.#root)\n',
    replacement: '    await this.#raceable(request, writeOwner(fs, path, claim))\n',
    breaks: 'a power loss takes a generation with everything published in it',
  },
  {
    id: 'latest-by-text',
    file: 'src/checkpoint/checkpoint-directory.ts',
    search: '  return ids.sort((a, b) => b - a)',
    replacement: '  return ids.sort((a, b) => (String(a) < String(b) ? 1 : -1))',
    breaks: 'checkpoint 9 is taken for newer than 10',
  },
  {
    id: 'no-seal',
    file: store,
    search: '    if (!newest.sealed) {',
    replacement: '    if (newest.generation < 0) {',
    breaks: 'the old owner goes on publishing',
  },
  {
    id: 'no-second-listing',
    file: store,
    search: '    if (other !== undefined) throw this.#lost(',
    replacement: '    if (other !== undefined && other.generation < 0) throw this.#lost(',
    breaks: 'a starter that slept claims a generation that was over before',
  },
  {
    id: 'no-resync',
    file: 'src/checkpoint/checkpoint-files.ts',
    search:
      '  await syncFile(fs, manifestPath(location))\n  await fs.syncDirectory(location.directory)\n  await fs.syncDirectory(parentPath(location.directory))\n',
    replacement: '',
    breaks: 'output is committed for a checkpoint that was visible and not durable',
  },
  {
    id: 'no-carry-over',
    file: start,
    search: '  await session.carryOver()\n',
    replacement: '  if (session.restored === undefined) await session.carryOver()\n',
    breaks: 'the first checkpoint of the new generation is not the state it started from',
  },
  {
    id: 'carry-over-empty',
    file: session,
    search: '      await writer.publish(restored === undefined ? [] : await this.#adopt(writer, restored))\n',
    replacement:
      '      await writer.publish(restored === undefined ? [] : (await this.#adopt(writer, restored)).slice(0, 0))\n',
    breaks: 'a second crash finds no state in the new generation',
  },
  {
    id: 'retention-too-eager',
    file: 'src/checkpoint/retention.ts',
    search: '    .slice(Math.max(retained, 2))\n    .filter(({ id }) => id < confirmed)',
    replacement: '    .slice(0)',
    breaks: 'the only checkpoint is removed',
  },
  {
    id: 'skips-corrupt',
    file: 'src/checkpoint/restore-target.ts',
    search: '  const manifest = await readManifest(fs, digest, location)\n  requireJob(',
    replacement:
      '  const manifest = await readManifest(fs, digest, location).catch((error: unknown) => {\n    if (error instanceof RestoreError && scan.published.length > 1) return undefined\n    throw error\n  })\n  if (manifest === undefined) return findRestoreTarget(fs, digest, { ...scan, published: scan.published.slice(1) }, request)\n  requireJob(',
    breaks: 'an older checkpoint is restored, and committed output is written again',
  },
  {
    id: 'no-crc',
    file: 'src/checkpoint/checkpoint-manifest.ts',
    search: '  const intact = tail?.[1] === crc32 && head.bytes === bytes.length',
    replacement: '  const intact = crc32 !== undefined',
    breaks: 'a manifest with a wrong bit is believed',
  },
  {
    id: 'owner-not-checked',
    file: 'src/checkpoint/generation-directory.ts',
    search: '      if ((await this.#isMine()) || (await this.#isMine())) return\n',
    replacement: '      if (this.#fenced === undefined) return\n',
    breaks: 'a fenced process publishes into a directory that has the name of its own',
  },
]
