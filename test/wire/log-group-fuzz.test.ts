import { expect, test } from 'vitest'
import { capBytes, fuzz } from './fuzz/fuzz.ts'

test('changed bodies are refused with a typed error, or read as protobufjs reads them', async () => {
  const { accepted, refused, growthBytes } = await fuzz(5_000, Number(process.env['SEED']))
  expect(accepted).toBeGreaterThan(500)
  expect(refused).toBeGreaterThan(500)
  expect(growthBytes).toBeLessThan(4 * capBytes)
})
