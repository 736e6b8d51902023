import assert from 'node:assert/strict'
import type { Random } from '../core/index.ts'
import { type ContractCheck, checksWith } from './contract.ts'

const draws = 20_000

const checks: Record<string, (random: Random) => void> = {
  'float is uniform in [0, 1)': (random) => {
    const tenths = new Array<number>(10).fill(0)
    for (let draw = 0; draw < draws; draw++) {
      const value = random.float()
      assert.ok(value >= 0 && value < 1)
      const tenth = Math.floor(value * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    // Ten standard deviations: a good source never gets there.
    for (const count of tenths) assert.ok(Math.abs(count - draws / 10) < 10 * Math.sqrt(draws * 0.09))
  },
  'u32 is uniform over the integers of 32 bits': (random) => {
    const ones = new Array<number>(32).fill(0)
    for (let draw = 0; draw < draws; draw++) {
      const value = random.u32()
      assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32)
      for (let bit = 0; bit < 32; bit++) ones[bit] = (ones[bit] ?? 0) + ((value >>> bit) & 1)
    }
    for (const count of ones) assert.ok(Math.abs(count - draws / 2) < 10 * Math.sqrt(draws / 4))
  },
  'id is 16 hex digits and does not repeat': (random) => {
    const ids = new Set(Array.from({ length: 5_000 }, () => random.id()))
    assert.equal(ids.size, 5_000)
    for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/)
  },
}

/** What every `Random` keeps. */
export const randomContract = (setup: () => Random): ContractCheck[] => checksWith(setup, () => {}, checks)
