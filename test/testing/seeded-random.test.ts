import { expect, test } from 'vitest'
import { SeededRandom, shrink } from '../../src/testing/index.ts'

const draw = (random: SeededRandom, count = 5): number[] => Array.from({ length: count }, () => random.u32())

test('a seed gives the same numbers for ever: the corpus of fault plans depends on it', () => {
  expect(draw(new SeededRandom(1), 3)).toEqual([4_007_122_877, 891_899_288, 4_255_355_355])
  expect(draw(new SeededRandom(1).fork('fault kill'), 2)).toEqual([700_384_498, 436_233_197])
})

test('a fork depends on its label and on nothing else', () => {
  const used = new SeededRandom(7)
  draw(used, 100)
  expect(draw(used.fork('a'))).toEqual(draw(new SeededRandom(7).fork('a')))
  expect(draw(used.fork('a'))).not.toEqual(draw(used.fork('b')))
  expect(draw(used.fork('a'))).not.toEqual(draw(new SeededRandom(8).fork('a')))
  expect(draw(used.fork('ab').fork('c'))).not.toEqual(draw(used.fork('a').fork('bc')))
})

test('the other distributions keep their bounds', () => {
  const random = new SeededRandom(3)
  const values = Array.from({ length: 10_000 }, () => random.exponential(10))
  expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(10, 0)
  expect(Math.max(...values)).toBeLessThanOrEqual(200)
  expect(new Set(Array.from({ length: 200 }, () => random.int(3)))).toEqual(new Set([0, 1, 2]))
  expect(['a', 'b']).toContain(random.pick(['a', 'b']))
  expect(() => random.pick([])).toThrow(RangeError)
  expect(random.bool(0)).toBe(false)
  expect(random.bool(1)).toBe(true)
})

test('shrink finds the part that matters', async () => {
  const items = Array.from({ length: 40 }, (_, index) => index)
  let runs = 0
  const fails = async (part: readonly number[]): Promise<boolean> => {
    runs++
    return part.includes(7) && part.includes(31)
  }
  expect(await shrink(items, fails)).toEqual([7, 31])
  expect(runs).toBeLessThan(60)
  expect(await shrink(items, async () => true)).toEqual([])
  expect(await shrink([5], async (part) => part.length > 0)).toEqual([5])
  await expect(shrink(items, async () => false)).rejects.toThrow('does not fail')
})
