import type { CheckpointManifest, CheckpointPart } from '../../src/checkpoint/checkpoint-store.ts'
import { inlineBytes } from '../../src/checkpoint/inline-bytes.ts'
import { checkpointId, generation } from '../../src/core/index.ts'
import { nodeDigest } from '../../src/platform/index.ts'

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

export const sha256 = (bytes: Uint8Array): string => {
  const hasher = nodeDigest.sha256()
  hasher.update(bytes)
  return hasher.hex()
}

export const inlinePart = (part: Pick<CheckpointPart, 'kind' | 'subtask'>, bytes: Uint8Array): CheckpointPart => ({
  ...part,
  serializer: 'test',
  version: 1,
  bytes: bytes.length,
  sha256: sha256(bytes),
  ...inlineBytes(bytes),
})

/** A small manifest with everything a manifest can have. */
export const someManifest = (change: Partial<CheckpointManifest> = {}): CheckpointManifest => ({
  magic: 'millrace-checkpoint',
  formatVersion: 1,
  readerVersion: 1,
  job: 'slow-paths',
  checkpointId: checkpointId(457),
  generation: generation(13),
  kind: 'periodic',
  completedAt: '2026-01-31T23:59:59.000Z',
  maxParallelism: 128,
  operators: [
    {
      uid: 'access',
      kind: 'source',
      parallelism: 2,
      parts: [
        inlinePart({ kind: 'enumerator' }, utf8('{"seen":["a","b"]}')),
        inlinePart({ kind: 'splits', subtask: 1 }, Uint8Array.of(0, 255, 1, 254)),
      ],
    },
    {
      uid: 'per minute / é',
      kind: 'keyed',
      parallelism: 2,
      parts: [
        {
          kind: 'keyed',
          subtask: 0,
          serializer: 'keyed-state',
          version: 1,
          bytes: 70000,
          sha256: sha256(utf8('elsewhere')),
          file: 'ck-0000000457.keyed.per_minute_.0.part',
        },
      ],
    },
  ],
  channelState: null,
  ...change,
})
