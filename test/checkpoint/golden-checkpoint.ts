import type { OperatorState, PartKind } from '../../src/checkpoint/checkpoint-store.ts'
import { DirectoryCheckpointStore } from '../../src/checkpoint/directory-checkpoint-store.ts'
import { nodeClock, nodeDigest, nodeFileSystem } from '../../src/platform/index.ts'
import { request } from './checkpoint-store-checks.ts'
import { utf8 } from './manifests.ts'

interface GoldenPart {
  readonly kind: PartKind
  readonly subtask?: number
  readonly serializer: string
  readonly bytes: Uint8Array
}

interface GoldenOperator extends Pick<OperatorState, 'uid' | 'kind' | 'parallelism'> {
  readonly parts: readonly GoldenPart[]
}

const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 0xff)

/** What the golden checkpoint holds: text and bytes, small and large, of every kind. Never changed after a release. */
export const goldenState: readonly GoldenOperator[] = [
  {
    uid: 'access',
    kind: 'source',
    parallelism: 2,
    parts: [
      { kind: 'enumerator', serializer: 'golden.enumerator', bytes: utf8('{"position":"9007199254740993"}') },
      { kind: 'splits', subtask: 0, serializer: 'golden.split', bytes: utf8('["shard 0", "ü €"]\n') },
      { kind: 'splits', subtask: 1, serializer: 'golden.split', bytes: new Uint8Array() },
    ],
  },
  {
    uid: 'per minute / path',
    kind: 'keyed',
    parallelism: 2,
    parts: [
      { kind: 'keyed', subtask: 0, serializer: 'golden.keyed', bytes: pattern(5000) },
      { kind: 'keyed', subtask: 1, serializer: 'golden.keyed', bytes: pattern(256) },
    ],
  },
  {
    uid: 'archive',
    kind: 'sink',
    parallelism: 1,
    parts: [
      { kind: 'writer', subtask: 0, serializer: 'golden.writer', bytes: Uint8Array.of(0, 1, 254, 255) },
      { kind: 'committables', subtask: 0, serializer: 'golden.committable', bytes: utf8('part-1-a') },
    ],
  },
]

/** Writes the golden checkpoint into `directory`. The same bytes on every machine and in every build. */
export const writeGolden = async (directory: string): Promise<void> => {
  const clock = { ...nodeClock, wallMs: () => Date.UTC(2026, 0, 31, 23, 59, 59) }
  const random = { float: () => 0, u32: () => 0, id: () => '0123456789abcdef' }
  const store = new DirectoryCheckpointStore({ directory }, { fs: nodeFileSystem(), digest: nodeDigest, clock, random })
  const session = await store.open(request({ owner: 'golden:1' }))
  await session.carryOver()
  const writer = session.begin(session.nextId(), 'periodic')
  const operators: OperatorState[] = []
  for (const { parts, ...operator } of goldenState) {
    const written = []
    for (const { bytes, ...part } of parts) {
      written.push(await writer.writePart({ ...part, uid: operator.uid, subtask: part.subtask, version: 1 }, bytes))
    }
    operators.push({ ...operator, parts: written })
  }
  await writer.publish(operators)
}
