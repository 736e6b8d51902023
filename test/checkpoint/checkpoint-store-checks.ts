import assert from 'node:assert/strict'
import type {
  CheckpointKind,
  CheckpointManifest,
  CheckpointSession,
  CheckpointStore,
  OpenStoreRequest,
  OperatorState,
  PartHeader,
} from '../../src/checkpoint/checkpoint-store.ts'
import { checkpointId, type ErrorCode, MillraceError } from '../../src/core/index.ts'
import { type ContractCheck, checksWith } from '../../src/testing/index.ts'
import { utf8 } from './manifests.ts'

export interface StoreFixture {
  /** A store as another process would make it, on the same storage each time. It keeps 3 checkpoints. */
  store(): CheckpointStore
  dispose?(): Promise<void> | void
}

export const request = (change: Partial<OpenStoreRequest> = {}): OpenStoreRequest => ({
  job: 'slow-paths',
  restore: 'latest',
  allowRollback: false,
  maxParallelism: 128,
  owner: 'host-a:1',
  ...change,
})

export const splitsOf = (subtask: number): PartHeader => ({
  uid: 'access',
  kind: 'splits',
  subtask,
  serializer: 'test-split',
  version: 1,
})

export const keyedOf = (subtask: number): PartHeader => ({ ...splitsOf(subtask), uid: 'totals', kind: 'keyed' })

export const receiptsOf = (subtask: number): PartHeader => ({ ...splitsOf(subtask), uid: 'out', kind: 'committables' })

/** State far too large for a manifest, different for each `seed`. */
export const largeBytes = (seed: number, length = 20_000): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 17 + (index >> 8)) & 0xff)

/** One operator of each kind: a small part, a large one, and a receipt, all telling `seed`. */
export const writeState = async (
  writer: { writePart: (part: PartHeader, bytes: Uint8Array) => Promise<OperatorState['parts'][number]> },
  seed: number,
): Promise<OperatorState[]> => [
  { uid: 'access', kind: 'source', parallelism: 1, parts: [await writer.writePart(splitsOf(0), utf8(`at ${seed}`))] },
  { uid: 'totals', kind: 'keyed', parallelism: 1, parts: [await writer.writePart(keyedOf(0), largeBytes(seed))] },
  { uid: 'out', kind: 'sink', parallelism: 1, parts: [await writer.writePart(receiptsOf(0), largeBytes(seed + 1))] },
]

export const publish = async (
  session: CheckpointSession,
  seed: number,
  kind: CheckpointKind = 'periodic',
  directory?: string,
): Promise<CheckpointManifest> => {
  const writer = session.begin(session.nextId(), kind, directory)
  return writer.publish(await writeState(writer, seed))
}

/** The seed of the state a session was restored with; undefined for a fresh start. Reads and compares every part. */
export const restoredSeed = async (session: CheckpointSession): Promise<number | undefined> => {
  if (session.restored === undefined) return undefined
  const read = async (uid: string): Promise<Uint8Array | undefined> => {
    const part = session.restored?.operators.find((operator) => operator.uid === uid)?.parts[0]
    return part === undefined ? undefined : session.readPart(part)
  }
  const seed = Number(new TextDecoder().decode(await read('access')).slice('at '.length))
  assert.deepEqual(await read('totals'), largeBytes(seed))
  const receipts = await read('out')
  if (receipts !== undefined) assert.deepEqual(receipts, largeBytes(seed + 1))
  return seed
}

export const failsWith = async (
  code: ErrorCode,
  operation: Promise<unknown>,
  pattern = /./,
): Promise<MillraceError> => {
  const thrown: unknown = await operation.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  )
  assert.ok(thrown instanceof MillraceError, `expected ${code}, got ${String(thrown)}`)
  assert.equal(thrown.code, code, thrown.message)
  assert.match(thrown.message, pattern)
  return thrown
}

export const start = async (store: CheckpointStore, change?: Partial<OpenStoreRequest>): Promise<CheckpointSession> => {
  const session = await store.open(request(change))
  await session.carryOver()
  await session.cleanUp()
  return session
}

/** What holds of every checkpoint store. */
export const checkpointStoreChecks = (setup: () => Promise<StoreFixture> | StoreFixture): ContractCheck[] =>
  checksWith(setup, (fixture) => fixture.dispose?.(), {
    async 'an empty store has nothing to restore, and publishes the empty state as its first checkpoint'({ store }) {
      const session = await store().open(request())
      assert.equal(session.restored, undefined)
      assert.equal(session.generation, 1)
      assert.equal(await session.carryOver(), 1)
      const next = await store().open(request())
      assert.equal(next.restored, undefined)
      assert.equal(next.generation, 2)
      assert.equal(await next.carryOver(), 2)
    },

    async 'the newest published checkpoint is restored, byte for byte'({ store }) {
      const session = await start(store())
      await publish(session, 1)
      const newest = await publish(session, 2)
      const next = await store().open(request())
      assert.deepEqual(next.restored, newest)
      assert.equal(await restoredSeed(next), 2)
    },

    async 'a part written in pieces from one buffer comes back whole, whether small or large'({ store }) {
      const session = await start(store())
      const writer = session.begin(session.nextId(), 'periodic')
      const parts = []
      for (const pieces of [0, 1, 3, 40]) {
        const part = await writer.openPart(keyedOf(0))
        const buffer = new Uint8Array(1000)
        for (let piece = 0; piece < pieces; piece++) {
          buffer.fill(piece)
          await part.append(buffer)
        }
        parts.push(await part.finish())
      }
      await writer.publish([{ uid: 'totals', kind: 'keyed', parallelism: 1, parts }])
      const next = await store().open(request())
      const restored = next.restored?.operators[0]?.parts ?? []
      assert.deepEqual(
        restored.map(({ bytes }) => bytes),
        [0, 1000, 3000, 40_000],
      )
      for (const part of restored) {
        const bytes = await next.readPart(part)
        assert.deepEqual(
          bytes,
          Uint8Array.from({ length: part.bytes }, (_, index) => Math.floor(index / 1000)),
        )
      }
    },

    async 'ids and generations grow across restarts, also past checkpoints that were given up'({ store }) {
      const first = await start(store())
      const published = await publish(first, 1)
      const writer = first.begin(first.nextId(), 'periodic')
      await writeState(writer, 2)
      await writer.discard()
      const second = await store().open(request())
      assert.equal(second.generation, 2)
      const carried = await second.carryOver()
      assert.ok(carried > published.checkpointId)
      assert.ok(second.nextId() > carried)
      const third = await store().open(request())
      assert.equal(third.restored?.checkpointId, carried)
      assert.equal(third.restored?.generation, 2)
    },

    async 'what was not published is not restored'({ store }) {
      const session = await start(store())
      await publish(session, 1)
      const writer = session.begin(session.nextId(), 'periodic')
      await writeState(writer, 2)
      assert.equal(await restoredSeed(await store().open(request())), 1)
    },

    async 'a discarded checkpoint is gone, and the next one is published'({ store }) {
      const session = await start(store())
      await publish(session, 1)
      const writer = session.begin(session.nextId(), 'periodic')
      const operators = await writeState(writer, 2)
      await writer.discard()
      await writer.discard()
      await failsWith('CHECKPOINT_DECLINED', writer.publish(operators))
      await failsWith('CHECKPOINT_DECLINED', writer.writePart(splitsOf(0), utf8('late')))
      await publish(session, 3)
      assert.equal(await restoredSeed(await store().open(request())), 3)
    },

    async 'a checkpoint can be discarded while its parts are being written'({ store }) {
      const session = await start(store())
      const writer = session.begin(session.nextId(), 'periodic')
      const part = await writer.openPart(keyedOf(0))
      await part.append(largeBytes(1))
      const writing = [part.append(largeBytes(2, 500_000)), writer.writePart(keyedOf(1), largeBytes(3, 500_000))]
      const outcomes = Promise.allSettled(writing)
      await writer.discard()
      await outcomes
      await failsWith('CHECKPOINT_DECLINED', part.append(largeBytes(2)))
      await failsWith('CHECKPOINT_DECLINED', part.finish())
      await publish(session, 4)
      assert.equal(await restoredSeed(await store().open(request())), 4)
    },

    async 'a checkpoint that is published stays, also when it is discarded at the same time'({ store }) {
      const session = await start(store())
      const writer = session.begin(session.nextId(), 'periodic')
      const publishing = writer.publish(await writeState(writer, 1))
      await writer.discard()
      await publishing
      assert.equal(await restoredSeed(await store().open(request())), 1)
    },

    async 'state comes over into the new generation, and what was committed does not'({ store }) {
      await publish(await start(store()), 1)
      const second = await start(store())
      assert.equal(await restoredSeed(second), 1)
      const third = await store().open(request())
      assert.equal(third.restored?.generation, 2)
      const kinds = third.restored?.operators.flatMap(({ parts }) => parts.map(({ kind }) => kind))
      assert.deepEqual(kinds, ['splits', 'keyed'])
      assert.equal(await restoredSeed(third), 1)
    },

    async 'the newest starter wins: an earlier owner makes no more effects and learns who took over'({ store }) {
      const old = await start(store())
      await publish(old, 1)
      const begun = old.begin(old.nextId(), 'periodic')
      const part = await begun.openPart(keyedOf(0))
      await part.append(largeBytes(7))
      const state = await writeState(begun, 2)
      const owner = await store().open(request({ owner: 'host-b:2' }))
      await failsWith('FENCED', begun.writePart(keyedOf(0), largeBytes(8)), /generation 2, owner host-b:2/)
      await failsWith('FENCED', begun.publish(state))
      await begun.discard()
      await failsWith('FENCED', publish(old, 3))
      await failsWith('FENCED', old.retire(checkpointId(2)))
      await failsWith('FENCED', publish(old, 4, 'savepoint'))
      await owner.carryOver()
      assert.equal(await restoredSeed(await store().open(request())), 1)
    },

    async "'none' starts without state, and a later 'latest' goes on from there"({ store }) {
      const before = await publish(await start(store()), 1)
      const fresh = await store().open(request({ restore: 'none' }))
      assert.equal(fresh.restored, undefined)
      assert.ok((await fresh.carryOver()) > before.checkpointId)
      const next = await start(store())
      assert.equal(next.restored, undefined)
      await publish(next, 5)
      assert.equal(await restoredSeed(await store().open(request())), 5)
    },

    async 'a generation that published nothing does not hide the one before it'({ store }) {
      await publish(await start(store()), 1)
      await store().open(request())
      await store().open(request())
      assert.equal(await restoredSeed(await store().open(request())), 1)
    },

    async 'an older checkpoint is restored only with leave to roll back, and the refusal names the newer ones'({
      store,
    }) {
      const session = await start(store())
      const older = await publish(session, 1)
      await publish(session, 2)
      const restore = older.checkpointId
      await failsWith('ROLLBACK_REFUSED', store().open(request({ restore })), /checkpoint 2 is older than 3/)
      await publish(session, 3)
      const rolledBack = await store().open(request({ restore, allowRollback: true }))
      assert.equal(await restoredSeed(rolledBack), 1)
      assert.ok((await rolledBack.carryOver()) > 4)
      assert.equal(await restoredSeed(await store().open(request())), 1)
    },

    async 'the newest checkpoint can be asked for by its id'({ store }) {
      const { checkpointId: restore } = await publish(await start(store()), 1)
      assert.equal(await restoredSeed(await store().open(request({ restore }))), 1)
    },

    async 'an id that does not exist is refused with those that do, and the owner goes on'({ store }) {
      const session = await start(store())
      await publish(session, 1)
      await failsWith(
        'CHECKPOINT_NOT_FOUND',
        store().open(request({ restore: 99 })),
        /no checkpoint 99; there are 2, 1/,
      )
      await publish(session, 2)
    },

    async "another job's checkpoints are refused before their owner is disturbed"({ store }) {
      const session = await store().open(request())
      await failsWith('CHECKPOINT_FOREIGN', store().open(request({ job: 'other' })), /'slow-paths'.*'other'/)
      await session.carryOver()
      for (const restore of ['latest', 'none'] as const) {
        await failsWith('CHECKPOINT_FOREIGN', store().open(request({ job: 'other', restore })))
      }
      await publish(session, 1)
    },

    async 'a savepoint is restored when it is asked for, and only then'({ store }) {
      const session = await start(store())
      await publish(session, 1)
      const savepoint = await publish(session, 2, 'savepoint')
      assert.equal(savepoint.kind, 'savepoint')
      assert.equal(await restoredSeed(await store().open(request())), 1)
      const restored = await store().open(request({ restore: savepoint.checkpointId }))
      assert.equal(await restoredSeed(restored), 2)
      assert.ok((await restored.carryOver()) > savepoint.checkpointId)
      assert.equal(await restoredSeed(await store().open(request())), 2)
    },

    async 'the newest three checkpoints are kept, counted over generations'({ store }) {
      const first = await start(store())
      for (let seed = 1; seed <= 5; seed++) await first.retire((await publish(first, seed)).checkpointId)
      // Published in the first generation: the initial one as 1, then 2 to 6.
      const [fifth, fourth] = [request({ restore: 6 }), request({ restore: 4, allowRollback: true })]
      await failsWith('CHECKPOINT_NOT_FOUND', store().open(request({ restore: 3 })), /there are 6, 5, 4/)
      assert.equal(await restoredSeed(await store().open(fourth)), 3)
      const second = await store().open(fifth)
      await second.carryOver()
      await second.cleanUp()
      await failsWith('CHECKPOINT_NOT_FOUND', store().open(request({ restore: 1 })), /there are 7, 6, 5/)
    },

    async 'nothing is removed before every sink has confirmed the checkpoint after it'({ store }) {
      const session = await start(store())
      for (let seed = 1; seed <= 5; seed++) await publish(session, seed)
      await session.retire(checkpointId(2))
      await failsWith('CHECKPOINT_NOT_FOUND', store().open(request({ restore: 99 })), /there are 6, 5, 4, 3, 2\n/)
    },

    async 'state is read after the carry-over as before it'({ store }) {
      await publish(await start(store()), 1)
      const session = await start(store())
      assert.equal(await restoredSeed(session), 1)
    },
  })
