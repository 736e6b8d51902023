import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StreamIndex } from '../../../src/logservice/storage/stream-index.ts'

type Step =
  | { readonly kind: 'push'; readonly receivedMs: number; readonly rawBytes: number }
  | { readonly kind: 'trim'; readonly part: number }
  | { readonly kind: 'hole'; readonly count: number }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant('push' as const),
        receivedMs: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 2 ** 32 - 3, max: 2 ** 41 })),
        rawBytes: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('trim' as const), part: fc.double({ min: 0, max: 1.2, noNaN: true }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('hole' as const), count: fc.integer({ min: 0, max: 5 }) }) },
  ),
  { maxLength: 400 },
)

test('an index answers as a plain list does, also after trims and holes', () => {
  fc.assert(
    fc.property(steps, fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 5 }), (all, times) => {
      const index = new StreamIndex()
      const list: ({ readonly receivedMs: number; readonly rawBytes: number; readonly segment: number } | undefined)[] =
        []
      let begin = 0
      const gone: number[] = []
      const expectedGone: number[] = []
      for (const [at, step] of all.entries()) {
        if (step.kind === 'push') {
          const place = { ...step, segment: at, offset: at * 7, length: 3, crc: at }
          index.push(place)
          list.push({ receivedMs: step.receivedMs, rawBytes: step.rawBytes, segment: at })
        } else if (step.kind === 'hole') {
          const stored = list.slice(begin).some((group) => group !== undefined)
          index.skipTo(list.length + step.count)
          list.push(...Array.from({ length: step.count }, () => undefined))
          if (!stored) begin = list.length
        } else {
          const to = Math.floor(begin + (list.length - begin) * step.part)
          index.trim(to, (segment) => gone.push(segment))
          for (; begin < Math.min(to, list.length); begin++) {
            const group = list[begin]
            if (group !== undefined) expectedGone.push(group.segment)
          }
        }
      }
      expect([index.begin, index.end]).toEqual([begin, list.length])
      expect(gone).toEqual(expectedGone)
      expect(index.rawBytes).toBe(list.slice(begin).reduce((sum, group) => sum + (group?.rawBytes ?? 0), 0))
      for (let at = 0; at <= list.length; at++) {
        const group = at < begin ? undefined : list[at]
        expect(index.receivedMs(at)).toBe(group?.receivedMs)
        const place = index.get(at)
        expect(place?.segment).toBe(group?.segment)
        expect(place?.offset).toBe(group === undefined ? undefined : group.segment * 7)
      }
      for (const ms of times) {
        const found = list.findIndex((group, at) => at >= begin && group !== undefined && group.receivedMs >= ms)
        expect(index.firstReceivedFrom(ms)).toBe(found < 0 ? list.length : found)
      }
      const inGaps = index.gaps().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at))
      expect(inGaps).toEqual(list.flatMap((group, at) => (group === undefined && at >= begin ? [at] : [])))
    }),
  )
})
