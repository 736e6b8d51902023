import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CheckpointManifest, OperatorState } from '../../src/checkpoint/checkpoint-store.ts'
import { planRestore, type RestorableOperator } from '../../src/checkpoint/restore-plan.ts'
import { keyGroupRange, RestoreError } from '../../src/core/index.ts'
import { inlinePart, someManifest, utf8 } from './manifests.ts'

const stateOf = (kind: OperatorState['kind'], uid: string, parallelism: number): OperatorState => {
  const listKind = kind === 'source' ? 'splits' : kind === 'keyed' ? 'keyed' : 'writer'
  const subtasks = Array.from({ length: parallelism }, (_, subtask) =>
    inlinePart({ kind: listKind, subtask }, utf8(`${uid} ${subtask}`)),
  )
  const shared = kind === 'source' ? [inlinePart({ kind: 'enumerator' }, utf8(uid))] : []
  return { uid, kind, parallelism, parts: [...shared, ...subtasks] }
}

const checkpointOf = (...operators: OperatorState[]): CheckpointManifest => someManifest({ operators })

const plan = (
  manifest: CheckpointManifest,
  operators: RestorableOperator[],
  options: { maxParallelism?: number; renameState?: Record<string, string>; dropState?: string[] } = {},
) => planRestore(manifest, operators, { maxParallelism: 128, renameState: {}, dropState: [], ...options })

const refusal = (run: () => unknown): RestoreError => {
  try {
    run()
  } catch (error) {
    if (error instanceof RestoreError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('a restore plan', () => {
  test('gives every subtask its own parts back when the parallelism is unchanged', () => {
    const sink = stateOf('sink', 'out', 3)
    const restored = plan(checkpointOf(sink), [{ uid: 'out', kind: 'sink', parallelism: 3 }]).operators.get('out')
    expect(restored?.redistribute).toBe(false)
    expect(restored?.subtasks.map(({ list }) => list)).toEqual(sink.parts.map((part) => [part]))
  })

  test('gives all list state, in the order of the old subtasks, to be dealt out anew when it changed', () => {
    const sink = stateOf('sink', 'out', 3)
    const shuffled = { ...sink, parts: [...sink.parts].reverse() }
    const restored = plan(checkpointOf(shuffled), [{ uid: 'out', kind: 'sink', parallelism: 2 }]).operators.get('out')
    expect(restored?.redistribute).toBe(true)
    expect(restored?.parallelism).toBe(3)
    expect(restored?.subtasks.map(({ list }) => list)).toEqual([sink.parts, sink.parts])
  })

  test('keeps apart what exists once per operator', () => {
    const source = stateOf('source', 'access', 2)
    const restored = plan(checkpointOf(source), [{ uid: 'access', kind: 'source', parallelism: 2 }]).operators
    expect(restored.get('access')?.shared.map(({ kind }) => kind)).toEqual(['enumerator'])
  })

  test('names the operators that start empty', () => {
    const { fresh, operators } = plan(checkpointOf(stateOf('sink', 'out', 1)), [
      { uid: 'out', kind: 'sink', parallelism: 1 },
      { uid: 'new', kind: 'keyed', parallelism: 1 },
    ])
    expect(fresh).toEqual(['new'])
    expect([...operators.keys()]).toEqual(['out'])
  })

  test('follows a renaming, also one that swaps two names', () => {
    const operators: RestorableOperator[] = ['a', 'b'].map((uid) => ({ uid, kind: 'keyed', parallelism: 1 }))
    const renameState = { a: 'b', b: 'a' }
    const swapped = plan(checkpointOf(stateOf('keyed', 'a', 1), stateOf('keyed', 'b', 1)), operators, { renameState })
    expect(swapped.operators.get('a')?.storedAs).toBe('b')
    expect(swapped.operators.get('b')?.storedAs).toBe('a')
  })

  test('drops what it is told to, also of an operator that stays', () => {
    const manifest = checkpointOf(stateOf('keyed', 'old', 1), stateOf('keyed', 'kept', 1))
    const dropState = ['old', 'kept']
    const { dropped, fresh } = plan(manifest, [{ uid: 'kept', kind: 'keyed', parallelism: 1 }], { dropState })
    expect(dropped).toEqual(['old', 'kept'])
    expect(fresh).toEqual(['kept'])
  })

  test('does not mind an operator that is gone and had nothing to keep', () => {
    const manifest = checkpointOf({ uid: 'gone', kind: 'sink', parallelism: 1, parts: [] })
    expect(plan(manifest, []).operators.size).toBe(0)
  })

  test('tells of renamings and drops without anything to do, and does not refuse them', () => {
    const options = { renameState: { od: 'out' }, dropState: ['outt'] }
    const { unused } = plan(
      checkpointOf(stateOf('sink', 'out', 1)),
      [{ uid: 'out', kind: 'sink', parallelism: 1 }],
      options,
    )
    expect(unused).toEqual([
      "renameState: 'od' has no state in the checkpoint; did you mean 'out'?",
      "dropState: 'outt' has no state in the checkpoint; did you mean 'out'?",
    ])
  })

  test('refuses everything that does not fit in one error, each line with what to copy', () => {
    const manifest = checkpointOf(
      stateOf('keyed', 'totals', 2),
      stateOf('sink', 'archive', 1),
      stateOf('source', 'access', 1),
      stateOf('keyed', 'sessions', 1),
    )
    const operators: RestorableOperator[] = [
      { uid: 'total', kind: 'keyed', parallelism: 2 },
      { uid: 'archive', kind: 'keyed', parallelism: 1 },
    ]
    const options = { maxParallelism: 64, renameState: { access: 'acces' }, dropState: ['session'] }
    const { code, message } = refusal(() => plan(manifest, operators, options))
    expect(code).toBe('CHECKPOINT_MISMATCH')
    expect(message.split('\n').slice(1, -1)).toEqual([
      '  - maxParallelism is 64 now and 128 in the checkpoint; it is fixed for the life of the state: set maxParallelism: 128',
      "  - the job has no operator 'totals' for the keyed state in the checkpoint: renameState: { 'totals': 'total' } or dropState: ['totals']",
      "  - 'archive' is a keyed step now and was a sink step in the checkpoint: dropState: ['archive'], or give the step another name",
      "  - renameState maps 'access' to 'acces', and the job has no such operator: renameState: { 'access': 'its name now' } or dropState: ['access']",
      "  - the job has no operator 'sessions' for the keyed state in the checkpoint: renameState: { 'sessions': 'total' } or dropState: ['sessions']",
      "  - dropState: 'session' has no state in the checkpoint; did you mean 'sessions'?",
    ])
  })

  test('refuses two states for one operator', () => {
    const manifest = checkpointOf(stateOf('keyed', 'a', 1), stateOf('keyed', 'b', 1))
    const operators: RestorableOperator[] = [{ uid: 'b', kind: 'keyed', parallelism: 1 }]
    expect(refusal(() => plan(manifest, operators, { renameState: { a: 'b' } })).message).toContain(
      "'a' and 'b' would both become 'b': dropState: ['a']",
    )
  })

  const parallelism = fc.integer({ min: 1, max: 12 })

  test('plans every part of every operator it keeps', () => {
    const kind = fc.constantFrom('source' as const, 'keyed' as const, 'sink' as const)
    fc.assert(
      fc.property(fc.array(fc.tuple(kind, parallelism, parallelism), { maxLength: 4 }), (rows) => {
        const states = rows.map(([one, before], index) => stateOf(one, `op${index}`, before))
        const operators = rows.map(([one, , now], index) => ({ uid: `op${index}`, kind: one, parallelism: now }))
        const { operators: restored } = plan(checkpointOf(...states), operators)
        for (const state of states) {
          const found = restored.get(state.uid)
          const planned = found?.subtasks.flatMap(({ keyed, list }) => [...keyed, ...list]) ?? []
          expect(new Set([...planned, ...(found?.shared ?? [])])).toEqual(new Set(state.parts))
        }
      }),
    )
  })

  test('gives the part with a key group to the one subtask that owns the group now', () => {
    fc.assert(
      fc.property(parallelism, parallelism, fc.integer({ min: 12, max: 200 }), (before, now, maxParallelism) => {
        const state = stateOf('keyed', 'totals', before)
        const manifest = { ...checkpointOf(state), maxParallelism }
        const operators: RestorableOperator[] = [{ uid: 'totals', kind: 'keyed', parallelism: now }]
        const subtasks = plan(manifest, operators, { maxParallelism }).operators.get('totals')?.subtasks ?? []
        const inRange = (group: number, subtask: number, of: number): boolean => {
          const { first, last } = keyGroupRange(subtask, maxParallelism, of)
          return group >= first && group <= last
        }
        for (let group = 0; group < maxParallelism; group++) {
          const part = state.parts.find(({ subtask }) => inRange(group, subtask ?? 0, before))
          const owners = subtasks.flatMap((_, subtask) => (inRange(group, subtask, now) ? [subtask] : []))
          expect(owners).toHaveLength(1)
          expect(subtasks[owners[0] ?? 0]?.keyed).toContain(part)
        }
        // Nobody reads a part without a group of its own in it.
        for (const [subtask, { keyed }] of subtasks.entries()) {
          for (const part of keyed) {
            const groups = Array.from({ length: maxParallelism }, (_, group) => group)
            expect(groups.some((g) => inRange(g, subtask, now) && inRange(g, part.subtask ?? 0, before))).toBe(true)
          }
        }
      }),
      { numRuns: 40 },
    )
  })
})
