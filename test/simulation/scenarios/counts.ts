import type { Key } from '../../../src/core/index.ts'
import type { KeyedStream, Stream, Wiring } from '../../../src/job/index.ts'
import { valueState } from '../../../src/runtime/index.ts'
import type { OutputTruth } from '../oracle.ts'

/** The keyed step of most scenarios: how often each key came, one line `key n` for every record. */
export const countKeys = <T, K extends Key, W extends Wiring>(keyed: KeyedStream<T, K, W>): Stream<string, W> =>
  keyed.process('count', {
    state: { count: valueState<number>() },
    *each(_, { key, state }) {
      const count = (state.count.get() ?? 0) + 1
      state.count.set(count)
      yield `${key} ${count}`
    },
  })

/** Every update of a count appears once, the updates of a key in their order, and none that the input does not give. */
export const countsTruth = (records: () => Iterable<{ readonly key: string }>): OutputTruth => {
  const totals = (): Map<string, number> => {
    const counts = new Map<string, number>()
    for (const { key } of records()) counts.set(key, (counts.get(key) ?? 0) + 1)
    return counts
  }
  return {
    dir: 'out/counts',
    sink: 'counts',
    known: (line) => {
      const [key = '', count] = line.split(' ')
      const index = Number(count)
      return index >= 1 && index <= (totals().get(key) ?? 0) ? { stream: key, index } : undefined
    },
    expected: () => [...totals().values()].reduce((sum, count) => sum + count, 0),
  }
}
