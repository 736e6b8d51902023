import { randomBytes, randomFillSync } from 'node:crypto'
import type { Random } from '../core/index.ts'

const pool = new Uint32Array(256)
let used = pool.length

const u32 = (): number => {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return pool[used++] ?? 0
}

/** Cryptographic randomness. */
export const nodeRandom: Random = {
  float: () => u32() / 2 ** 32,
  u32,
  id: () => randomBytes(8).toString('hex'),
}
