import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  type FilesEnumeratorState,
  filesEnumeratorSerializer,
} from '../../../../src/connectors/files/file-enumerator-state.ts'
import { type FileSplit, fileSplitSerializer } from '../../../../src/connectors/files/file-split.ts'

const golden = (name: string): Uint8Array => readFileSync(new URL(`../../../golden/${name}`, import.meta.url))

/** What the golden files of version 1 hold. They are never written again. */
const splits: FileSplit[] = [
  {
    splitId: 'logs/access.log#1',
    path: 'logs/access.log.1',
    fileId: '66306:9007199254740993',
    fingerprint: { bytes: 5, sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824' },
    generation: 2,
    position: 5,
    size: null,
    state: 'reading',
  },
  {
    splitId: 'logs/old.log.gz#2',
    path: 'logs/old.log.gz',
    fileId: '66306:131',
    fingerprint: { bytes: 0, sha256: '' },
    generation: 0,
    position: 0,
    size: 4096,
    state: 'finished',
  },
]
const state: FilesEnumeratorState = {
  mode: 'tail',
  parallelism: 4,
  nextNumber: 3,
  skippedFiles: 1,
  files: [
    { fileId: '66306:9007199254740993', path: 'logs/access.log.1', splitId: 'logs/access.log#1', subtask: 3 },
    { fileId: '66306:140', path: 'logs/older.log.gz', splitId: null, subtask: null },
  ],
  unassigned: splits.slice(1),
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('conf-S25 checkpoints of the files source', () => {
  it('of version 1 are read for ever', () => {
    const stored: readonly unknown[] = JSON.parse(text(golden('files-split-v1.json')))
    const read = stored.map((split) =>
      fileSplitSerializer.deserialize(1, new TextEncoder().encode(JSON.stringify(split))),
    )
    expect(read).toEqual(splits)
    expect(filesEnumeratorSerializer.deserialize(1, golden('files-enumerator-v1.json'))).toEqual(state)
  })

  it('are written as the golden files of the present version', () => {
    expect(fileSplitSerializer.version).toBe(1)
    expect(splits.map((split) => JSON.parse(text(fileSplitSerializer.serialize(split))))).toEqual(
      JSON.parse(text(golden('files-split-v1.json'))),
    )
    expect(filesEnumeratorSerializer.version).toBe(1)
    expect(JSON.parse(text(filesEnumeratorSerializer.serialize(state)))).toEqual(
      JSON.parse(text(golden('files-enumerator-v1.json'))),
    )
  })

  it.each([
    [{ ...splits[0], position: -1 }, /position is not a number from 0/],
    [{ ...splits[0], position: 1.5 }, /position is not a number from 0/],
    [{ ...splits[0], state: 'done' }, /state is not one of reading, finished, skipped/],
    [{ ...splits[0], path: undefined }, /path is not text/],
    [[], /a split is not an object/],
  ])('with something else in them are refused', (value, expected) => {
    const bytes = new TextEncoder().encode(JSON.stringify(value))
    expect(() => fileSplitSerializer.deserialize(1, bytes)).toThrow(expected)
  })
})
