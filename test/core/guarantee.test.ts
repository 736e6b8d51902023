import { describe, expect, test } from 'vitest'
import { type Guarantee, satisfies, weaker } from '../../src/core/index.ts'

const inOrder: readonly Guarantee[] = ['best-effort', 'at-least-once', 'exactly-once']
const pairs = inOrder.flatMap((a, i) => inOrder.map((b, j) => ({ a, b, i, j })))

describe('guarantees', () => {
  test.each(pairs)('the weaker of $a and $b is the lower one, whichever comes first', ({ a, b, i, j }) => {
    expect(weaker(a, b)).toBe(inOrder[Math.min(i, j)])
  })

  test.each(pairs)('$a is enough for a promise of $b only when it is no weaker', ({ a, b, i, j }) => {
    expect(satisfies(a, b)).toBe(i >= j)
  })
})
